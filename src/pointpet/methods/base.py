"""The Protocol that every method follows, and the view of a case that a method is given.

A method never sees a `Case`: the pipeline builds a `CaseInput` that holds what the method declares and nothing else, so
that a test case's point, label or mask cannot reach a method that must not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Candidates, Mask, MipPair, Plane, Prediction, TurnedMips, Volume


class Given(StrEnum):
    """What a method is given of a case beside the PET."""

    LABEL = "class label"
    POINT = "one point"
    MASK = "mask"


@dataclass(frozen=True)
class Supervision:
    """What a method is given in training and at test time, beside the PET itself."""

    training: frozenset[Given] = frozenset()
    testing: frozenset[Given] = frozenset()

    @property
    def trains(self) -> bool:
        """True where the method learns from training cases at all."""
        return bool(self.training)

    @staticmethod
    def text(given: frozenset[Given]) -> str:
        """`given` as a table's cell."""
        return " + ".join(item.value for item in Given if item in given) or "none"


@dataclass(frozen=True, eq=False)
class CaseInput:
    """What a method may see of one case.

    Args:
        case_id, patient_id: who.
        mips: MIPs at the prepared pixel size; None for methods that did not ask.
        load_turned: reads the MIPs of the turned patient, further views to learn from; none for ready-made pictures.
        load_volume: reads the SUV volume; None for ready-made pictures.
        load_candidates: gives the places where uptake stands out; None for ready-made pictures.
        label: class name, where declared.
        points_mm: (N, 3) world RAS+ mm, where declared; (0, 3) otherwise.
        pixels: plane to (N, 2) fractional (row, column) of the points in `mips`, where declared.
        load_mask: reads the reference mask, where declared.
        load_picture_masks: reads the 2D reference masks of ready-made pictures, plane to (U, Z), where declared.
    """

    case_id: str
    patient_id: str
    mips: MipPair | None = None
    load_turned: Callable[[], Sequence[TurnedMips]] = tuple
    load_volume: Callable[[], Volume] | None = None
    load_candidates: Callable[[], Candidates] | None = None
    label: str | None = None
    points_mm: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    pixels: Mapping[Plane, NDArray[np.float64]] = field(default_factory=dict)
    load_mask: Callable[[], Mask] | None = None
    load_picture_masks: Callable[[], Mapping[Plane, NDArray[np.bool_]]] | None = None


@dataclass(frozen=True)
class FitContext:
    """What training needs beside its cases.

    Args:
        seed: enters every random choice.
        classes: class names, in the order of the scores.
        lesion_free: classes without lesions (controls): their predicted masks are empty.
        preprocessing: how the MIPs were made; kept in the model so that a new scan is treated alike.
        cohort: facts of the training cases, see `pipeline.training_facts`, kept in the model and told on its card.
        checkpoint_dir: where an interrupted training left its state; None to keep none.
        report: called with (done, total, message) as training goes on.
    """

    seed: int
    classes: tuple[str, ...] = ()
    lesion_free: tuple[str, ...] = ()
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    cohort: Mapping[str, Any] = field(default_factory=dict)
    checkpoint_dir: Path | None = None
    report: Callable[[int, int, str], None] | None = None

    @property
    def record(self) -> dict[str, Any]:
        """What a model keeps of it, as JSON can hold it."""
        return {
            "lesion_free": list(self.lesion_free),
            "preprocessing": dict(self.preprocessing),
            "cohort": dict(self.cohort),
        }


@runtime_checkable
class FittedMethod(Protocol):
    """A method ready to predict.

    Attributes:
        training_record: `parameters`, `epochs`, `seconds` and what else training has to say; empty where none was.
    """

    @property
    def training_record(self) -> Mapping[str, Any]:
        """See the class."""
        ...

    def predict(self, case: CaseInput) -> Prediction:
        """Answer for one case; `case` holds what `Supervision.testing` declares."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model folder (nothing for methods without parameters)."""
        ...


@runtime_checkable
class Method(Protocol):
    """A way from training cases to masks.

    Attributes:
        name: as the command line spells it.
        summary: one line.
        supervision: what it is given.
    """

    name: str
    summary: str
    supervision: Supervision

    def fit(self, training: Sequence[CaseInput], context: FitContext) -> FittedMethod:
        """Learn from the training cases of one fold."""
        ...

    def load(self, folder: Path) -> FittedMethod:
        """Read back what `FittedMethod.save` wrote."""
        ...
