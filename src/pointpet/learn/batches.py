"""Views of training cases, their split into training and validation, and the batches of an epoch.

Order and augmentation of an epoch follow from the seed and the epoch's number alone, so that a training that goes on
from a checkpoint sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Plane, generator
from pointpet.learn.augment import augmented
from pointpet.learn.backend import torch
from pointpet.learn.example import Example
from pointpet.learn.pictures import network_input
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.transplant import Transplants, transplanted
from pointpet.learn.validation import validation_patients

NOTHING = Transplants()


@dataclass(frozen=True, eq=False)
class View:
    """One view of a case as the network sees it.

    Args:
        values: (H, W) float32 in [0, 1], sides multiples of the map's stride.
        points: (N, 2) fractional (row, column) in `values`; (0, 2) where there is none.
        plane: which view. label: the class's index. case_id, patient_id: whose.
        turned: the same view after turns of the patient.
        own_label: the class of the case itself, where a transplanted lesion gave the view another one.
    """

    values: NDArray[np.float32]
    points: NDArray[np.float64]
    plane: Plane
    label: int
    case_id: str
    patient_id: str
    turned: tuple[View, ...] = ()
    own_label: int | None = None


class _Turnable(Protocol):
    @property
    def turned(self) -> tuple[Any, ...]:
        """Views of the same kind, of the patient turned; none where there are no turns."""
        ...


Turnable = TypeVar("Turnable", bound=_Turnable)
"""A view that knows what it looks like after turns of the patient."""


class Batch(NamedTuple):
    """Views padded to one size.

    Args:
        images: (B, 1, H, W) float32. sizes: (B, 2) each view's own rows and columns.
        points: (B, N, 2) in pixels of `images`, NaN where a view has fewer. labels: (B,).
        coronal: (B,) bool. own_labels: (B,) classes of the cases, whatever was transplanted into their views.
    """

    images: torch.Tensor
    sizes: torch.Tensor
    points: torch.Tensor
    labels: torch.Tensor
    coronal: torch.Tensor
    own_labels: torch.Tensor


def views_of(examples: Sequence[Example], classes: Sequence[str], settings: TrainingSettings) -> list[View]:
    """All views of `examples`, ordered by case id, so that the order of loading has no influence."""
    views = []
    for example in sorted(examples, key=lambda item: item.case_id):
        for plane in example.mips.planes:
            turned = tuple(_view(other, plane, classes, settings) for other in example.turned)
            views.append(replace(_view(example, plane, classes, settings), turned=turned))
    return views


def _view(example: Example, plane: Plane, classes: Sequence[str], settings: TrainingSettings) -> View:
    values, frame = network_input(example.mips.picture(plane), example.mips.pixel_mm, settings)
    return View(
        values,
        frame.to_input(example.points(plane)),
        plane,
        classes.index(example.label),
        example.case_id,
        example.patient_id,
    )


class OfPatient(Protocol):
    """Something to learn from that belongs to a patient."""

    @property
    def patient_id(self) -> str:
        """Whose."""
        ...

    @property
    def label(self) -> int:
        """The class's index."""
        ...


Part = TypeVar("Part", bound=OfPatient)


def split_validation(views: Sequence[Part], share: float, seed: int) -> tuple[list[Part], list[Part]]:
    """Split into training and validation part by patient, within each class (a patient's class is its first view's).

    See `validation_patients`.
    """
    patients: dict[str, int] = {}
    for view in views:
        patients.setdefault(view.patient_id, view.label)
    held = validation_patients(patients, share, seed)
    training = [view for view in views if view.patient_id not in held]
    return training, [view for view in views if view.patient_id in held]


def collate(views: Sequence[View]) -> Batch:
    """Pad `views` with 0 to one size."""
    sizes = torch.tensor([view.values.shape for view in views])
    height, width = sizes.amax(0).tolist()
    most = max(1, *(len(view.points) for view in views))
    images = torch.zeros(len(views), 1, height, width)
    points = torch.full((len(views), most, 2), torch.nan)
    for index, view in enumerate(views):
        images[index, 0, : view.values.shape[0], : view.values.shape[1]] = torch.from_numpy(view.values)
        points[index, : len(view.points)] = torch.from_numpy(view.points).float()
    return Batch(
        images,
        sizes,
        points,
        torch.tensor([view.label for view in views]),
        torch.tensor([view.plane is Plane.CORONAL for view in views]),
        torch.tensor([view.label if view.own_label is None else view.own_label for view in views]),
    )


class TrainingBatches:
    """The shuffled, augmented batches of one epoch; iterable more than once with one result.

    Args:
        transplants: lesions to show in views of controls.
    """

    def __init__(
        self,
        views: Sequence[View],
        settings: TrainingSettings,
        *,
        seed: int,
        epoch: int,
        transplants: Transplants = NOTHING,
    ) -> None:
        self._views = views
        self._settings = settings.in_epoch(epoch)
        self._transplants = transplants
        self._seed = seed
        self._epoch = epoch

    def __len__(self) -> int:
        return batches_of(len(self._views), self._settings.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        random = generator(self._seed, "augmentation", self._epoch)
        choices = generator(self._seed, "transplant", self._epoch)
        for chosen in shuffled(self._views, len(self), seed=self._seed, epoch=self._epoch):
            batch = collate(list(transplanted(chosen, self._transplants, self._settings, choices)))
            images, points = augmented(
                batch.images,
                batch.sizes,
                batch.points,
                batch.coronal,
                settings=self._settings,
                random=random,
            )
            yield batch._replace(images=images, points=points)


def shuffled(views: Sequence[Turnable], batches: int, *, seed: int, epoch: int) -> Iterator[list[Turnable]]:
    """The views of an epoch in random order, batch by batch; each is itself or one of its turned ones, as likely."""
    order = generator(seed, "order", epoch).permutation(len(views))
    turns = generator(seed, "turn", epoch).random(len(views))
    for chosen in np.array_split(order, batches):
        sights = [(views[index], *views[index].turned) for index in chosen]
        yield [sight[int(turns[index] * len(sight))] for index, sight in zip(chosen, sights, strict=True)]


class ValidationBatches:
    """The validation part in its own order, unchanged."""

    def __init__(self, views: Sequence[View], batch_size: int) -> None:
        self._views = views
        self._batch_size = batch_size

    def __len__(self) -> int:
        return batches_of(len(self._views), self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self._views), self._batch_size):
            yield collate(self._views[start : start + self._batch_size])


def batches_of(views: int, batch_size: int) -> int:
    """Batches that `views` make, the last one included."""
    return -(-views // batch_size)
