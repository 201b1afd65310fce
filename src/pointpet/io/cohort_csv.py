"""cohort.csv and points.csv: read with every fault reported at once, and written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from pointpet.core import Case, Cohort, CohortError, Faults, Plane
from pointpet.core.cohort import CASE_ID
from pointpet.io.artefacts import write_csv
from pointpet.io.cohort_cells import FORMULA_STARTS, Row, Table, read_table

POINTS_NAME = "points.csv"
PHANTOM_RECORD = "phantom.json"
"""Beside cohort.csv: says that the cohort is a phantom, how to make it again, and what is known of it."""
WORLD = ("x_mm", "y_mm", "z_mm")
PIXELS = {plane: (f"{plane}_row", f"{plane}_col") for plane in Plane}
OUTCOME_PREFIX = "outcome_"

_HEADER_NUMBERS = ("weight_kg", "height_m", "dose_bq", "glucose_mmol_l")
_PICTURES = tuple(f"mip_{plane}" for plane in Plane)
_PICTURE_MASKS = tuple(f"mask_{plane}" for plane in Plane)
_PICTURE_OPTIONS = ("pixel_mm", "mip_scale", "mip_inverted")
_PIXEL_COLUMNS = tuple(column for columns in PIXELS.values() for column in columns)
_BEFORE_OUTCOMES = ("case_id", "patient_id", "site", "pet", "pet_units", "label", *WORLD, "mask")
_AFTER_OUTCOMES = (
    "time_days", "event", "weight_kg", "height_m", "sex", "dose_bq", "injection_time", "glucose_mmol_l",
    *_PICTURES, *_PICTURE_OPTIONS, *_PIXEL_COLUMNS, *_PICTURE_MASKS, "mask_resample", "mask_roi",
)  # fmt: skip
COLUMNS = (*_BEFORE_OUTCOMES, *_AFTER_OUTCOMES)
"""Every column pointpet knows, in the order it writes them; `outcome_NAME` stands between mask and time_days."""

NIFTI_ENDINGS = (".nii", ".nii.gz")
PICTURE_ENDINGS = (".png", ".npy")


@dataclass
class _Points:
    """Points of one case, the main lesion first."""

    world: list[tuple[float, ...]] = field(default_factory=list)
    pixels: dict[Plane, list[tuple[float, ...]]] = field(default_factory=dict)


def read_cohort(path: Path, *, require_files: bool = True) -> Cohort:
    """Read cohort.csv and, where it stands beside it, points.csv.

    Args:
        path: the CSV file, UTF-8; relative paths in it start at its folder.
        require_files: every path must exist; false to judge the table alone.

    Returns:
        The cases in the file's order; columns that pointpet does not know are in `Case.extra`.

    Raises:
        CohortError: the file cannot be read as a table at all.
        Faults: everything wrong with its rows and with those of points.csv, each with row, column, value and remedy.
    """
    path = Path(path)
    table = read_table(path)
    if not table.rows:
        raise CohortError("PP-COHORT-EMPTY", table.name, "has no cases", "Add one row a case")
    beside = path.parent / POINTS_NAME
    further = read_table(beside) if beside.is_file() else None
    _check_columns(table)
    _check_ids(table)
    points = {row.cells["case_id"]: _first_points(row) for row in table.rows if row.cells.get("case_id")}
    if further is not None:
        _add_points(further, table, points)
    cases = [_case(row, points.get(row.cells.get("case_id", ""), _Points()), require_files) for row in table.rows]
    faults = [*table.faults, *(further.faults if further is not None else [])]
    if faults:
        raise Faults(table.name, faults)
    content = [file.read_bytes() for file in (path, beside) if file.is_file()]
    digest = hashlib.sha256(b"\0".join(content)).hexdigest()
    source = "phantom" if (path.parent / PHANTOM_RECORD).is_file() else "files"
    return Cohort(tuple(case for case in cases if case is not None), digest, source, tuple(table.columns))


def _check_columns(table: Table) -> None:
    """A column that every case needs is missed once, not row by row."""
    if not _has_images(table):
        table.fault(
            "COLUMN",
            table.name,
            f"has no column pet (nor mip_coronal, mip_sagittal), got: {named_columns(table.columns)}",
            "Rename the column that names the scans, or add it",
        )


def _has_images(table: Table) -> bool:
    return bool({"pet", *_PICTURES} & set(table.columns))


def named_columns(columns: Sequence[str]) -> str:
    """Columns for a message; one that pointpet does not know with the known one that it may be meant for."""
    return ", ".join(column if _is_known(column) else suspected_column(column) for column in columns)


def suspected_column(column: str) -> str:
    """An unknown column, and the known one that it may be meant for, which would be blank without a word."""
    plain = column.lower().replace(" ", "_").replace("-", "_")
    known = {name.replace("_", ""): name for name in COLUMNS}
    close = get_close_matches(plain.replace("_", ""), known, n=1, cutoff=0.8)
    return f"{column} (meant for {known[close[0]]}?)" if close else column


def _check_ids(table: Table) -> None:
    """Every case has an id of its own, fit to be a folder's name."""
    first: dict[str, int] = {}
    for row in table.rows:
        case_id = row.cells.get("case_id", "")
        if not CASE_ID.fullmatch(case_id) or case_id.startswith(FORMULA_STARTS):
            row.fault(
                "ID", "case_id", "must be 1 to 64 letters, digits, '-' or '_', the first no '-'", "Rename the case"
            )
        elif case_id in first:
            row.fault("DUPLICATE", "case_id", f"must be unique, row {first[case_id]} has it too", "Rename one of them")
        first.setdefault(case_id, row.number)


def _first_points(row: Row) -> _Points:
    """The points that a row of cohort.csv or points.csv gives."""
    points = _Points()
    world = row.numbers(WORLD)
    if world is not None:
        points.world.append(world)
    for plane, columns in PIXELS.items():
        pixel = row.numbers(columns, at_least=0)
        if pixel is not None:
            points.pixels.setdefault(plane, []).append(pixel)
    return points


def _add_points(further: Table, table: Table, points: dict[str, _Points]) -> None:
    """Append the rows of points.csv to the cases' points."""
    rows = {row.cells.get("case_id", ""): row for row in table.rows}
    for row in further.rows:
        case_id = row.cells.get("case_id", "")
        if case_id not in points:
            row.fault("UNKNOWN", "case_id", f"must be a case of {table.name}", "Correct it, or remove the row")
            continue
        if not row.given((*WORLD, *_PIXEL_COLUMNS)):
            row.fault("POINT", "case_id", "needs a point in its row", "Fill in x_mm, y_mm, z_mm, or the pixel columns")
        _check_point_columns(row, rows[case_id])
        more = _first_points(row)
        points[case_id].world.extend(more.world)
        for plane, pixels in more.pixels.items():
            points[case_id].pixels.setdefault(plane, []).extend(pixels)


def _check_point_columns(row: Row, case: Row) -> None:
    """Millimetres belong to a PET, pixels to ready-made pictures of that view."""
    if row.given(WORLD) and case.given(_PICTURES) and not case.cells.get("pet"):
        row.fault("POINT", row.given(WORLD)[0], "is of no use with ready-made pictures", "Give the point in pixels")
    for plane, columns in PIXELS.items():
        given = row.given(columns)
        if given and not case.cells.get(f"mip_{plane}"):
            row.fault("POINT", given[0], f"needs mip_{plane}", "Give the point in x_mm, y_mm, z_mm, or the picture")


def _case(row: Row, points: _Points, require: bool) -> Case | None:
    """Build one case; None where something about it is wrong (the faults are in the table)."""
    before = len(row.table.faults)
    values: dict[str, Any] = {
        "patient_id": row.text("patient_id") or "",
        "site": row.text("site"),
        "label": row.text("label"),
        "points_mm": np.array(points.world, np.float64).reshape(-1, 3),
        "pixel_points": {plane: np.array(pixels, np.float64) for plane, pixels in points.pixels.items()},
        "outcomes": {
            column.removeprefix(OUTCOME_PREFIX): row.binary(column)
            for column in row.table.columns
            if _is_outcome(column)
        },
        "header": _header_values(row),
        "extra": {
            column: row.text(column, or_number=True) or "" for column in row.table.columns if not _is_known(column)
        },
    }
    _check_point_columns(row, row)
    values["mask_resample"] = bool(row.binary("mask_resample"))
    if values["mask_resample"] and not row.cells.get("mask", "").lower().endswith(NIFTI_ENDINGS):
        row.fault("MASK", "mask_resample", "needs a NIfTI mask", "Give the mask, or leave the cell blank")
    values["mask_roi"] = row.text("mask_roi")
    mask = row.cells.get("mask", "").lower()
    if values["mask_roi"] and (not mask or mask.endswith(NIFTI_ENDINGS)):
        row.fault("MASK", "mask_roi", "needs an RTSTRUCT or a DICOM SEG as mask", "Give it, or leave the cell blank")
    values |= _images(row, require) | _survival(row)
    case_id = row.cells.get("case_id", "")
    return None if len(row.table.faults) > before or not CASE_ID.fullmatch(case_id) else Case(case_id, **values)


def _images(row: Row, require: bool) -> dict[str, Any]:
    """The PET or the ready-made pictures, and their masks."""
    pet = row.path("pet", require=require)
    units = row.choice("pet_units", ("suv", "bqml"))
    pictures = {plane: row.path(f"mip_{plane}", require=require, endings=PICTURE_ENDINGS) for plane in Plane}
    masks = {plane: row.path(f"mask_{plane}", require=require, endings=PICTURE_ENDINGS) for plane in Plane}
    values = {
        "pet": pet,
        "pet_units": units,
        "mask": row.path("mask", require=require),
        "mips": {plane: file for plane, file in pictures.items() if file is not None},
        "mip_masks": {plane: file for plane, file in masks.items() if file is not None},
        "pixel_mm": row.number_in("pixel_mm", over=0) or 1.0,
        "mip_scale": row.number_in("mip_scale", over=0),
        "mip_inverted": bool(row.binary("mip_inverted")),
    }
    has_pet, has_pictures = bool(row.cells.get("pet")), bool(row.given(_PICTURES))
    if has_pet and has_pictures:
        row.fault("PET", "pet", f"excludes {row.given(_PICTURES)[0]}", "Give the PET, or ready-made pictures")
    elif not has_pet and not has_pictures and _has_images(row.table):
        row.fault("PET", "pet", "is missing", "Give a DICOM folder or a NIfTI file, or ready-made pictures")
    if row.cells.get("pet", "").lower().endswith(NIFTI_ENDINGS) and not row.cells.get("pet_units"):
        row.fault("UNITS", "pet_units", "is required for a NIfTI file", "Write suv or bqml")
    if has_pictures:
        _check_pictures(row)
    else:
        for column in row.given((*_PICTURE_MASKS, *_PICTURE_OPTIONS)):
            row.fault("PICTURE", column, "needs a ready-made picture", "Give mip_coronal or mip_sagittal, or remove it")
    return values


def _check_pictures(row: Row) -> None:
    """What ready-made pictures need, and exclude."""
    for plane in Plane:
        if row.cells.get(f"mask_{plane}") and not row.cells.get(f"mip_{plane}"):
            row.fault("PICTURE", f"mask_{plane}", f"needs mip_{plane}", "Give the picture, or remove the mask")
    if row.cells.get("mask"):
        row.fault("PICTURE", "mask", "is of no use with ready-made pictures", "Give mask_coronal or mask_sagittal")
    pictures = [row.cells[column].lower() for column in row.given(_PICTURES)]
    inverted = row.cells.get("mip_inverted") in ("1", "1.0")
    if inverted and any(name.endswith(".npy") for name in pictures) and not row.cells.get("mip_scale"):
        row.fault("PICTURE", "mip_scale", "is required for an inverted NPY", "Write the value that is cold")


def _survival(row: Row) -> dict[str, Any]:
    """Follow-up time and event, which make sense only together."""
    time_days, event = row.number_in("time_days", at_least=0), row.binary("event")
    given = row.given(("time_days", "event"))
    if len(given) == 1:
        other = "event" if given[0] == "time_days" else "time_days"
        row.fault("SURVIVAL", other, f"is needed beside {given[0]}", "Fill in both or none")
    return {"time_days": time_days, "event": event}


def _header_values(row: Row) -> dict[str, str | float]:
    """What stands in for header entries, where given."""
    values: dict[str, str | float | None] = {column: row.number_in(column, over=0) for column in _HEADER_NUMBERS}
    values["sex"] = row.choice("sex", ("M", "F", "O"))
    values["injection_time"] = row.text("injection_time")
    return {column: value for column, value in values.items() if value is not None}


def _is_outcome(column: str) -> bool:
    return column.startswith(OUTCOME_PREFIX) and len(column) > len(OUTCOME_PREFIX)


def _is_known(column: str) -> bool:
    return column in COLUMNS or _is_outcome(column)


def write_cohort(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write cohort.csv whole or not at all: the columns that any row has, in the order of `COLUMNS`, unknown ones last.

    Paths inside the CSV's folder are written relative to it, others as they are.

    Args:
        path: the CSV file.
        rows: column to value; None is a blank cell.
    """
    path = Path(path)
    present = list(dict.fromkeys(column for row in rows for column in row))
    known = [column for column in _BEFORE_OUTCOMES if column in present]
    known += [column for column in present if _is_outcome(column)]
    known += [column for column in _AFTER_OUTCOMES if column in present]
    columns = known + [column for column in present if column not in known]
    write_csv(path, [{key: _relative(value, path.parent) for key, value in row.items()} for row in rows], columns)


def write_points(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write points.csv whole or not at all: further points of the cases beside it."""
    columns = ("case_id", *WORLD, *_PIXEL_COLUMNS)
    write_csv(path, rows, [column for column in columns if any(column in row for row in rows) or column in WORLD])


def _relative(value: object, folder: Path) -> object:
    """A path below `folder` relative to it, with forward slashes; other values unchanged."""
    if not isinstance(value, Path):
        return value
    inside = value.is_relative_to(folder)
    return (value.relative_to(folder) if inside else value).as_posix()
