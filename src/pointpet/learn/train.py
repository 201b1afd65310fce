"""Joint training: the classification loss and the distance loss, back-propagated together.

Total = cross-entropy of the class scores (for two classes the binary cross-entropy of their difference) + distance
weight x distance loss of the true class's raw map. A view is a sample; a view without a point has no distance loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pointpet.core import derive_seed, text_digest
from pointpet.learn.backend import ModelCheckpoint, lightning, torch
from pointpet.learn.batches import View, split_validation, views_of
from pointpet.learn.example import Example, check_examples
from pointpet.learn.joint import JointTraining
from pointpet.learn.network import ViewNetworks
from pointpet.learn.reproducibility import computes_in_bf16, quiet_lightning, reproducible
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.trained import TrainedNetwork

CHECKPOINT = "last.ckpt"

Report = Callable[[int, int, str], None]
"""Called with (epochs done, epochs in all, message)."""


def train(
    examples: Sequence[Example],
    settings: TrainingSettings,
    *,
    seed: int,
    classes: tuple[str, ...],
    checkpoint_dir: Path | None = None,
    report: Report | None = None,
) -> TrainedNetwork:
    """Train the network on `examples`.

    A part of the patients (`validation_share`) chooses the epoch: the one with the lowest validation criterion, see
    `JointTraining`. On one machine with one number of threads a seed gives bit-identical weights, whatever the order of
    `examples` and whether or not the training was interrupted.

    Args:
        examples: the training cases.
        settings: network, losses, schedule.
        seed: enters weights, split, order and augmentation.
        classes: names in the order of the scores.
        checkpoint_dir: the state after every epoch is kept in its `last.ckpt`, and a training goes on from there. A
            checkpoint of another training (cases, settings, seed) is overwritten. The caller deletes it after success.
        report: told of the progress after each epoch.

    Raises:
        TrainingError: the examples do not make a training set, or the maps collapsed.
        GeometryError: the settings' `input_mm` is no multiple of the MIPs' pixel.
    """
    check_examples(examples, classes)
    views = views_of(examples, classes, settings)
    started = time.perf_counter()
    with reproducible(derive_seed(seed, "weights"), settings.threads):
        training, validation = split_validation(views, settings.validation_share, seed)
        module = JointTraining(
            ViewNetworks(settings, len(classes)),
            settings,
            training=training,
            validation=validation,
            classes=classes,
            seed=seed,
            digest=_digest(views, settings, classes, seed),
            report=report or _silent,
        )
        checkpoint = _resumable(checkpoint_dir, module) if checkpoint_dir else None
        if not module.finished:
            _fit(module, checkpoint_dir, checkpoint)
        module.restore_best()
        threads = torch.get_num_threads()
    record = {
        **module.training_record(),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 2),
        "parameters": sum(weights.numel() for weights in module.networks.parameters()),
        "cases": len(examples),
        "precision": "bf16" if computes_in_bf16(settings.precision) else "fp32",
        "threads": threads,
        "torch": torch.__version__,
        "lightning": version("pytorch-lightning"),
    }
    return TrainedNetwork(module.networks, classes, settings, record)


def _silent(done: int, total: int, message: str) -> None:
    """Report to nobody."""


def _fit(module: JointTraining, checkpoint_dir: Path | None, checkpoint: Path | None) -> None:
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
    with quiet_lightning():
        trainer = lightning.Trainer(
            accelerator="gpu" if torch.cuda.is_available() else "cpu",
            devices=1,
            max_epochs=settings.epochs,
            precision="bf16-mixed" if computes_in_bf16(settings.precision) else "32-true",
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=bool(callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
        )
        trainer.fit(module, ckpt_path=checkpoint, weights_only=True)


def _resumable(folder: Path, module: JointTraining) -> Path | None:
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


def _digest(views: Sequence[View], settings: TrainingSettings, classes: Sequence[str], seed: int) -> str:
    """Hash of all that decides a training's outcome."""
    content = [
        (view.case_id, view.patient_id, view.plane, view.label, view.points.tolist(), _bytes_digest(view.values))
        for main in views
        for view in (main, *main.turned)
    ]
    return text_digest([content, settings.as_record(), list(classes), seed, torch.__version__])


def _bytes_digest(values: np.ndarray) -> str:
    return text_digest(values.tobytes().hex())
