"""The study's tables, built from the result of each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pointpet.core import Fold
from pointpet.evaluate.case_measures import MEASURES
from pointpet.evaluate.class_summary import summarise_classes
from pointpet.evaluate.summary import compare, summarise
from pointpet.evaluate.trust import CONFIDENCE_COLUMNS, trust_table
from pointpet.io.artefacts import read_json, write_csv
from pointpet.pipeline.fold import case_folder
from pointpet.pipeline.outcome import OutcomeResults
from pointpet.pipeline.outcome_tables import write_outcome_tables
from pointpet.report.study_folder import file_stem

CLASSIFICATION_COLUMNS = ("method", "case_id", "fold", "truth", "predicted")


def collect_results(study: Path, methods: Sequence[str], folds: Sequence[Fold]) -> list[dict[str, Any]]:
    """Every result.json of the study, by method, then fold, then case."""
    results = []
    for method in methods:
        for fold in folds:
            paths = [case_folder(study, method, case_id) / "result.json" for case_id in fold.test]
            results += [read_json(path) for path in paths if path.is_file()]
    return results


def write_tables(
    study: Path, results: Sequence[Mapping[str, Any]], record: Mapping[str, Any], outcomes: OutcomeResults
) -> None:
    """Write tables/*.csv."""
    segmentation = pd.DataFrame([_segmentation_row(result) for result in results])
    classification = pd.DataFrame(
        [_classification_row(result) for result in results if result["predicted"] is not None],
        columns=None if any(result["predicted"] for result in results) else list(CLASSIFICATION_COLUMNS),
    )
    patients = pd.read_csv(study / "folds.csv", dtype=str).set_index("case_id")["patient_id"].to_dict()
    folder = study / "tables"
    write_csv(folder / "segmentation.csv", segmentation)
    write_csv(folder / "classification.csv", classification)
    named = summarise_classes(classification, record["methods"], lesion_free=record["lesion_free"])
    write_csv(folder / "classification_summary.csv", named)
    seed, model = record["seed"], record["config"]["outcome"]["model"]
    outcome = write_outcome_tables(folder, outcomes, model, patients, seed=seed)
    methods = [*record["methods"], *outcomes.references]
    tables = summarise(
        segmentation,
        classification,
        methods,
        patients=patients,
        seed=seed,
        outcome=outcome,
        endpoints=outcomes.endpoints(),
    )
    confidence = pd.DataFrame(
        [_confidence_row(result) for result in results if result.get("confidence") is not None],
        columns=list(CONFIDENCE_COLUMNS),
    )
    if len(confidence):
        write_csv(folder / "confidence.csv", confidence)
        write_csv(folder / "risk_coverage.csv", trust_table(confidence, patients, seed=seed))
    for label, table in tables.items():
        write_csv(folder / f"table_{file_stem(label)}.csv", table)
    comparisons = compare(segmentation, methods, patients=patients, seed=seed, outcome=outcome)
    write_csv(folder / "comparisons.csv", comparisons)


def _segmentation_row(result: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: result[name] for name in ("method", "label", "case_id", "fold")}
    return row | {name: result["measures"].get(name) for name in MEASURES}


def _classification_row(result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": result["method"],
        "case_id": result["case_id"],
        "fold": result["fold"],
        "truth": result["label"],
        "predicted": result["predicted"],
        **{f"probability_{name}": value for name, value in result["probabilities"].items()},
    }


def _confidence_row(result: Mapping[str, Any]) -> dict[str, Any]:
    dice = result["measures"].get("dice")
    return {
        **{name: result[name] for name in ("method", "label", "case_id", "fold", "confidence")},
        "right": result["predicted"] == result["label"] and (dice is None or dice > 0),
        "dice": dice,
        "flags": len(result["flags"]),
    }
