"""One training case as the network needs it. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pointpet.core import MipPair, Plane, TrainingError
from pointpet.core.volume import freeze

LEAST_PATIENTS = 2
"""Patients a class needs: one to learn from and one to choose the epoch by."""


@dataclass(frozen=True, eq=False)
class Example:
    """A case with its label and, where it has lesions, its points.

    Args:
        case_id, patient_id: who; validation is split by patient.
        mips: the MIPs at the prepared pixel size.
        label: class name.
        pixels: plane to (N, 2) fractional (row, column) of the points in `mips.picture(plane)`; a missing plane or an
            empty array means no point, and the distance loss skips that view.
        turned: the same case seen after a turn of the patient; training takes one of them in the case's place at times.
    """

    case_id: str
    patient_id: str
    mips: MipPair
    label: str
    pixels: Mapping[Plane, NDArray[np.float64]] = field(default_factory=dict)
    turned: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        pixels = {
            Plane(plane): freeze(np.array(points, np.float64).reshape(-1, 2)) for plane, points in self.pixels.items()
        }
        object.__setattr__(self, "pixels", pixels)

    def points(self, plane: Plane) -> NDArray[np.float64]:
        """(N, 2) fractional (row, column) in the view's picture; (0, 2) where there is none."""
        return self.pixels.get(plane, np.zeros((0, 2)))


def check_examples(examples: Sequence[Example], classes: Sequence[str]) -> None:
    """Stop unless a network can be trained on `examples`.

    Raises:
        TrainingError: fewer than two classes; an unknown label; a class with fewer than two patients; a case given
            twice; a point outside its picture.
    """
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise TrainingError(
            "PP-TRAIN-CLASSES",
            "classes",
            f"training needs at least two different ones, got {', '.join(classes) or 'none'}",
            "Label cases of a second class",
        )
    seen: set[str] = set()
    for example in examples:
        if example.case_id in seen:
            raise TrainingError(
                "PP-TRAIN-DUPLICATE", f"case {example.case_id}", "must be given once, got it twice", "Give it once"
            )
        seen.add(example.case_id)
        _check_example(example, classes)
    for name in classes:
        patients = {example.patient_id for example in examples if example.label == name}
        if len(patients) < LEAST_PATIENTS:
            raise TrainingError(
                "PP-TRAIN-PATIENTS",
                f"class {name}",
                f"needs at least {LEAST_PATIENTS} patients in the training cases, got {len(patients)}",
                "Label more patients of this class, or train with fewer folds",
            )


def _check_example(example: Example, classes: Sequence[str]) -> None:
    if example.label not in classes:
        raise TrainingError(
            "PP-TRAIN-LABEL",
            f"case {example.case_id}",
            f"its label must be one of {', '.join(classes)}, got {example.label!r}",
            "Correct the label",
        )
    for plane in example.mips.planes:
        size = np.array(example.mips.picture(plane).shape)
        points = example.points(plane)
        inside = np.isfinite(points) & (points >= -0.5) & (points <= size - 0.5)
        if not inside.all():
            row, column = points[~inside.all(axis=1)][0]
            raise TrainingError(
                "PP-TRAIN-POINT",
                f"case {example.case_id}",
                f"its point must lie inside the {plane} picture of {size[0]} x {size[1]} pixels, got row {row:.1f}, "
                f"column {column:.1f}",
                "Correct the point",
            )
