"""Simple rivals that learn nothing: fixed thresholds on the whole scan, and one click grown at 41 %.

`suv25`, `suv40` and `fixed41` take every voxel of the scan over the threshold, organs too: that is what a threshold
without a human does. The outline rules of the same names in `pointpet.localise` keep the component at a click instead.
`click41` has a click on the test case; the others are given nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointpet.core import Flag, GeometryError, Mask, Prediction, Volume
from pointpet.localise import LocaliseSettings, segment_point
from pointpet.methods.base import CaseInput, FitContext, Given, Supervision

if TYPE_CHECKING:
    from pointpet.learn.settings import TrainingSettings


@dataclass(frozen=True)
class WholeScanThreshold:
    """Every voxel of the scan at or over a threshold.

    Args:
        name, summary: as the command line shows them.
        threshold_suv: the SUV threshold, from the volume.
    """

    name: str
    summary: str
    threshold_suv: Callable[[Volume], float]
    supervision: Supervision = field(default_factory=Supervision)

    def fit(self, training: Sequence[CaseInput], context: FitContext) -> WholeScanThreshold:  # noqa: ARG002
        """Return itself: there is nothing to learn."""
        return self

    def load(self, folder: Path) -> WholeScanThreshold:  # noqa: ARG002
        """Return itself: there is nothing to read."""
        return self

    def save(self, folder: Path) -> None:
        """Write nothing: there are no parameters."""

    @property
    def training_record(self) -> Mapping[str, Any]:
        """Empty: there was no training."""
        return {}

    def predict(self, case: CaseInput) -> Prediction:
        """Threshold the whole scan.

        Raises:
            GeometryError: the case has no volume.
        """
        volume = _volume(case)
        voxels = volume.voxels >= np.float32(self.threshold_suv(volume))
        flags = () if voxels.any() else (Flag.EMPTY,)
        return Prediction(case_id=case.case_id, mask=Mask(voxels, volume.affine), flags=flags)


@dataclass(frozen=True)
class ClickGrow:
    """The component at the click over 41 % of the local maximum within 10 mm of it.

    Args:
        name, summary: as the command line shows them.
        settings: of the one-click step.
    """

    name: str = "click41"
    summary: str = "One click on the test case, region grown at 41 % of the local maximum"
    settings: LocaliseSettings = field(default_factory=LocaliseSettings)
    supervision: Supervision = field(default_factory=lambda: Supervision(testing=frozenset({Given.POINT})))

    def fit(self, training: Sequence[CaseInput], context: FitContext) -> ClickGrow:  # noqa: ARG002
        """Return itself: there is nothing to learn."""
        return self

    def load(self, folder: Path) -> ClickGrow:  # noqa: ARG002
        """Return itself: there is nothing to read."""
        return self

    def save(self, folder: Path) -> None:
        """Write nothing: there are no parameters."""

    @property
    def training_record(self) -> Mapping[str, Any]:
        """Empty: there was no training."""
        return {}

    def predict(self, case: CaseInput) -> Prediction:
        """Grow from each click; without a click the mask is empty.

        Raises:
            GeometryError: the case has no volume, or a click lies outside it.
        """
        volume = _volume(case)
        found = [segment_point(volume, point, rule="click41", settings=self.settings) for point in case.points_mm]
        voxels = np.zeros(volume.voxels.shape, bool)
        for one in found:
            voxels |= one.mask.voxels
        raised = {flag for one in found for flag in one.flags} - {Flag.EMPTY}
        raised |= set() if voxels.any() else {Flag.EMPTY}
        return Prediction(
            case_id=case.case_id,
            mask=Mask(voxels, volume.affine),
            seeds_mm=np.array([one.seed_mm for one in found]).reshape(-1, 3),
            flags=tuple(flag for flag in Flag if flag in raised),
        )


def build_suv25(training: TrainingSettings | None, localising: LocaliseSettings) -> WholeScanThreshold:  # noqa: ARG001
    """SUV 2.5 over the whole scan."""
    return WholeScanThreshold("suv25", "SUV 2.5 over the whole scan", lambda _: 2.5)


def build_suv40(training: TrainingSettings | None, localising: LocaliseSettings) -> WholeScanThreshold:  # noqa: ARG001
    """SUV 4.0 over the whole scan."""
    return WholeScanThreshold("suv40", "SUV 4.0 over the whole scan", lambda _: 4.0)


def build_fixed41(training: TrainingSettings | None, localising: LocaliseSettings) -> WholeScanThreshold:  # noqa: ARG001
    """41 % of the scan's maximum over the whole scan."""
    return WholeScanThreshold(
        "fixed41",
        "41 % of the scan's maximum over the whole scan",
        lambda volume: 0.41 * float(volume.voxels.max()),
    )


def build_click41(training: TrainingSettings | None, localising: LocaliseSettings) -> ClickGrow:  # noqa: ARG001
    """One click, grown at 41 %."""
    return ClickGrow(settings=localising)


def _volume(case: CaseInput) -> Volume:
    if case.load_volume is None:
        raise GeometryError(
            "PP-METHOD-VOLUME", case.case_id, "this method needs a 3D PET, got ready-made pictures", "Leave it out"
        )
    return case.load_volume()
