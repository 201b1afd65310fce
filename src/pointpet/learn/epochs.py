"""A training epoch by epoch: record, choice of the epoch, checkpoint. A task says what is learned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from pointpet.learn.backend import nn, torch
from pointpet.learn.lightning_backend import ModelCheckpoint, lightning, trainer_processes
from pointpet.learn.reproducibility import computes_in_bf16, keep_freed_memory, quiet_lightning
from pointpet.learn.settings import SETTLED_SHARE, SMOOTHED_EPOCHS, TrainingSettings
from pointpet.learn.together import gathered, own_share, place

CHECKPOINT = "last.ckpt"

Report = Callable[[int, int, str], None]
"""Called with (epochs done, epochs in all, message)."""


class Step(NamedTuple):
    """What a task makes of a batch: the loss to descend, and one-dimensional tensors for the epoch's record."""

    loss: torch.Tensor
    outcomes: Mapping[str, torch.Tensor]


class Task(Protocol):
    """What is learned: batches, loss, measures. `steps_per_epoch`: batches of a training epoch."""

    @property
    def steps_per_epoch(self) -> int:
        """See the class."""
        ...

    def training_batches(self, epoch: int) -> Iterable[Any]:
        """The batches of an epoch; they follow from its number alone."""
        ...

    def validation_batches(self) -> Iterable[Any]:
        """The validation part; empty where there is none."""
        ...

    def step(self, networks: nn.Module, batch: Any, epoch: int) -> Step:
        """Loss and outcomes of a batch."""
        ...

    def summary(self, outcomes: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Measures of an epoch's part from the outcomes of its batches, joined."""
        ...

    def criterion(self, measured: Mapping[str, Any]) -> float:
        """What the epoch is chosen by, the lower the better, from the measures of the validation part."""
        ...

    def watch(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Raise where the record of the epochs so far says that the training is lost."""
        ...


class OwnShare:
    """One process's share of batches that all of them make; iterable more than once."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return own_share(self._batches)


class EpochTraining(lightning.LightningModule):
    """Trains `networks` at `task` and keeps the weights of the best epoch: AdamW under a one-cycle schedule.

    The best epoch has the lowest criterion, smoothed, of the settled part. Without a validation part the last one
    counts. Training ends before its last epoch only where the settled part is longer than `patience`, which with the
    default lengths it is not.

    Args:
        networks: what is trained.
        task: what at.
        settings: the schedule.
        digest: names the training in its checkpoints.
        report: told of the progress after each epoch.
    """

    def __init__(
        self, networks: nn.Module, task: Task, settings: TrainingSettings, *, digest: str, report: Report
    ) -> None:
        super().__init__()
        self.networks = networks
        self.settings = settings
        self.digest = digest
        self.report = report
        self.history: list[dict[str, Any]] = []
        self._task = task
        self._best: dict[str, torch.Tensor] = {}
        self._outcomes: dict[str, list[Mapping[str, torch.Tensor]]] = {"train": [], "validation": []}
        self._epoch_started = time.perf_counter()

    # What Lightning calls.

    def train_dataloader(self) -> Iterable[Any]:
        """This process's share of the batches of the epoch about to start."""
        batches = self._task.training_batches(self.current_epoch)
        return batches if place().count == 1 else OwnShare(batches)

    def val_dataloader(self) -> Iterable[Any]:
        """The validation part; empty where there is none. Every process measures all of it: it is small."""
        return self._task.validation_batches()

    def configure_optimizers(self) -> Any:
        """AdamW under a one-cycle schedule over all epochs."""
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.networks.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        steps = self._task.steps_per_epoch * settings.epochs
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Begin an epoch's record."""
        self._epoch_started = time.perf_counter()
        self._outcomes = {"train": [], "validation": []}

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        """Loss of a training batch."""
        return self._step(batch, "train")

    def validation_step(self, batch: Any, _: int) -> None:
        """Measure a validation batch."""
        self._step(batch, "validation")

    def on_train_epoch_end(self) -> None:
        """Record the epoch, keep its weights where it is the best one so far, stop where nothing is to be gained."""
        entry: dict[str, Any] = {"epoch": self.current_epoch}
        for part, outcomes in self._outcomes.items():
            if outcomes:
                names = outcomes[0].keys()
                own = {name: torch.cat([item[name] for item in outcomes]).numpy() for name in names}
                entry[part] = self._task.summary(gathered(own) if part == "train" else own)
        entry["criterion"] = self._task.criterion(entry["validation"]) if "validation" in entry else None
        entry["seconds"] = round(time.perf_counter() - self._epoch_started, 3)
        self.history.append(entry)
        if self.best_epoch == self.current_epoch:
            self._best = {name: tensor.detach().cpu().clone() for name, tensor in self.networks.state_dict().items()}
        self._task.watch(self.history)
        if self.finished:
            self.trainer.should_stop = True
        self.report(self.current_epoch + 1, self.settings.epochs, f"loss {self._task.criterion(entry['train']):.3f}")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not know of: whose checkpoint it is, the record, the best weights."""
        checkpoint.update(digest=self.digest, history=self.history, best=self._best)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up what `on_save_checkpoint` added."""
        self.history = list(checkpoint["history"])
        self._best = dict(checkpoint["best"])

    def _step(self, batch: Any, part: str) -> torch.Tensor:
        step = self._task.step(self.networks, batch, self.current_epoch)
        self._outcomes[part].append({name: value.detach().cpu() for name, value in step.outcomes.items()})
        return step.loss

    # What the training gives.

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept, from 0: of the settled ones the first of lowest smoothed criterion.

        Without a criterion, or before enough settled epochs to smooth it, the last one.
        """
        criteria = [entry["criterion"] for entry in self.history]
        settled = criteria[int(SETTLED_SHARE * self.settings.epochs) :]
        if None in settled or len(settled) < SMOOTHED_EPOCHS:
            return len(criteria) - 1
        smoothed = np.convolve(settled, np.full(SMOOTHED_EPOCHS, 1 / SMOOTHED_EPOCHS), mode="valid")
        return len(criteria) - len(smoothed) + int(np.argmin(smoothed))

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
        return {"epochs": len(self.history), "best_epoch": self.best_epoch, "history": self.history}


def run_epochs(module: EpochTraining, checkpoint_dir: Path | None) -> None:
    """Train, going on from a checkpoint of this very training where an earlier run left one; then the best weights.

    Args:
        module: the training.
        checkpoint_dir: the state after every epoch is kept in its `last.ckpt`; the caller deletes it after success.
    """
    checkpoint = _resumable(checkpoint_dir, module) if checkpoint_dir else None
    if not module.finished:
        _fit(module, checkpoint_dir, checkpoint)
    module.restore_best()


def _fit(module: EpochTraining, checkpoint_dir: Path | None, checkpoint: Path | None) -> None:
    callbacks = []
    if checkpoint_dir is not None:
        checkpoint_dir.mkdir(parents=True, exist_ok=True)
        callbacks.append(
            ModelCheckpoint(
                dirpath=checkpoint_dir,
                filename=Path(CHECKPOINT).stem,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            )
        )
    settings = module.settings
    keep_freed_memory()
    with quiet_lightning():
        trainer = lightning.Trainer(
            accelerator="gpu" if torch.cuda.is_available() else "cpu",
            **trainer_processes(place().count, some_idle=not getattr(module.networks, "all_take_part", False)),
            max_epochs=settings.epochs,
            precision="bf16-mixed" if computes_in_bf16(settings.precision) else "32-true",
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=bool(callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
        )
        trainer.fit(module, ckpt_path=checkpoint, weights_only=True)


def _resumable(folder: Path, module: EpochTraining) -> Path | None:
    """The checkpoint of this very training, where an earlier run left one; `module` then knows what it holds."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        usable = state["digest"] == module.digest
    except Exception as error:  # noqa: BLE001 - whatever a broken file raises, starting again is right and said
        module.report(0, module.settings.epochs, f"checkpoint unreadable ({type(error).__name__}), starting again")
        return None
    if not usable:
        module.report(0, module.settings.epochs, "checkpoint belongs to another training, starting again")
        return None
    module.on_load_checkpoint(state)
    return path
