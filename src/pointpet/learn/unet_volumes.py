"""Volumes of training cases in coarse cubes with their true masks, and the patches of an epoch.

Shape letters: X, Y, Z cells of a volume; P cells along the edge of a patch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Grid, Plane, Volume, generator
from pointpet.image.resample import resample_volume
from pointpet.learn.backend import torch
from pointpet.learn.batches import batches_of
from pointpet.learn.lesion_pixels import coverage, filling_points, filling_spacing_mm
from pointpet.learn.pictures import body_box
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.unet_settings import UnetSettings
from pointpet.learn.unet_views import MaskedBatch, MaskedExample
from pointpet.project import project, projection_grid

SEEN_SHARE = 0.5
"""Share of a tumour that a patch must hold for its class to be told from it."""


@dataclass(frozen=True, eq=False)
class CoarseCase:
    """A case in coarse cubes.

    Args:
        values: (X, Y, Z) float32 in [0, 1], no side under the patch's.
        target: (X, Y, Z) share of each cube in the mask; None where the mask is unknown.
        label, case_id, patient_id: of whom.
    """

    values: NDArray[np.float32]
    target: NDArray[np.float32] | None
    label: int
    case_id: str
    patient_id: str


def coarse_values(
    volume: Volume, settings: UnetSettings, training: TrainingSettings
) -> tuple[NDArray[np.float32], Grid]:
    """What the network sees of a volume: cubes of `cell_mm`, cut to the body, SUV to [0, 1]; and where they lie.

    Filled up with 0 at the far ends to the size of a patch at least.
    """
    whole = projection_grid(volume.grid, settings.cell_mm)
    coarse = resample_volume(volume, whole).voxels
    box = _body(Volume(coarse, whole.affine), settings) if training.crop else tuple(slice(0, n) for n in coarse.shape)
    values = np.clip(coarse[box], 0, training.suv_ceiling) / np.float32(training.suv_ceiling)
    values = np.pad(values, [(0, max(0, settings.patch_cells - side)) for side in values.shape])
    affine = whole.affine.copy()
    affine[:3, 3] = whole.world(np.array([part.start for part in box]))[0]
    return values, Grid(values.shape, affine)  # type: ignore[arg-type]


def _body(coarse: Volume, settings: UnetSettings) -> tuple[slice, ...]:
    """The cells between the body's outermost ones, as both views show it."""
    mips = project(coarse, pixel_mm=settings.cell_mm)
    across, up = [], []
    for plane in Plane:
        values = mips.values(plane)
        assert values is not None
        sides = body_box(values, settings.cell_mm)
        across.append(sides[0])
        up.append(sides[1])
    return (*across, slice(min(part.start for part in up), max(part.stop for part in up)))


def coarse_case(
    case: MaskedExample, volume: Volume, classes: Sequence[str], settings: UnetSettings, training: TrainingSettings
) -> CoarseCase:
    """A training case as the network sees it."""
    values, grid = coarse_values(volume, settings, training)
    target = None
    if case.mask is not None:
        points = filling_points(case.mask, spacing_mm=filling_spacing_mm(settings.cell_mm))
        target = coverage(grid.indices(points), values.shape)
    example = case.example
    return CoarseCase(values, target, classes.index(example.label), example.case_id, example.patient_id)


class PatchBatches:
    """Random patches of one epoch; iterable more than once with one result.

    Of a case's patches every other one holds a random part of its tumour, the rest lie anywhere. Augmentation: place,
    mirroring left to right, intensity.
    """

    def __init__(
        self, cases: Sequence[CoarseCase], settings: UnetSettings, training: TrainingSettings, *, seed: int, epoch: int
    ) -> None:
        self._cases = cases
        self._settings = settings
        self._training = training
        self._seed = seed
        self._epoch = epoch

    def __len__(self) -> int:
        return batches_of(len(self._cases) * self._settings.patches, self._settings.batch_size)

    def __iter__(self) -> Iterator[MaskedBatch]:
        random = generator(self._seed, "patches", self._epoch)
        drawn = [(index, number) for index in range(len(self._cases)) for number in range(self._settings.patches)]
        for chosen in np.array_split(random.permutation(len(drawn)), len(self)):
            patches = []
            for place in chosen:
                index, number = drawn[place]
                patches.append(self._patch(self._cases[index], random, on_tumour=number % 2 == 0))
            yield collate_patches(patches)

    def _patch(self, case: CoarseCase, random: np.random.Generator, *, on_tumour: bool) -> CoarseCase:
        size = self._settings.patch_cells
        highest = np.array(case.values.shape) - size
        start = random.integers(0, highest + 1)
        tumour = np.argwhere(case.target) if case.target is not None and on_tumour else np.zeros((0, 3), int)
        if len(tumour):
            inner = tumour[random.integers(len(tumour))] - random.integers(size // 4, size - size // 4, 3)
            start = np.clip(inner, 0, highest)
        patch = patch_at(case, start, size)
        mirrored = self._training.flip and random.random() < 0.5
        gain = 1 + random.uniform(-1, 1) * self._training.intensity
        values, target = (
            None if part is None else part[::-1] if mirrored else part for part in (patch.values, patch.target)
        )
        assert values is not None
        return CoarseCase(
            np.clip(values * np.float32(gain), 0, 1), target, patch.label, patch.case_id, patch.patient_id
        )


def patch_at(case: CoarseCase, start: NDArray[np.intp], size: int) -> CoarseCase:
    """The patch of `size` cells along each edge from the cell `start` on.

    A patch that holds less than `SEEN_SHARE` of the case's tumour has label -1: its class cannot be told.
    """
    part = tuple(slice(int(first), int(first) + size) for first in start)
    target = None if case.target is None else case.target[part]
    seen = target is not None and case.target is not None and target.sum() >= SEEN_SHARE * case.target.sum()
    return CoarseCase(case.values[part], target, case.label if seen else -1, case.case_id, case.patient_id)


def collate_patches(patches: Sequence[CoarseCase]) -> MaskedBatch:
    """Patches of one size as a batch."""
    images = np.stack([patch.values for patch in patches])[:, None]
    targets = np.stack([np.zeros_like(patch.values) if patch.target is None else patch.target for patch in patches])
    labels = torch.tensor([patch.label for patch in patches])
    return MaskedBatch(
        torch.from_numpy(images),
        torch.from_numpy(targets[:, None].astype(np.float32)),
        torch.tensor([patch.target is not None for patch in patches]),
        torch.tensor([patch.values.shape for patch in patches]),
        labels.clamp_min(0),
        labels >= 0,
    )


class PatchValidation:
    """Two patches a case of the validation part, about the middles of tumour and body: the same every epoch."""

    def __init__(self, cases: Sequence[CoarseCase], settings: UnetSettings) -> None:
        self._cases = cases
        self._size = settings.patch_cells

    def __len__(self) -> int:
        return len(self._cases)

    def __iter__(self) -> Iterator[MaskedBatch]:
        for case in self._cases:
            middles = [np.array(case.values.shape) / 2]
            if case.target is not None and case.target.any():
                middles.append(np.argwhere(case.target).mean(axis=0))
            starts = [patch_start(middle, case.values.shape, self._size) for middle in middles]
            yield collate_patches([patch_at(case, start, self._size) for start in starts])


def patch_start(middle: NDArray[np.float64], shape: tuple[int, ...], size: int) -> NDArray[np.intp]:
    """First cell (3,) of the patch about the cell `middle` (3,), moved inside a volume of `shape`."""
    return np.clip(np.rint(middle - size / 2), 0, np.array(shape) - size).astype(np.intp)
