"""Views of training cases with the projection of their true masks, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Mask, MipPair, Plane, TurnedMips, generator, to_picture
from pointpet.learn.augment import augmented, bent
from pointpet.learn.backend import torch
from pointpet.learn.batches import batches_of, shuffled
from pointpet.learn.example import Example
from pointpet.learn.lesion_pixels import coverage, filling_pixels, filling_points, filling_spacing_mm
from pointpet.learn.pictures import network_input
from pointpet.learn.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class MaskedExample:
    """A training case with its true mask.

    Args:
        example: case, label and MIPs; its points and turned views are not looked at.
        mask: the true mask, empty for a case without lesions; None where it is unknown, and only the class is learned.
        turned: MIPs of the turned patient.
        pictures: plane to 2D mask (U, Z) of ready-made pictures, in place of `mask`.
    """

    example: Example
    mask: Mask | None
    turned: tuple[TurnedMips, ...] = ()
    pictures: Mapping[Plane, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def has_lesion(self) -> bool:
        """True where a mask holds anything."""
        flat = any(picture.any() for picture in self.pictures.values())
        return flat or (self.mask is not None and bool(self.mask.voxels.any()))


@dataclass(frozen=True, eq=False)
class MaskedView:
    """One view of a case as the network sees it.

    Args:
        values: (H, W) float32 in [0, 1], sides multiples of the coarsest level's stride.
        target: (H, W) share of each pixel under the projected mask; None where the mask is unknown.
        plane, label, case_id, patient_id: which view, of whom.
        turned: the same view after turns of the patient.
    """

    values: NDArray[np.float32]
    target: NDArray[np.float32] | None
    plane: Plane
    label: int
    case_id: str
    patient_id: str
    turned: tuple[MaskedView, ...] = ()


class MaskedBatch(NamedTuple):
    """Views or patches padded to one size; D is 2 or 3.

    Args:
        images, targets: (B, 1, ...) float32. known: (B,) bool, whether the target is.
        sizes: (B, D) each one's own size.
        labels: (B,). classed: (B,) bool, whether the class can be told from what is seen.
    """

    images: torch.Tensor
    targets: torch.Tensor
    known: torch.Tensor
    sizes: torch.Tensor
    labels: torch.Tensor
    classed: torch.Tensor


def masked_views(
    cases: Sequence[MaskedExample], classes: Sequence[str], settings: TrainingSettings
) -> list[MaskedView]:
    """All views of `cases`, ordered by case id, so that the order of loading has no influence."""
    views = []
    for case in sorted(cases, key=lambda item: item.example.case_id):
        points = (
            None if case.mask is None else filling_points(case.mask, spacing_mm=filling_spacing_mm(settings.input_mm))
        )
        label = classes.index(case.example.label)
        mips = case.example.mips
        for plane in mips.planes:
            own = _own_pixels(case, plane, settings) if points is None else mips.pixels(plane, points)
            main = _view(case.example, mips, plane, own, label, settings)
            turned = tuple(
                _view(
                    case.example,
                    seen.mips,
                    plane,
                    None if points is None else seen.pixels(plane, points),
                    label,
                    settings,
                )
                for seen in case.turned
            )
            views.append(replace(main, turned=turned))
    return views


def _own_pixels(case: MaskedExample, plane: Plane, settings: TrainingSettings) -> NDArray[np.float64] | None:
    """Points that fill a ready-made picture's 2D mask; None where it has none."""
    if plane not in case.pictures:
        return None
    spacing = filling_spacing_mm(settings.input_mm) / case.example.mips.pixel_mm
    return filling_pixels(to_picture(case.pictures[plane]), spacing=spacing)


def _view(
    example: Example,
    mips: MipPair,
    plane: Plane,
    pixels: NDArray[np.float64] | None,
    label: int,
    settings: TrainingSettings,
) -> MaskedView:
    values, frame = network_input(mips.picture(plane), mips.pixel_mm, settings)
    target = None if pixels is None else coverage(frame.to_input(pixels), (values.shape[0], values.shape[1]))
    return MaskedView(values, target, plane, label, example.case_id, example.patient_id)


def collate_masked(views: Sequence[MaskedView]) -> MaskedBatch:
    """Pad `views` with 0 to one size."""
    sizes = torch.tensor([view.values.shape for view in views])
    height, width = sizes.amax(0).tolist()
    both = torch.zeros(2, len(views), 1, height, width)
    for index, view in enumerate(views):
        for channel, values in enumerate((view.values, view.target)):
            if values is not None:
                both[channel, index, 0, : values.shape[0], : values.shape[1]] = torch.from_numpy(values)
    return MaskedBatch(
        both[0],
        both[1],
        torch.tensor([view.target is not None for view in views]),
        sizes,
        torch.tensor([view.label for view in views]),
        torch.ones(len(views), dtype=torch.bool),
    )


class MaskedBatches:
    """The shuffled, augmented batches of one epoch; iterable more than once with one result."""

    def __init__(self, views: Sequence[MaskedView], settings: TrainingSettings, *, seed: int, epoch: int) -> None:
        self._views = views
        self._settings = settings.in_epoch(epoch)
        self._seed = seed
        self._epoch = epoch

    def __len__(self) -> int:
        return batches_of(len(self._views), self._settings.batch_size)

    def __iter__(self) -> Iterator[MaskedBatch]:
        random = generator(self._seed, "augmentation", self._epoch)
        for seen in shuffled(self._views, len(self), seed=self._seed, epoch=self._epoch):
            coronal = torch.tensor([view.plane is Plane.CORONAL for view in seen])
            yield _augmented(collate_masked(seen), coronal, self._settings, random)


def _augmented(
    batch: MaskedBatch, coronal: torch.Tensor, settings: TrainingSettings, random: np.random.Generator
) -> MaskedBatch:
    """Picture and target moved together; curve of grey, intensity and noise on the picture alone."""
    still = replace(settings, gamma=0.0, intensity=0.0, noise=0.0)
    both, _ = augmented(
        torch.cat([bent(batch.images, settings, random), batch.targets], dim=1),
        batch.sizes,
        _corners(batch.targets),
        coronal,
        settings=still,
        random=random,
    )
    gains = 1 + torch.from_numpy(random.uniform(-1, 1, len(both))).float() * settings.intensity
    images = both[:, :1] * gains[:, None, None, None]
    if settings.noise > 0:
        noise = torch.from_numpy(random.standard_normal(tuple(images.shape), np.float32))
        images = images * (1 + settings.noise * noise)
    return batch._replace(images=images.clamp(0, 1), targets=both[:, 1:])


def _corners(targets: torch.Tensor) -> torch.Tensor:
    """(B, 2, 2) first and last (row, column) of each target, NaN where it is empty: no shift may push it out."""
    corners = torch.full((len(targets), 2, 2), torch.nan)
    for index, target in enumerate(targets[:, 0]):
        places = torch.nonzero(target)
        if len(places):
            corners[index] = torch.stack([places.amin(0), places.amax(0)]).float()
    return corners


class MaskedValidation:
    """The validation part in its own order, unchanged, a view a batch: as prediction sees it, without padding."""

    def __init__(self, views: Sequence[MaskedView]) -> None:
        self._views = views

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[MaskedBatch]:
        for view in self._views:
            yield collate_masked([view])
