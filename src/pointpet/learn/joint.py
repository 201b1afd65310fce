"""The training loop's step: losses, record of each epoch, choice of the epoch, watch over collapsing maps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pointpet.core import TrainingError
from pointpet.learn.backend import functional, lightning, torch
from pointpet.learn.batches import Batch, TrainingBatches, ValidationBatches, View, batches_of
from pointpet.learn.losses import READINGS, MapTargets, distances_mm, empty_maps
from pointpet.learn.network import ViewNetworks
from pointpet.learn.settings import TrainingSettings

COLLAPSED_SHARE = 0.5
"""Share of a class's training maps without a positive cell from which on an epoch counts as collapsed."""

COLLAPSED_EPOCHS = 3
"""Successive collapsed epochs that end a training: the first epochs of a sound one pass through empty maps."""

SMOOTHED_EPOCHS = 5
"""The criterion of an epoch is the mean over it and those before it, so many in all: a validation part holds a dozen
patients only, and a single epoch may look good by chance long before the training has settled."""

HIT_MM = 16.0
"""Distance of the peak to a point that counts as a hit in the record."""


class JointTraining(lightning.LightningModule):
    """Trains `networks` on the training part and keeps the weights of the best epoch.

    The validation criterion, smoothed over epochs, is the classification loss, plus, where there is a distance loss,
    distance_weight times (that loss + the share of empty maps), all on the validation part. Without a validation part the last epoch counts.

    Args:
        networks: what is trained.
        settings: losses and schedule.
        training, validation: the views of each part.
        classes: names, for the record.
        seed: enters order and augmentation.
        digest: names the training in its checkpoints.
        report: told (epochs done, epochs in all, message).
    """

    def __init__(
        self,
        networks: ViewNetworks,
        settings: TrainingSettings,
        *,
        training: Sequence[View],
        validation: Sequence[View],
        classes: Sequence[str],
        seed: int,
        digest: str,
        report: Callable[[int, int, str], None],
    ) -> None:
        super().__init__()
        self.networks = networks
        self.settings = settings
        self.digest = digest
        self.report = report
        self.history: list[dict[str, Any]] = []
        self._training_views = training
        self._validation_views = validation
        self._classes = tuple(classes)
        self._seed = seed
        self._best: dict[str, torch.Tensor] = {}
        self._outcomes: dict[str, list[dict[str, torch.Tensor]]] = {"train": [], "validation": []}
        self._epoch_started = time.perf_counter()

    # What Lightning calls.

    def train_dataloader(self) -> TrainingBatches:
        """The batches of the epoch about to start."""
        return TrainingBatches(self._training_views, self.settings, seed=self._seed, epoch=self.current_epoch)

    def val_dataloader(self) -> ValidationBatches | list[Batch]:
        """The validation part; empty where there is none."""
        return ValidationBatches(self._validation_views, self.settings.batch_size) if self._validation_views else []

    def configure_optimizers(self) -> Any:
        """AdamW under a one-cycle schedule over all epochs."""
        optimizer = torch.optim.AdamW(
            self.networks.parameters(), lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )
        steps = batches_of(len(self._training_views), self.settings.batch_size) * self.settings.epochs
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.settings.learning_rate, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Begin an epoch's record."""
        self._epoch_started = time.perf_counter()
        self._outcomes = {"train": [], "validation": []}

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        """Total loss of a training batch."""
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure a validation batch."""
        self._step(batch, "validation")

    def on_train_epoch_end(self) -> None:
        """Record the epoch, keep its weights where it is the best one so far, stop where nothing is to be gained."""
        entry: dict[str, Any] = {"epoch": self.current_epoch}
        for part, outcomes in self._outcomes.items():
            if outcomes:
                entry[part] = self._summary(outcomes)
        entry["criterion"] = self._criterion(entry)
        entry["seconds"] = round(time.perf_counter() - self._epoch_started, 3)
        self.history.append(entry)
        if self.best_epoch == self.current_epoch:
            self._best = {name: tensor.detach().cpu().clone() for name, tensor in self.networks.state_dict().items()}
        self._raise_on_collapse()
        if self.finished:
            self.trainer.should_stop = True
        message = f"loss {entry['train']['class_loss'] + entry['train']['distance_loss']:.3f}"
        self.report(self.current_epoch + 1, self.settings.epochs, message)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not know of: whose checkpoint it is, the record, the best weights."""
        checkpoint.update(digest=self.digest, history=self.history, best=self._best)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up what `on_save_checkpoint` added."""
        self.history = list(checkpoint["history"])
        self._best = dict(checkpoint["best"])

    # What happens in a step and after an epoch.

    def _step(self, batch: Batch, part: str) -> torch.Tensor:
        scores = self.networks(batch.images, batch.sizes, batch.coronal)
        logits, maps = scores.logits, scores.maps[torch.arange(len(batch.labels)), batch.labels]
        class_losses = functional.cross_entropy(logits, batch.labels, reduction="none")
        pointed = ~torch.isnan(batch.points).all(2).all(1)
        targets = MapTargets(
            (batch.points[pointed] + 0.5) / self.settings.cam_stride - 0.5, scores.valid[pointed], self.settings.cell_mm
        )
        distance_losses = self._distance_losses(maps[pointed], targets)
        self._outcomes[part].append(
            {
                "class_losses": class_losses.detach(),
                "right": logits.argmax(1) == batch.labels,
                "distance_losses": distance_losses.detach(),
                "peak_mm": _peak_distances_mm(maps[pointed].detach(), targets),
                "labels": batch.labels[pointed] if self.settings.localises else batch.labels,
                "empty": empty_maps(maps, scores.valid)[pointed if self.settings.localises else slice(None)],
            }
        )
        total = class_losses.mean()
        if len(distance_losses) and self.current_epoch >= self.settings.warmup_epochs:
            total = total + self.settings.distance_weight * distance_losses.mean()
        return total

    def _distance_losses(self, maps: torch.Tensor, targets: MapTargets) -> torch.Tensor:
        if not self.settings.localises or not len(maps):
            return maps.new_zeros(0)
        return READINGS[self.settings.distance](maps, targets, self.settings)

    def _summary(self, outcomes: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, Any]:
        joined = {name: torch.cat([outcome[name] for outcome in outcomes]).cpu().numpy() for name in outcomes[0]}
        labels = joined["labels"]
        return {
            "class_loss": _mean(joined["class_losses"]),
            "accuracy": _mean(joined["right"]),
            "distance_loss": _mean(joined["distance_losses"]),
            "hit": _mean(joined["peak_mm"] <= HIT_MM),
            "empty_maps": {
                name: _mean(joined["empty"][labels == index])
                for index, name in enumerate(self._classes)
                if (labels == index).any()
            },
        }

    def _criterion(self, entry: Mapping[str, Any]) -> float | None:
        measured = entry.get("validation")
        if measured is None:
            return None
        criterion = measured["class_loss"]
        if self.settings.localises:
            empty = max(measured["empty_maps"].values(), default=0.0)
            criterion += self.settings.distance_weight * (measured["distance_loss"] + empty)
        return criterion

    def _raise_on_collapse(self) -> None:
        """Stop a training whose distance loss has lost its maps: all negative, they give neither loss nor gradient."""
        if not self.settings.localises:
            return
        recent = [entry for entry in self.history if entry["epoch"] >= self.settings.warmup_epochs][-COLLAPSED_EPOCHS:]
        if len(recent) < COLLAPSED_EPOCHS:
            return
        for name in recent[-1]["train"]["empty_maps"]:
            shares = [entry["train"]["empty_maps"].get(name, 0.0) for entry in recent]
            if min(shares) >= COLLAPSED_SHARE:
                raise TrainingError(
                    "PP-TRAIN-COLLAPSE",
                    f"class {name}",
                    f"its activation maps collapsed: in epoch {self.current_epoch + 1}, {shares[-1]:.0%} of them had "
                    f"no positive cell, so the distance loss {self.settings.distance!r} no longer steers them "
                    f"(class accuracy {recent[-1]['train']['accuracy']:.2f})",
                    "Train with distance 'margin', add warmup_epochs, or lower distance_weight or learning_rate",
                )

    # What the training gives.

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept, from 0: lowest smoothed criterion, the earliest of equals.

        Without a criterion, or before enough epochs to smooth it, the last one.
        """
        criteria = [entry["criterion"] for entry in self.history]
        if None in criteria or len(criteria) < SMOOTHED_EPOCHS:
            return len(criteria) - 1
        smoothed = np.convolve(criteria, np.full(SMOOTHED_EPOCHS, 1 / SMOOTHED_EPOCHS), mode="valid")
        return int(np.argmin(smoothed)) + SMOOTHED_EPOCHS - 1

    @property
    def finished(self) -> bool:
        """True after the last epoch, or where `patience` epochs brought nothing better."""
        done = len(self.history)
        return done > 0 and (done >= self.settings.epochs or done - 1 - self.best_epoch >= self.settings.patience)

    def restore_best(self) -> None:
        """Put the weights of the best epoch back."""
        self.networks.load_state_dict(self._best)

    def training_record(self) -> dict[str, Any]:
        """Epochs, losses and measures of each, and the epoch taken, as JSON can hold them."""
        return {
            "epochs": len(self.history),
            "best_epoch": self.best_epoch,
            "history": self.history,
            "training_views": len(self._training_views),
            "validation_views": len(self._validation_views),
        }


def _peak_distances_mm(maps: torch.Tensor, targets: MapTargets) -> torch.Tensor:
    """(B,) distance of each map's highest cell to the nearest point, mm; infinite for a map without a positive cell."""
    if not len(maps):
        return maps.new_zeros(0)
    peaks = maps.masked_fill(~targets.valid, -torch.inf).flatten(1).argmax(1, keepdim=True)
    distances = distances_mm(targets).flatten(1).gather(1, peaks)[:, 0]
    return distances.masked_fill(empty_maps(maps, targets.valid), torch.inf)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
