"""Cases and cohorts as the manifest states them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointpet.core.errors import CohortError
from pointpet.core.mip import Plane
from pointpet.core.volume import freeze

CASE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Letters, digits, `-` and `_`: safe as a folder's name on every system."""

_NO_POINTS = freeze(np.zeros((0, 3)))


@dataclass(frozen=True, eq=False)
class Case:
    """One row of cohort.csv.

    Args:
        case_id: unique; letters, digits, `-`, `_`.
        patient_id: what folds group by; the case id where blank.
        pet: DICOM folder or NIfTI file; None where ready-made MIPs stand instead.
        pet_units: `suv`, `bqml`, or None (DICOM: the header says).
        label: class name, None where unknown.
        points_mm: (N, 3) world RAS+ mm, the main lesion first; (0, 3) where there is none.
        mask: reference mask; evaluation and supervised baselines only.
        mask_resample: True where the mask lies on another grid and is to be resampled.
        mask_roi: which structure or segment of `mask`, where it holds several.
        outcomes: endpoint name (`response`, without the `outcome_` prefix) to 0, 1 or None.
        header: what the PET's header lacks (`weight_kg`, `height_m`, `sex`, `dose_bq`, `injection_time`).
        mips: plane to ready-made picture file.
        pixel_mm, mip_scale, mip_inverted: how to read those pictures.
        pixel_points: plane to (N, 2) (row, column), 0-based, for ready-made pictures.
        mip_masks: plane to 2D reference mask.
        extra: columns pointpet does not know, kept as text.
    """

    case_id: str
    patient_id: str = ""
    site: str | None = None
    pet: Path | None = None
    pet_units: str | None = None
    label: str | None = None
    points_mm: NDArray[np.float64] = field(default_factory=lambda: _NO_POINTS)
    mask: Path | None = None
    outcomes: Mapping[str, int | None] = field(default_factory=dict)
    time_days: float | None = None
    event: int | None = None
    header: Mapping[str, str | float] = field(default_factory=dict)
    mips: Mapping[Plane, Path] = field(default_factory=dict)
    pixel_mm: float = 1.0
    mip_scale: float | None = None
    mip_inverted: bool = False
    pixel_points: Mapping[Plane, NDArray[np.float64]] = field(default_factory=dict)
    mip_masks: Mapping[Plane, Path] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    mask_resample: bool = False
    mask_roi: str | None = None

    def __post_init__(self) -> None:
        if not CASE_ID.fullmatch(self.case_id):
            raise CohortError(
                "PP-COHORT-ID",
                "case_id",
                f"must be 1 to 64 letters, digits, '-' or '_', got {self.case_id!r}",
                "Rename the case",
            )
        if not self.patient_id:
            object.__setattr__(self, "patient_id", self.case_id)
        points = np.asarray(self.points_mm, np.float64).reshape(-1, 3)
        object.__setattr__(self, "points_mm", freeze(points))

    @property
    def has_point(self) -> bool:
        """True where at least one lesion is clicked, in millimetres or pixels."""
        return len(self.points_mm) > 0 or any(len(points) for points in self.pixel_points.values())

    @property
    def has_truth(self) -> bool:
        """True where a reference mask exists, 3D or 2D."""
        return self.mask is not None or bool(self.mip_masks)


@dataclass(frozen=True, eq=False)
class Cohort:
    """The cases of one manifest, in its order.

    Args:
        cases: with unique ids.
        digest: identifies the manifest's bytes.
        source: `files`, or `phantom` where the scans are synthetic.
        columns: of the manifest, in its order; empty where the cases come from none.
    """

    cases: tuple[Case, ...]
    digest: str = ""
    source: str = "files"
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "cases", tuple(self.cases))
        ids = [case.case_id for case in self.cases]
        repeated = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
        if repeated:
            raise CohortError(
                "PP-COHORT-DUPLICATE", "case_id", f"must be unique, repeated: {', '.join(repeated)}", "Rename them"
            )

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def __getitem__(self, case_id: str) -> Case:
        return self._by_id[case_id]

    @cached_property
    def _by_id(self) -> Mapping[str, Case]:
        return {case.case_id: case for case in self.cases}

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted({case.label for case in self.cases if case.label is not None}))

    def select(self, case_ids: set[str] | frozenset[str]) -> Cohort:
        """Return the cases named, in this cohort's order."""
        return replace(self, cases=tuple(case for case in self.cases if case.case_id in case_ids))


def text_digest(value: object) -> str:
    """SHA-256 of `value` as canonical JSON: equal content, equal hash."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
