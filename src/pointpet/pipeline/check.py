"""Reads everything a cohort names and reports every fault at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pointpet.core import Case, Cohort, CohortError, Faults, GeometryError, Grid, PointpetError, Volume
from pointpet.image.picture_body import pixel_correction, trunk_shares
from pointpet.io.cohort_csv import read_cohort, suspected_column
from pointpet.io.mip_pictures import read_mip_pictures, read_picture_mask
from pointpet.io.pet import PetReading
from pointpet.pipeline.acquisition import acquisition_facts, summarise, voxel_remarks
from pointpet.pipeline.inputs import read_case, read_case_mask
from pointpet.pipeline.mapping import Report, Workers, attempt, map_tasks, silent
from pointpet.pipeline.prepare import require_points_inside


@dataclass(frozen=True)
class CheckReport:
    """One row a case that could be read; every fault and warning found.

    Args:
        rows: per-case facts. faults, warnings: code, subject (a case or a file) and message.
        by_label: class to number of cases. acquisition: the cohort's scans summed up, see `summarise`.
    """

    rows: tuple[dict[str, Any], ...]
    faults: tuple[dict[str, str], ...]
    warnings: tuple[dict[str, str], ...]
    by_label: dict[str, int]
    acquisition: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def check_cohort(
    cohort_path: Path, *, strict: bool = False, workers: Workers = 1, report: Report = silent
) -> CheckReport:
    """Read manifest, images and masks; nothing is written.

    Args:
        cohort_path: the manifest.
        strict: reinterpretations of a header (grams, MBq, rebuilt dates) count as faults.
    """
    cohort, faults = _read_manifest(cohort_path)
    if cohort is None:
        return CheckReport((), tuple(_entry(fault) for fault in faults), (), {})
    rows, warnings = {}, []
    for case, found, error in map_tasks(
        partial(_check_case, strict=strict), cohort.cases, workers=workers, report=report, describe=_case_id
    ):
        if error is not None:
            faults.append(error.about(f"case {case.case_id}"))
            continue
        rows[case.case_id] = found[0]
        faults += found[1]
        warnings += found[2]
    scans = [(case, rows[case.case_id]) for case in cohort if case.case_id in rows]
    measured = [(case, row) for case, row in scans if "voxel_mm" in row]
    warnings += _cohort_warnings(cohort) + _picture_warnings(cohort, rows.values())
    warnings += [
        CohortError(remark.code, "cohort", remark.problem, "Hold it against the protocol")
        for remark in voxel_remarks(row for _, row in measured)
    ]
    return CheckReport(
        tuple(row for _, row in scans),
        tuple(_entry(fault) for fault in faults),
        tuple(_entry(item) for item in warnings),
        {name: sum(case.label == name for case in cohort) for name in cohort.classes},
        summarise(measured),
    )


def _read_manifest(path: Path) -> tuple[Cohort | None, list[PointpetError]]:
    """The cases that can be looked at, and the manifest's faults: a file that is gone hides no fault of the others."""
    try:
        return read_cohort(path), []
    except PointpetError as error:
        faults = list(error.faults) if isinstance(error, Faults) else [error]
    try:
        cohort = read_cohort(path, require_files=False)
    except PointpetError:
        return None, faults
    there = [_without_missing_masks(case) for case in cohort if _is_there(case)]
    return (replace(cohort, cases=tuple(there)) if there else None), faults


def _is_there(case: Case) -> bool:
    return all(path.exists() for path in (case.pet, *case.mips.values()) if path is not None)


def _without_missing_masks(case: Case) -> Case:
    mask = case.mask if case.mask is not None and case.mask.exists() else None
    return replace(case, mask=mask, mip_masks={plane: path for plane, path in case.mip_masks.items() if path.exists()})


def _case_id(case: Case) -> str:
    return case.case_id


def _entry(fault: PointpetError) -> dict[str, str]:
    return {"code": fault.code, "subject": fault.subject, "message": str(fault)}


def _check_case(case: Case, *, strict: bool) -> tuple[dict[str, Any], list[PointpetError], list[PointpetError]]:
    if case.pet is None:
        return _check_pictures(case)
    reading = read_case(case, strict=strict)
    faults: list[PointpetError] = _point_faults(case, reading.volume.grid)
    warnings = [_warning(case, text) for text in reading.warnings]
    warnings += [_warning(case, str(note), code=note.code) for note in reading.notes]
    mask_ml, mask_faults = _check_mask(case, reading.volume)
    faults += mask_faults
    facts = acquisition_facts(reading)
    warnings += [
        CohortError(remark["code"], f"case {case.case_id}", remark["problem"], "Hold it against the protocol")
        for remark in facts["remarks"]
        if remark["code"] != "PP-QC-BODY"  # reading has warned of it already
    ]
    return _case_row(case, reading, mask_ml) | facts, faults, warnings


def _check_pictures(case: Case) -> tuple[dict[str, Any], list[PointpetError], list[PointpetError]]:
    """Ready-made pictures with their points and masks."""
    found = read_mip_pictures(case)
    mips, faults, warnings = found.mips, [], list(found.warnings)
    _, error = attempt(require_points_inside, case, mips)
    faults += [] if error is None else [error]
    pixels = {}
    for plane in case.mip_masks:
        mask, error = attempt(read_picture_mask, case, plane)
        if error is not None:
            faults.append(error)
        else:
            pixels[plane] = int(np.count_nonzero(mask))
    if pixels and not any(pixels.values()):
        warnings.append(_warning(case, "its masks hold no pixel: it counts as free of lesions", code="PP-MASK-EMPTY"))
    row = {
        "case_id": case.case_id,
        "site": case.site,
        "label": case.label,
        "points": max((len(points) for points in case.pixel_points.values()), default=0),
        "shape": " ".join("x".join(map(str, mips.picture(plane).shape)) for plane in mips.planes),
        "spacing_mm": f"{mips.pixel_mm:.2f}",
        "suv_max": round(max(float(mips.picture(plane).max()) for plane in mips.planes), 2),
        "planes": len(mips.planes),
        "mask_pixels": sum(pixels.values()) if pixels else None,
        "trunk_shares": trunk_shares(mips),
    }
    return row, faults, warnings


def _case_row(case: Case, reading: PetReading, mask_ml: float | None) -> dict[str, Any]:
    volume, acquisition = reading.volume, reading.acquisition
    return {
        "case_id": case.case_id,
        "site": case.site,
        "label": case.label,
        "points": len(case.points_mm),
        "shape": "x".join(map(str, volume.grid.shape)),
        "spacing_mm": " ".join(f"{value:.2f}" for value in volume.spacing_mm),
        "suv_max": round(float(volume.voxels.max()), 2),
        "mask_ml": mask_ml if mask_ml is None else round(mask_ml, 2),
        "weight_kg": acquisition.weight_kg,
        "dose_mbq": None if acquisition.dose_bq is None else round(acquisition.dose_bq / 1e6, 1),
        "notes": len(reading.notes),
    }


def _point_faults(case: Case, grid: Grid) -> list[PointpetError]:
    if not len(case.points_mm):
        return []
    outside = case.points_mm[~grid.contains(case.points_mm)]
    return [
        GeometryError(
            "PP-POINT-OUTSIDE",
            f"case {case.case_id}",
            f"its point must lie inside the PET, got {np.round(point, 1).tolist()} mm",
            "Correct x_mm, y_mm, z_mm (world RAS+)",
        )
        for point in outside
    ]


def _check_mask(case: Case, volume: Volume) -> tuple[float | None, list[PointpetError]]:
    if case.mask is None:
        return None, []
    try:
        mask = read_case_mask(case, volume)
    except PointpetError as error:
        return None, [error.about(f"case {case.case_id}")]
    return mask.volume_ml, []


def _warning(case: Case, problem: str, *, code: str = "PP-CHECK") -> PointpetError:
    return CohortError(code, f"case {case.case_id}", problem, "Look at the case")


def _picture_warnings(cohort: Cohort, rows: Iterable[Mapping[str, Any]]) -> list[PointpetError]:
    """What the ready-made pictures of a cohort leave open, said once."""
    warnings: list[PointpetError] = []
    unscaled = [
        case.case_id
        for case in cohort
        if case.mip_scale is None and any(path.suffix.lower() == ".png" for path in case.mips.values())
    ]
    if unscaled:
        warnings.append(
            CohortError(
                "PP-CHECK-SCALE",
                "cohort",
                f"{len(unscaled)} cases have pictures without mip_scale: their grey values are scaled by the body",
                "Give mip_scale, the SUV of the largest grey value, where it is known",
            )
        )
    correction = pixel_correction([share for row in rows for share in row.get("trunk_shares", ())])
    if correction != 1.0:
        warnings.append(
            CohortError(
                "PP-CHECK-PIXEL",
                "cohort",
                f"at the stated pixel_mm (1 where blank) bodies would be {1 / correction:.2g} times as wide as an "
                f"adult's: distances in mm are wrong by that; training takes pixels to be {correction:.2g} times as "
                "large",
                "Give pixel_mm",
            )
        )
    return warnings


def _cohort_warnings(cohort: Cohort) -> list[PointpetError]:
    warnings: list[PointpetError] = []
    for name in sorted({name for case in cohort for name in case.outcomes}):
        blank = sum(case.outcomes.get(name) is None for case in cohort)
        if blank:
            warnings.append(
                CohortError(
                    "PP-CHECK-OUTCOME",
                    "cohort",
                    f"outcome_{name} is blank in {blank} of {len(cohort)} cases, which count as unknown",
                    "Fill it in where it is known",
                )
            )
    unlabelled = [case.case_id for case in cohort if case.label is None]
    if unlabelled:
        warnings.append(
            CohortError("PP-CHECK-LABEL", "cohort", f"{len(unlabelled)} cases have no label", "Fill in `label`")
        )
    if len(cohort.classes) == 1:
        warnings.append(
            CohortError("PP-CHECK-CLASSES", "cohort", "has one class only, training needs two", "Add cases of another")
        )
    extra: Sequence[str] = sorted({name for case in cohort for name in case.extra})
    if extra:
        warnings.append(
            CohortError(
                "PP-CHECK-COLUMNS",
                "cohort.csv",
                f"has unknown columns: {', '.join(map(suspected_column, extra))}",
                "They are kept",
            )
        )
    return warnings
