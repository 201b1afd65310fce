"""SUV statistics and radiomics of masks: of one, and of a cohort as FEATURES.csv with its sidecar FEATURES.json."""

from __future__ import annotations

import csv
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from pointpet._version import __version__
from pointpet.core import Case, ImageReadError, Mask, OutputError, PointpetError, Volume, text_digest
from pointpet.io.artefacts import lock_folder, read_json, write_csv, write_json
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.pet import read_any_mask
from pointpet.io.stamps import file_stamps, image_sources, read_as
from pointpet.pipeline.inputs import read_case, read_case_mask
from pointpet.pipeline.machine import describe_machine
from pointpet.pipeline.mapping import Report, Workers, map_tasks, silent
from pointpet.quantify.radiomics import FEATURES, RadiomicsSettings, radiomic_features, radiomics_backend
from pointpet.quantify.suv_statistics import SuvSummary, suv_summary

LOG = logging.getLogger(__name__)

FORMAT = "pointpet-features"
FORMAT_VERSION = 1

SUV_COLUMNS = tuple(item.name for item in fields(SuvSummary))
SUV_UNITS = {
    "suv_max": "g/mL",
    "suv_mean": "g/mL",
    "suv_peak": "g/mL",
    "mtv_ml": "mL",
    "tlg_g": "g",
    "dmax_mm": "mm",
    "lesion_count": "",
}
CASE_COLUMNS = ("case_id", "patient_id", "label")

CONVENTIONS = {
    "suv_statistics": "on the PET's own grid, over the whole mask; suv_peak: 1 mL sphere",
    "grey_levels": "fixed bin size from SUV 0",
    "intensity_mask": "re-segmented to SUV 0 and more",
    "aggregation": "3D, Chebyshev distance 1, matrices merged over directions",
}


@dataclass(frozen=True)
class QuantifyOutcome:
    """Rows of the table by case in the manifest's order, and what failed (case id, error)."""

    rows: tuple[dict[str, Any], ...]
    failures: tuple[tuple[str, PointpetError], ...]


def feature_columns() -> tuple[str, ...]:
    """Names of the features of `mask_features`, in order."""
    return (*SUV_COLUMNS, *(feature.name for feature in FEATURES))


def describe_columns() -> list[dict[str, str]]:
    """Name, title, unit and IBSI code of each feature; the code is blank where IBSI has none."""
    suv = [{"name": name, "title": "", "unit": SUV_UNITS[name], "ibsi_code": ""} for name in SUV_COLUMNS]
    radiomics = [{"name": one.name, "title": one.title, "unit": one.unit, "ibsi_code": one.code} for one in FEATURES]
    return suv + radiomics


def mask_features(volume: Volume, mask: Mask, settings: RadiomicsSettings) -> dict[str, float]:
    """SUV statistics and radiomics of one mask, by column name; NaN where undefined.

    Args:
        volume: SUV (X, Y, Z). mask: on the volume's grid, may be empty. settings: of the radiomics.

    Raises:
        GeometryError: the mask lies on another grid. MissingExtraError: no radiomics library is installed.
    """
    table = radiomic_features(volume, mask, settings)
    suv = {name: float(value) for name, value in asdict(suv_summary(volume, mask)).items()}
    return suv | dict(zip(table.names, table.values[0].tolist(), strict=True))


def quantify_cohort(
    cohort_path: Path,
    out: Path,
    settings: RadiomicsSettings,
    *,
    masks: Path | None = None,
    overwrite: bool = False,
    workers: Workers = 1,
    report: Report = silent,
) -> QuantifyOutcome:
    """Describe the mask of every case and write `out` and its sidecar; what an earlier run did, and no input has
    changed since, is not done again.

    Args:
        cohort_path: the manifest. out: the CSV file. settings: of the radiomics.
        masks: folder with CASE/mask.nii.gz; the manifest's `mask` column where absent.

    Raises:
        Faults: the manifest is wrong. MissingExtraError: no radiomics library is installed.
        OutputError: `out` is something else's, or another process writes it.
    """
    cohort = read_cohort(cohort_path)
    _check_name(out, cohort_path)
    request = {
        "format_version": FORMAT_VERSION,
        "pointpet_version": __version__,
        "settings": asdict(settings),
        "backend": asdict(radiomics_backend()),
        "masks": "cohort" if masks is None else "folder",
    }
    # Rows of an unfinished run lie here, one file a case.
    with lock_folder(out.with_name(f".{out.name}.cases")) as unfinished:
        _take_over(out, unfinished, request, overwrite=overwrite)
        task = partial(_quantify_or_reuse, masks=masks, settings=settings, unfinished=unfinished)
        records, failures = {}, []
        columns = (*CASE_COLUMNS, *feature_columns())  # one copy of the names, not one that came with each row
        for case, record, error in map_tasks(
            task, cohort.cases, workers=workers, report=report, describe=lambda case: case.case_id
        ):
            if error is None:
                records[case.case_id] = record | {"row": {name: record["row"][name] for name in columns}}
            else:
                failures.append((case.case_id, error.about(f"case {case.case_id}")))
        ordered = [records[case.case_id] for case in cohort if case.case_id in records]
        _write_table(out, request | {"cohort_digest": cohort.digest}, ordered, failures)
        for path in unfinished.glob("*.json"):
            path.unlink()
    shutil.rmtree(unfinished, ignore_errors=True)
    return QuantifyOutcome(tuple(record["row"] for record in ordered), tuple(failures))


def _check_name(out: Path, cohort_path: Path) -> None:
    if out.suffix.lower() != ".csv":
        raise OutputError("PP-FEATURES-NAME", out.name, "must end in .csv", "Name the table NAME.csv")
    if out.resolve() == cohort_path.resolve():
        raise OutputError("PP-OUTPUT-PRECIOUS", out.name, "is the manifest", "Choose another name")


def _write_table(
    out: Path,
    made_from: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    failures: Sequence[tuple[str, PointpetError]],
) -> None:
    """Write the table, then what it means; a killed run leaves a sidecar whose inputs are those of an older table."""
    write_csv(out, [record["row"] for record in records], columns=(*CASE_COLUMNS, *feature_columns()))
    warnings = [(record["row"]["case_id"], text) for record in records for text in record["warnings"]]
    sidecar = {
        "format": FORMAT,
        **made_from,
        "conventions": CONVENTIONS,
        "columns": describe_columns(),
        "cases": {record["row"]["case_id"]: record["inputs"] for record in records},
        "warnings": [{"case_id": name, "message": text} for name, text in warnings],
        "failures": [{"case_id": name, "code": error.code, "message": str(error)} for name, error in failures],
        "machine": describe_machine(),
    }
    write_json(out.with_suffix(".json"), sidecar)


def quantify_case(case: Case, settings: RadiomicsSettings, *, masks: Path | None = None) -> dict[str, Any]:
    """Read a case's PET and mask and describe it.

    Returns:
        `row`: what the table holds of it; `warnings`: what reading the PET brought up.

    Raises:
        ImageReadError: no PET, no mask, one that cannot be read, or an empty one of the manifest.
        SuvError: no SUV without guessing. GeometryError: the mask lies on another grid.
    """
    path = _mask_path(case, masks)
    reading = read_case(case)
    # A prediction may be empty; a reference mask may not, and its row says whether it is to be resampled.
    mask = read_case_mask(case, reading.volume) if masks is None else read_any_mask(path, reading.volume)
    row = {"case_id": case.case_id, "patient_id": case.patient_id, "label": case.label}
    return {"row": row | mask_features(reading.volume, mask, settings), "warnings": list(reading.warnings)}


def _mask_path(case: Case, masks: Path | None) -> Path:
    path = case.mask if masks is None else masks / case.case_id / "mask.nii.gz"
    if path is None or not path.exists():
        where = "in the manifest" if masks is None else f"in {masks.name}"
        raise ImageReadError("PP-CASE-MASK", "mask", f"there is none {where}", "Fill in `mask`, or give --masks DIR")
    return path


def _quantify_or_reuse(
    case: Case, *, masks: Path | None, settings: RadiomicsSettings, unfinished: Path
) -> dict[str, Any]:
    inputs = _inputs_digest(case, _mask_path(case, masks))
    place = unfinished / f"{case.case_id}.json"
    if place.is_file():
        known = read_json(place)
        if known["inputs"] == inputs:
            return known
    record = {"inputs": inputs, **quantify_case(case, settings, masks=masks)}
    write_json(place, record)
    LOG.info("%s: %.1f mL", case.case_id, record["row"]["mtv_ml"])
    return record


def _inputs_digest(case: Case, mask: Path) -> str:
    """Changes with the files' sizes and times, and with what the manifest says of how to read them."""
    facts = file_stamps([*image_sources(case), mask])
    return text_digest([facts, read_as(case), case.mask_resample, case.mask_roi, case.patient_id, case.label])


def _take_over(out: Path, unfinished: Path, request: Mapping[str, Any], *, overwrite: bool) -> None:
    """Lay an earlier run's rows where the new run looks for them, or refuse what is not this command's.

    Raises:
        OutputError: the table exists and was made otherwise, and `overwrite` is not set.
    """
    marker, sidecar = unfinished / ".request.json", out.with_suffix(".json")
    if not marker.is_file() or read_json(marker) != request:
        for path in unfinished.glob("*.json"):
            path.unlink()
        write_json(marker, request)
    if not out.exists() and not sidecar.exists():
        return
    known = read_json(sidecar) if sidecar.is_file() and out.is_file() else {}
    if known.get("format") == FORMAT and {name: known.get(name) for name in request} == request:
        _restore_rows(out, known, unfinished)
    elif not overwrite:
        raise OutputError(
            "PP-OUTPUT-EXISTS",
            out.name,
            "exists, and other settings, masks or versions made it or its sidecar",
            "Choose another name, or pass --overwrite",
        )


def _restore_rows(out: Path, known: Mapping[str, Any], unfinished: Path) -> None:
    with out.open(encoding="utf-8", newline="") as file:
        rows: Sequence[dict[str, str]] = list(csv.DictReader(file))
    warnings: dict[str, list[str]] = {}
    for item in known["warnings"]:
        warnings.setdefault(item["case_id"], []).append(item["message"])
    for row in rows:
        case_id = row["case_id"]
        place = unfinished / f"{case_id}.json"
        if case_id not in known["cases"] or place.exists():
            continue
        values: dict[str, Any] = {name: row[name] or None for name in CASE_COLUMNS}
        values |= {name: float(row[name]) if row[name] else None for name in feature_columns()}
        record = {"inputs": known["cases"][case_id], "row": values, "warnings": warnings.get(case_id, [])}
        write_json(place, record)
