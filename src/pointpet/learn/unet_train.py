"""Training of the 2D U-Net on MIPs and projected true masks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pointpet.core import TrainingError, derive_seed, text_digest
from pointpet.learn.backend import torch
from pointpet.learn.batches import batches_of, split_validation
from pointpet.learn.epochs import EpochTraining, Report, Task, run_epochs
from pointpet.learn.example import check_examples
from pointpet.learn.reproducibility import computes_in_bf16, reproducible
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.trained_unet import TrainedViewUnet
from pointpet.learn.unet_network import ClassifyingUnet
from pointpet.learn.unet_settings import UnetSettings
from pointpet.learn.unet_task import UnetTask
from pointpet.learn.unet_views import MaskedBatch, MaskedBatches, MaskedExample, MaskedValidation, MaskedView
from pointpet.learn.unet_views import masked_views as views_of


def train_unet(
    cases: Sequence[MaskedExample],
    settings: UnetSettings,
    common: TrainingSettings,
    *,
    seed: int,
    classes: tuple[str, ...],
    checkpoint_dir: Path | None = None,
    report: Report | None = None,
) -> TrainedViewUnet:
    """Train one U-Net for both views.

    A part of the patients chooses the epoch, by the lowest loss. On one machine with one number of threads a seed gives
    bit-identical weights, whatever the order of `cases` and whether or not the training was interrupted.

    Args:
        cases: the training cases.
        settings: of the U-Net, `dimensions` 2.
        common: picture, augmentation, validation part, precision and threads.
        seed: enters weights, split, order and augmentation.
        classes: names in the order of the scores.
        checkpoint_dir, report: as in `run_epochs` and `EpochTraining`.

    Raises:
        TrainingError: the cases do not make a training set, or none has a mask.
        GeometryError: the settings' `input_mm` is finer than half the MIPs' pixel.
    """
    check_masked(cases, classes)
    training = settings.training(common)
    views = views_of(cases, classes, training)
    parts = split_validation(views, training.validation_share, seed)
    task = ViewTask(*parts, training, class_weight=settings.class_weight, seed=seed)
    networks, record = train_network(
        task,
        settings,
        training,
        content=[part for view in views for part in _content(view)],
        classes=classes,
        seed=seed,
        checkpoint_dir=checkpoint_dir,
        report=report,
    )
    record |= {"cases": len(cases), "training_views": len(parts[0]), "validation_views": len(parts[1])}
    return TrainedViewUnet(networks, classes, settings, training, record)


def check_masked(cases: Sequence[MaskedExample], classes: Sequence[str]) -> None:
    """Stop unless a U-Net can be trained on `cases`.

    Raises:
        TrainingError: as `check_examples`, or no case has a mask with a voxel in it.
    """
    check_examples([case.example for case in cases], classes)
    if not any(case.has_lesion for case in cases):
        raise TrainingError(
            "PP-TRAIN-MASKS",
            "training cases",
            "the U-Net needs true masks, got none that holds a voxel",
            "Give `mask` in the manifest and train from it: a prepared folder holds no masks",
        )


class ViewTask(UnetTask):
    """Masks and classes of views.

    Args:
        training, validation: the views of each part.
        settings: batches and augmentation.
        class_weight: of the class loss.
        seed: of order and augmentation.
    """

    def __init__(
        self,
        training: Sequence[MaskedView],
        validation: Sequence[MaskedView],
        settings: TrainingSettings,
        *,
        class_weight: float,
        seed: int,
    ) -> None:
        super().__init__(class_weight)
        self._training = training
        self._validation = validation
        self._settings = settings
        self._seed = seed

    @property
    def steps_per_epoch(self) -> int:
        """Batches of a training epoch."""
        return batches_of(len(self._training), self._settings.batch_size)

    def training_batches(self, epoch: int) -> MaskedBatches:
        """Shuffled and augmented."""
        return MaskedBatches(self._training, self._settings, seed=self._seed, epoch=epoch)

    def validation_batches(self) -> MaskedValidation | list[MaskedBatch]:
        """Unchanged."""
        return MaskedValidation(self._validation) if self._validation else []


def train_network(
    task: Task,
    settings: UnetSettings,
    training: TrainingSettings,
    *,
    content: list[Any],
    classes: Sequence[str],
    seed: int,
    checkpoint_dir: Path | None,
    report: Report | None,
) -> tuple[ClassifyingUnet, dict[str, Any]]:
    """Train a fresh network at `task`: its best weights, and the record.

    Args:
        content: what it learns from, as JSON can hold it; with settings, classes and seed it names the training.
    """
    facts = [content, settings.as_record(), training.as_record(), list(classes), seed, torch.__version__]
    started = time.perf_counter()
    with reproducible(derive_seed(seed, "weights"), training.threads):
        networks = ClassifyingUnet(settings, len(classes))
        module = EpochTraining(networks, task, training, digest=text_digest(facts), report=report or _silent)
        run_epochs(module, checkpoint_dir)
        threads = torch.get_num_threads()
    return networks, {
        **module.training_record(),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 2),
        "parameters": sum(weights.numel() for weights in networks.parameters()),
        "precision": "bf16" if computes_in_bf16(training.precision) else "fp32",
        "threads": threads,
        "torch": torch.__version__,
        "lightning": version("pytorch-lightning"),
        "monai": version("monai"),
    }


def _silent(done: int, total: int, message: str) -> None:
    """Report to nobody."""


def _content(view: MaskedView) -> list[list[Any]]:
    return [
        [seen.case_id, seen.patient_id, seen.plane, seen.label, array_digest(seen.values), array_digest(seen.target)]
        for seen in (view, *view.turned)
    ]


def array_digest(values: np.ndarray | None) -> str:
    """Hash of an array's values; of nothing where there is none."""
    return text_digest("" if values is None else values.tobytes().hex())
