"""Features of every mask of a study, each computed once and kept in STUDY/features."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pointpet._version import __version__
from pointpet.core import FeatureTable, Mask, Volume, text_digest
from pointpet.io.artefacts import read_json, write_csv, write_json
from pointpet.io.nifti import read_mask
from pointpet.io.stamps import file_stamps
from pointpet.pipeline.case_inputs import VolumeReader
from pointpet.pipeline.fold import case_folder
from pointpet.pipeline.mapping import Report, Workers, attempt, map_tasks, silent
from pointpet.pipeline.prepare import PreparedCase, PreparedCohort
from pointpet.pipeline.quantify import describe_columns, feature_columns, mask_features
from pointpet.quantify.radiomics import RadiomicsSettings, radiomics_backend

TRUE_MASK = "true_mask"
"""Name of the row that reads features from the reference masks: it tells what the outlines cost."""


@dataclass(frozen=True, eq=False)
class FeatureTask:
    """One case: the masks of all methods, and the reference mask where there is one."""

    study: Path
    prepared: PreparedCase
    methods: tuple[str, ...]
    settings: RadiomicsSettings


def study_features(
    study: Path,
    prepared: PreparedCohort,
    methods: Sequence[str],
    settings: RadiomicsSettings,
    *,
    workers: Workers = 1,
    report: Report = silent,
) -> tuple[dict[str, FeatureTable], list[dict[str, Any]]]:
    """Features of each method's masks and of the reference masks; what is known of an unchanged mask is kept.

    Returns:
        Method (and `TRUE_MASK`) to table, cases in the cohort's order; methods without masks are absent. And failures:
        case_id, stage, method, code, message.
    """
    tasks = [FeatureTask(study, case, tuple(methods), settings) for case in prepared.cases if case.case.pet is not None]
    found: dict[str, dict[str, Mapping[str, float]]] = {}
    failures: list[dict[str, Any]] = []
    for task, result, error in map_tasks(
        case_features, tasks, workers=workers, report=report, describe=lambda task: task.prepared.case.case_id
    ):
        rows, failed = result if error is None else ({}, [_failure(task.prepared.case.case_id, "", error)])
        failures += failed
        for method, row in rows.items():
            found.setdefault(method, {})[task.prepared.case.case_id] = row
    order = [case.case.case_id for case in prepared.cases]
    tables = {}
    for method in (*methods, TRUE_MASK):
        if method in found:
            tables[method] = _table({case_id: found[method][case_id] for case_id in order if case_id in found[method]})
            _write(study / "features" / f"{method}.csv", tables[method])
    return tables, sorted(failures, key=lambda item: (item["case_id"], item["method"]))


def case_features(task: FeatureTask) -> tuple[dict[str, Mapping[str, float]], list[dict[str, Any]]]:
    """Features of one case by method, and what failed."""
    reader = VolumeReader()
    case = task.prepared.case
    masks = {name: case_folder(task.study, name, case.case_id) / "mask.nii.gz" for name in task.methods}
    rows: dict[str, Mapping[str, float]] = {}
    # Methods may come to the same mask (an empty one, or a threshold that two share): described once.
    by_mask: dict[str, Mapping[str, float]] = {}
    failures = []
    for name, path in masks.items():
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            load = partial(_read, reader, task.prepared, path)
            rows[name], error = attempt(_kept, task, name, digest, load, by_mask)
            if error is not None:
                failures.append(_failure(case.case_id, name, error))
    if case.mask is not None:
        digest = text_digest([file_stamps([case.mask]), task.prepared.pixel_hash])
        rows[TRUE_MASK], error = attempt(
            _kept, task, TRUE_MASK, digest, lambda: (reader.volume(task.prepared), reader.mask(task.prepared)), by_mask
        )
        if error is not None:
            failures.append(_failure(case.case_id, TRUE_MASK, error))
    return {name: row for name, row in rows.items() if row is not None}, failures


def _kept(
    task: FeatureTask, method: str, mask_digest: str, load: Any, by_mask: dict[str, Mapping[str, float]]
) -> Mapping[str, float]:
    """The features on file, or of another method's equal mask, where image and settings are the same; else computed."""
    path = task.study / "features" / ".cases" / method / f"{task.prepared.case.case_id}.json"
    made_by = [asdict(radiomics_backend()), __version__, feature_columns()]
    digest = text_digest([mask_digest, task.prepared.pixel_hash, asdict(task.settings), made_by])
    if path.is_file():
        known = read_json(path)
        if known["digest"] == digest:
            by_mask[digest] = {name: np.nan if value is None else value for name, value in known["features"].items()}
            return by_mask[digest]
    if digest not in by_mask:
        volume, mask = load()
        row = mask_features(volume, mask, task.settings)
        by_mask[digest] = {name: value if np.isfinite(value) else np.nan for name, value in row.items()}
    row = by_mask[digest]
    write_json(path, {"digest": digest, "features": {k: v if np.isfinite(v) else None for k, v in row.items()}})
    return row


def _read(reader: VolumeReader, prepared: PreparedCase, path: Path) -> tuple[Volume, Mask]:
    volume = reader.volume(prepared)
    return volume, read_mask(path, volume)


def _table(rows: Mapping[str, Mapping[str, float]]) -> FeatureTable:
    columns = describe_columns()
    names, units, codes = (tuple(column[key] for column in columns) for key in ("name", "unit", "ibsi_code"))
    values = np.array([[row[name] for name in names] for row in rows.values()])
    return FeatureTable(tuple(rows), names, units, codes, values)


def _write(path: Path, table: FeatureTable) -> None:
    rows = [
        {"case_id": case_id, **dict(zip(table.names, values.tolist(), strict=True))}
        for case_id, values in zip(table.case_ids, table.values, strict=True)
    ]
    write_csv(path, rows, ("case_id", *table.names))


def _failure(case_id: str, method: str, error: Any) -> dict[str, Any]:
    return {"case_id": case_id, "stage": "features", "method": method, "code": error.code, "message": str(error)}
