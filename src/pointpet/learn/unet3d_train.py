"""Training of the 3D U-Net on volumes and true masks, patch by patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pointpet.core import Volume
from pointpet.learn.batches import batches_of, split_validation
from pointpet.learn.epochs import Report
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.trained_unet3d import TrainedVolumeUnet
from pointpet.learn.unet_settings import UnetSettings
from pointpet.learn.unet_task import UnetTask
from pointpet.learn.unet_train import array_digest, check_masked, train_network
from pointpet.learn.unet_views import MaskedBatch, MaskedExample
from pointpet.learn.unet_volumes import CoarseCase, PatchBatches, PatchValidation, coarse_case


def train_unet3d(
    cases: Sequence[tuple[MaskedExample, Callable[[], Volume]]],
    settings: UnetSettings,
    common: TrainingSettings,
    *,
    seed: int,
    classes: tuple[str, ...],
    checkpoint_dir: Path | None = None,
    report: Report | None = None,
) -> TrainedVolumeUnet:
    """Train a U-Net on volumes; as `train_unet` in everything else.

    Its cost is the price of the third dimension: with the default of 48 cubes of 6 mm a patch takes about as long as 20
    views of two dimensions.

    Args:
        cases: the training cases, and what reads each one's volume.
        settings: of the U-Net, `dimensions` 3.

    Raises:
        TrainingError: the cases do not make a training set, or none has a mask.
    """
    check_masked([case for case, _ in cases], classes)
    training = settings.training(common)
    ordered = sorted(cases, key=lambda item: item[0].example.case_id)
    coarse = [coarse_case(case, load(), classes, settings, training) for case, load in ordered]
    parts = split_validation(coarse, training.validation_share, seed)
    networks, record = train_network(
        PatchTask(*parts, settings, training, seed=seed),
        settings,
        training,
        content=[_content(case) for case in coarse],
        classes=classes,
        seed=seed,
        checkpoint_dir=checkpoint_dir,
        report=report,
    )
    record |= {"cases": len(cases), "training_cases": len(parts[0]), "validation_cases": len(parts[1])}
    return TrainedVolumeUnet(networks, classes, settings, training, record)


class PatchTask(UnetTask):
    """Masks and classes of patches.

    Args:
        training, validation: the cases of each part.
        settings, schedule: patches; augmentation.
        seed: of order, place and augmentation.
    """

    def __init__(
        self,
        training: Sequence[CoarseCase],
        validation: Sequence[CoarseCase],
        settings: UnetSettings,
        schedule: TrainingSettings,
        *,
        seed: int,
    ) -> None:
        super().__init__(settings.class_weight)
        self._training = training
        self._validation = validation
        self._settings = settings
        self._schedule = schedule
        self._seed = seed

    @property
    def steps_per_epoch(self) -> int:
        """Batches of a training epoch."""
        return batches_of(len(self._training) * self._settings.patches, self._settings.batch_size)

    def training_batches(self, epoch: int) -> PatchBatches:
        """Random and augmented."""
        return PatchBatches(self._training, self._settings, self._schedule, seed=self._seed, epoch=epoch)

    def validation_batches(self) -> PatchValidation | list[MaskedBatch]:
        """The same every epoch."""
        return PatchValidation(self._validation, self._settings) if self._validation else []


def _content(case: CoarseCase) -> list[Any]:
    return [case.case_id, case.patient_id, case.label, array_digest(case.values), array_digest(case.target)]
