"""How the scans of a cohort were acquired: facts of each, their summary, and the flow of cases into a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pointpet.core import Case, Cohort
from pointpet.image.acquisition_qc import Remark, acquisition_remarks, voxel_remark
from pointpet.image.body import body_median_suv
from pointpet.image.liver import liver_suv
from pointpet.io.pet import PetReading

if TYPE_CHECKING:
    from pointpet.pipeline.prepare import PreparedCohort

MEASURES = ("uptake_min", "dose_mbq_per_kg", "glucose_mmol_l", "liver_suv", "body_median_suv")
"""What a summary tells of."""
UNKNOWN = "not stated"


def acquisition_facts(reading: PetReading) -> dict[str, Any]:
    """Facts of one scan as plain values, None where not known; nothing in them tells a patient from another.

    Returns:
        `MEASURES`, `voxel_mm` (three edges), `scanner` (maker and model), and `remarks` (code and problem each).
    """
    acquisition, volume = reading.acquisition, reading.volume
    liver, median = liver_suv(volume), body_median_suv(volume)
    remarks = acquisition_remarks(acquisition, body_median=median, liver=liver)
    return {
        "uptake_min": _rounded(acquisition.uptake_s, 1, per=60.0),
        "dose_mbq_per_kg": _rounded(acquisition.dose_mbq_per_kg, 2),
        "glucose_mmol_l": _rounded(acquisition.glucose_mmol_l, 1),
        "liver_suv": _rounded(liver, 2),
        "body_median_suv": _rounded(median, 3),
        "voxel_mm": [round(float(edge), 2) for edge in volume.spacing_mm],
        "scanner": acquisition.scanner or None,
        "remarks": [asdict(remark) for remark in remarks],
    }


def _rounded(value: float | None, digits: int, per: float = 1.0) -> float | None:
    return None if value is None else round(float(value) / per, digits)


def summarise(facts: Iterable[tuple[Case, Mapping[str, Any]]]) -> dict[str, Any]:
    """Sum up the scans of a cohort.

    Returns:
        `scans`: their number. `measures`: name to `known` (number of scans), `median`, `lo`, `hi`; null where none is
        known. `sites`, `scanners`, `voxels`: name to number of scans. `remarks`: code to number of scans.
    """
    pairs = [(case, one) for case, one in facts if one]
    return {
        "scans": len(pairs),
        "measures": {name: _spread([one.get(name) for _, one in pairs]) for name in MEASURES},
        "sites": _counted(case.site or UNKNOWN for case, _ in pairs),
        "scanners": _counted(one.get("scanner") or UNKNOWN for _, one in pairs),
        "voxels": _counted(_edges(one["voxel_mm"]) for _, one in pairs),
        "remarks": _counted(remark["code"] for _, one in pairs for remark in one["remarks"]),
    }


def voxel_remarks(facts: Iterable[Mapping[str, Any]]) -> list[Remark]:
    """One remark for each unusual size of voxels."""
    counts = Counter(tuple(one["voxel_mm"]) for one in facts if one)
    remarks = (voxel_remark(edges, count) for edges, count in sorted(counts.items()))
    return [remark for remark in remarks if remark is not None]


def cohort_flow(manifest: Cohort, prepared: PreparedCohort) -> dict[str, Any]:
    """Cases into a study: how many the manifest names, which were excluded and why, how the others were acquired.

    Returns:
        `cases`, `patients`: of the manifest. `excluded`: a list of `case_id`, `code`, `reason`. `included`: number of
        cases. `acquisition`: see `summarise`.
    """
    excluded = [
        {"case_id": case_id, "code": error.code, "reason": f"{error.subject}: {error.problem}"}
        for case_id, error in prepared.failures
    ]
    unlabelled = [case.case.case_id for case in prepared.cases if case.case.label is None]
    excluded += [{"case_id": name, "code": "PP-CHECK-LABEL", "reason": "has no label"} for name in unlabelled]
    included = [case for case in prepared.cases if case.case.label is not None]
    return {
        "cases": len(manifest),
        "patients": len({case.patient_id for case in manifest}),
        "excluded": sorted(excluded, key=lambda one: one["case_id"]),
        "included": len(included),
        "acquisition": summarise((case.case, case.facts) for case in included),
    }


def _spread(stated: Sequence[float | None]) -> dict[str, Any]:
    known = np.array([value for value in stated if value is not None], np.float64)
    if not known.size:
        return {"known": 0, "median": None, "lo": None, "hi": None}
    return {
        "known": int(known.size),
        "median": round(float(np.median(known)), 3),
        "lo": float(known.min()),
        "hi": float(known.max()),
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _edges(voxel_mm: Sequence[float]) -> str:
    return " x ".join(f"{edge:.2f}" for edge in voxel_mm) + " mm"
