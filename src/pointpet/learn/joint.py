"""What the weak methods learn: class and place together. Losses, measures, and the watch over collapsing maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pointpet.core import TrainingError
from pointpet.learn.backend import functional, nn, torch
from pointpet.learn.batches import NOTHING, Batch, TrainingBatches, ValidationBatches, View, batches_of
from pointpet.learn.epochs import Step
from pointpet.learn.losses import READINGS, MapTargets, above_controls, distances_mm, empty_maps
from pointpet.learn.network import Scores
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.together import mean_over_processes, somewhere
from pointpet.learn.transplant import transplants_of

COLLAPSED_SHARE = 0.5
"""Share of a class's training maps without a positive cell from which on an epoch counts as collapsed."""

COLLAPSED_EPOCHS = 3
"""Successive collapsed epochs that end a training: the first epochs of a sound one pass through empty maps."""

HIT_MM = 16.0
"""Distance of the peak to a point that counts as a hit in the record."""


class JointTask:
    """Class labels and points of views, learned together; a `Task` of `EpochTraining`.

    The criterion is the classification loss, plus, where there is a distance loss, distance_weight times (that loss +
    the share of empty maps).

    Where there are classes without lesions, all classes weigh the same in the classification loss, however many cases
    each has: as a rule controls and patients are not met in the proportion they were collected in. A control into which
    a lesion was transplanted keeps its weight. Lesions are transplanted where there is a distance loss: another
    training sees no point.

    Args:
        settings: losses, batches and augmentation.
        training, validation: the views of each part.
        classes: names, for the record.
        seed: enters order and augmentation.
        lesion_free: names of the classes without lesions.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        *,
        training: Sequence[View],
        validation: Sequence[View],
        classes: Sequence[str],
        seed: int,
        lesion_free: Sequence[str] = (),
    ) -> None:
        self.settings = settings
        self._free = torch.tensor([name in lesion_free for name in classes])
        self._weights = _class_weights(training, len(classes)) if lesion_free else torch.ones(len(classes))
        self._training = training
        self._validation = validation
        self._classes = tuple(classes)
        self._seed = seed
        controls = frozenset(index for index, name in enumerate(classes) if name in lesion_free)
        shown = settings.transplant > 0 and settings.localises
        self._transplants = transplants_of(training, controls, settings) if shown else NOTHING

    @property
    def steps_per_epoch(self) -> int:
        """Batches of a training epoch."""
        return batches_of(len(self._training), self.settings.batch_size)

    def training_batches(self, epoch: int) -> TrainingBatches:
        """Shuffled and augmented."""
        return TrainingBatches(
            self._training, self.settings, seed=self._seed, epoch=epoch, transplants=self._transplants
        )

    def validation_batches(self) -> ValidationBatches | list[Batch]:
        """Unchanged; empty where there is no validation part."""
        return ValidationBatches(self._validation, self.settings.batch_size) if self._validation else []

    def step(self, networks: nn.Module, batch: Batch, epoch: int) -> Step:
        """Classification loss and, after the warm-up, distance loss of a batch."""
        scores: Scores = networks(batch.images, batch.sizes, batch.coronal)
        logits, maps = scores.logits, scores.maps[torch.arange(len(batch.labels)), batch.labels]
        class_losses = functional.cross_entropy(logits, batch.labels, reduction="none")
        class_losses = class_losses * self._weights.to(logits.device)[batch.own_labels]
        pointed = ~torch.isnan(batch.points).all(2).all(1) & ~self._free.to(logits.device)[batch.labels]
        targets = MapTargets(
            (batch.points[pointed] + 0.5) / self.settings.cam_stride - 0.5, scores.valid[pointed], self.settings.cell_mm
        )
        distance_losses = self._distance_losses(maps[pointed], targets, scores, batch.labels, pointed)
        total = mean_over_processes(class_losses)
        if epoch >= self.settings.warmup_epochs and somewhere(len(distance_losses) > 0):
            total = total + self.settings.distance_weight * mean_over_processes(distance_losses)
        outcomes = {
            "class_losses": class_losses,
            "right": logits.argmax(1) == batch.labels,
            "distance_losses": distance_losses,
            "peak_mm": _peak_distances_mm(maps[pointed].detach(), targets),
            "labels": batch.labels[pointed] if self.settings.localises else batch.labels,
            "empty": empty_maps(maps, scores.valid)[pointed if self.settings.localises else slice(None)],
        }
        return Step(total, outcomes)

    def _distance_losses(
        self, maps: torch.Tensor, targets: MapTargets, scores: Scores, labels: torch.Tensor, pointed: torch.Tensor
    ) -> torch.Tensor:
        if not self.settings.localises or not len(maps):
            return maps.new_zeros(0)
        if self._spares_lesions:
            controls = self._free.to(labels.device)[labels]
            lowest = torch.finfo(maps.dtype).min
            peaks = scores.maps[controls].masked_fill(~scores.valid[controls, None], lowest).amax((2, 3))
            return above_controls(maps, targets, peaks[:, labels[pointed]].T, self.settings)
        return READINGS[self.settings.distance](maps, targets, self.settings)

    @property
    def _spares_lesions(self) -> bool:
        """Whether the margin is held above the controls' maps, and not above the rest of the patient's own."""
        if self.settings.distance != "margin" or self.settings.rivals == "own":
            return False
        return self.settings.rivals == "controls" or bool(self._free.any())

    def summary(self, outcomes: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Losses, accuracy, share of peaks near a point, and of empty maps by class."""
        labels = outcomes["labels"]
        return {
            "class_loss": _mean(outcomes["class_losses"]),
            "accuracy": _mean(outcomes["right"]),
            "distance_loss": _mean(outcomes["distance_losses"]),
            "hit": _mean(outcomes["peak_mm"] <= HIT_MM),
            "empty_maps": {
                name: _mean(outcomes["empty"][labels == index])
                for index, name in enumerate(self._classes)
                if (labels == index).any()
            },
        }

    def criterion(self, measured: Mapping[str, Any]) -> float:
        """See the class."""
        criterion = measured["class_loss"]
        if self.settings.localises:
            empty = max(measured["empty_maps"].values(), default=0.0)
            criterion += self.settings.distance_weight * (measured["distance_loss"] + empty)
        return criterion

    def watch(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Stop a training whose distance loss has lost its maps: all negative, they give neither loss nor gradient.

        Raises:
            TrainingError: most maps of a class were empty in the last `COLLAPSED_EPOCHS` epochs.
        """
        if not self.settings.localises:
            return
        recent = [entry for entry in history if entry["epoch"] >= self.settings.warmup_epochs][-COLLAPSED_EPOCHS:]
        if len(recent) < COLLAPSED_EPOCHS:
            return
        for name in recent[-1]["train"]["empty_maps"]:
            shares = [entry["train"]["empty_maps"].get(name, 0.0) for entry in recent]
            if min(shares) >= COLLAPSED_SHARE:
                raise TrainingError(
                    "PP-TRAIN-COLLAPSE",
                    f"class {name}",
                    f"its activation maps collapsed: in epoch {recent[-1]['epoch'] + 1}, {shares[-1]:.0%} of them had "
                    f"no positive cell, so the distance loss {self.settings.distance!r} no longer steers them "
                    f"(class accuracy {recent[-1]['train']['accuracy']:.2f})",
                    "Train with distance 'margin', add warmup_epochs, or lower distance_weight or learning_rate",
                )


def _class_weights(views: Sequence[View], classes: int) -> torch.Tensor:
    """(C,) weights that give each class the same part of the loss; 1 on average over the views."""
    counts = torch.bincount(torch.tensor([view.label for view in views]), minlength=classes).float()
    return counts.sum() / (counts.clamp_min(1) * (counts > 0).sum())


def _peak_distances_mm(maps: torch.Tensor, targets: MapTargets) -> torch.Tensor:
    """(B,) distance of each map's highest cell to the nearest point, mm; infinite for a map without a positive cell."""
    if not len(maps):
        return maps.new_zeros(0)
    peaks = maps.masked_fill(~targets.valid, -torch.inf).flatten(1).argmax(1, keepdim=True)
    distances = distances_mm(targets).flatten(1).gather(1, peaks)[:, 0]
    return distances.masked_fill(empty_maps(maps, targets.valid), torch.inf)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
