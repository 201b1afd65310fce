"""Joint training: the classification loss and the distance loss, back-propagated together.

Total = cross-entropy of the class scores (for two classes the binary cross-entropy of their difference) + distance
weight x distance loss of the true class's raw map. A view is a sample; a view without a point has no distance loss.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pointpet.core import TrainingError, derive_seed, text_digest
from pointpet.learn.backend import torch
from pointpet.learn.batches import View, split_validation, views_of
from pointpet.learn.epochs import EpochTraining, Report, run_epochs
from pointpet.learn.example import Example, check_examples
from pointpet.learn.joint import JointTask
from pointpet.learn.network import ViewNetworks
from pointpet.learn.reproducibility import computes_in_bf16, reproducible
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.trained import TrainedNetwork


def train(
    examples: Sequence[Example],
    settings: TrainingSettings,
    *,
    seed: int,
    classes: tuple[str, ...],
    lesion_free: tuple[str, ...] = (),
    checkpoint_dir: Path | None = None,
    report: Report | None = None,
) -> TrainedNetwork:
    """Train the network on `examples`.

    A part of the patients (`validation_share`) chooses the epoch: the one with the lowest validation criterion, see
    `JointTask`. On one machine with one number of threads a seed gives bit-identical weights, whatever the order of
    `examples` and whether or not the training was interrupted.

    Args:
        examples: the training cases.
        settings: network, losses, schedule.
        seed: enters weights, split, order and augmentation.
        classes: names in the order of the scores.
        lesion_free: those of them without lesions; see `TrainingSettings.rivals` and `JointTask`.
        checkpoint_dir: the state after every epoch is kept in its `last.ckpt`, and a training goes on from there. A
            checkpoint of another training (cases, settings, seed) is overwritten. The caller deletes it after success.
        report: told of the progress after each epoch.

    Raises:
        TrainingError: the examples do not make a training set, the settings ask for controls and there are none, or the
            maps collapsed.
        GeometryError: the settings' `input_mm` is finer than half the MIPs' pixel.
    """
    check_examples(examples, classes)
    _require_rivals(settings, lesion_free)
    views = views_of(examples, classes, settings)
    started = time.perf_counter()
    with reproducible(derive_seed(seed, "weights"), settings.threads):
        training, validation = split_validation(views, settings.validation_share, seed)
        settings = settings.with_epochs_for(len(training))
        task = JointTask(
            settings, training=training, validation=validation, classes=classes, seed=seed, lesion_free=lesion_free
        )
        networks = ViewNetworks(settings, len(classes))
        digest = _digest(views, settings, [*classes, "", *lesion_free], seed)
        module = EpochTraining(networks, task, settings, digest=digest, report=report or _silent)
        run_epochs(module, checkpoint_dir)
        threads = torch.get_num_threads()
    record = {
        **module.training_record(),
        "training_views": len(training),
        "validation_views": len(validation),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 2),
        "parameters": sum(weights.numel() for weights in networks.parameters()),
        "cases": len(examples),
        "precision": "bf16" if computes_in_bf16(settings.precision) else "fp32",
        "threads": threads,
        "torch": torch.__version__,
        "lightning": version("pytorch-lightning"),
    }
    return TrainedNetwork(networks, classes, settings, record)


def _require_rivals(settings: TrainingSettings, lesion_free: tuple[str, ...]) -> None:
    if settings.rivals == "controls" and not lesion_free:
        raise TrainingError(
            "PP-TRAIN-RIVALS",
            "training settings",
            "rivals must be own or auto without a class without lesions, got 'controls'",
            "Name such a class in study.lesion_free, or change training.rivals",
        )


def _silent(done: int, total: int, message: str) -> None:
    """Report to nobody."""


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
