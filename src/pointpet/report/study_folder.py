"""What a study left on disk, read back for its report."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pointpet.core import OutputError

SEGMENTATION_COLUMNS = ("method", "label", "case_id", "fold", "dice", "hit", "hit_strict", "distance_mm", "fp_ml")
CLASSIFICATION_COLUMNS = ("method", "case_id", "fold", "truth", "predicted")
COMPARISON_COLUMNS = ("label", "measure", "method_a", "method_b", "difference", "lo", "hi", "p", "p_corrected", "n")
FOLD_COLUMNS = ("case_id", "patient_id", "fold")

OPTIONAL_TABLES = {
    "outcome": ("method", "label", "endpoint", "case_id", "fold", "probability", "prediction", "truth"),
    "outcome_models": ("method", "label", "endpoint", "model", "events_per_variable", "events_per_candidate"),
    "outcome_sites": ("method", "label", "endpoint", "site", "cases", "events", "auc", "note"),
    "survival": ("method", "label", "case_id", "fold", "risk", "high", "time_days", "event"),
    "survival_groups": ("method", "label", "cases", "events", "high", "hazard_ratio", "log_rank_p"),
    "confidence": ("method", "label", "case_id", "fold", "confidence", "right", "dice", "flags"),
    "risk_coverage": ("method", "label", "cases", "area", "random", "best", "gain", "failures", "failures_flagged"),
    "annotation_budget": ("label", "method", "part", "size", "patients", "minutes", "dice_mean", "dice_lo", "dice_hi"),
}
"""Tables that a study may lack, and the columns that the report needs of each."""

PROBABILITY = "probability_"
_TEXT_COLUMNS = (
    *("method", "label", "case_id", "patient_id", "predicted"),
    *("endpoint", "model", "site", "note", "size"),
)


@dataclass(frozen=True, eq=False)
class Answer:
    """One method's answer for one case: its result.json and, where there is one, its picture."""

    method: str
    case_id: str
    label: str | None
    fold: int
    predicted: str | None
    flags: tuple[str, ...]
    measures: Mapping[str, float | None]
    picture: Path | None


@dataclass(frozen=True, eq=False)
class Study:
    """A study as the report needs it.

    Args:
        record: study.json.
        folds, segmentation, classification, comparisons: the tables of these names.
        tables: class name to its table_LABEL.csv.
        answers: one a method and case, in the order of the methods, then of the case ids.
        optional_tables: file stem to table, for those of `OPTIONAL_TABLES` that the study has.
    """

    record: Mapping[str, Any]
    folds: pd.DataFrame
    segmentation: pd.DataFrame
    classification: pd.DataFrame
    comparisons: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    answers: tuple[Answer, ...]
    optional_tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, sorted."""
        return tuple(sorted(self.record["cohort"]["by_label"]))

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods that left any result, the proposed one first, the others in the study's order."""
        left = {*self.segmentation["method"], *self.classification["method"]}
        names = [method["name"] for method in self.record["methods"] if method["name"] in left]
        return tuple(sorted(names, key=lambda name: name != "proposed"))

    @property
    def outcome_methods(self) -> tuple[str, ...]:
        """Names of all that predicted an outcome: methods in the report's order, then those that only predict."""
        left = set(self.optional("outcome")["method"])
        rest = [row["name"] for row in (*self.record["methods"], *self.references) if row["name"] not in self.methods]
        return tuple(name for name in (*self.methods, *rest) if name in left)

    @property
    def references(self) -> tuple[Mapping[str, Any], ...]:
        """What outcomes are held against and is no method: `name`, `summary`, `training_input`, `test_input`."""
        return tuple(self.record.get("outcome", {}).get("references", ()))

    def optional(self, table: str) -> pd.DataFrame:
        """One of `OPTIONAL_TABLES`; an empty one where the study has none."""
        return self.optional_tables.get(table, pd.DataFrame(columns=list(OPTIONAL_TABLES[table])))

    @property
    def patients(self) -> dict[str, str]:
        """Case id to patient id. For grouping only: a report never shows a patient id."""
        return dict(zip(self.folds["case_id"], self.folds["patient_id"], strict=True))

    def cases(self, method: str, label: str | None = None) -> pd.DataFrame:
        """Rows of the segmentation table of one method, of all classes or one."""
        rows = _where(self.segmentation, "method", method)
        return rows if label is None else _where(rows, "label", label)

    def of_label(self, label: str) -> pd.DataFrame:
        """Rows of the segmentation table of one class."""
        return _where(self.segmentation, "label", label)

    def named(self, method: str) -> pd.DataFrame:
        """Rows of the classification table of one method."""
        return _where(self.classification, "method", method)

    def compared(self, measure: str) -> pd.DataFrame:
        """Rows of the comparisons of one measure."""
        return _where(self.comparisons, "measure", measure)


def read_study(folder: Path) -> Study:
    """Read a STUDY folder.

    Raises:
        OutputError: a file is missing, is not what it should be, or lacks a column.
    """
    record = _read_record(folder)
    tables = folder / "tables"
    study = Study(
        record=record,
        folds=_read_table(folder / "folds.csv", FOLD_COLUMNS),
        segmentation=_read_table(tables / "segmentation.csv", SEGMENTATION_COLUMNS),
        classification=_read_table(tables / "classification.csv", CLASSIFICATION_COLUMNS, text=("truth",)),
        comparisons=_read_table(tables / "comparisons.csv", COMPARISON_COLUMNS),
        tables={
            label: _read_table(tables / f"table_{file_stem(label)}.csv", ("method", "dice_mean"))
            for label in sorted(record["cohort"]["by_label"])
        },
        answers=(),
        optional_tables={
            stem: _read_table(tables / f"{stem}.csv", columns)
            for stem, columns in OPTIONAL_TABLES.items()
            if (tables / f"{stem}.csv").is_file()
        },
    )
    order = [method["name"] for method in record["methods"]]
    return Study(**{**study.__dict__, "answers": tuple(_read_answers(folder, order))})


def file_stem(label: str) -> str:
    """A class name as part of a file's name: all but letters, digits, `-` and `_` becomes `_`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", label)


def numbers(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """The values of a column that are not blank."""
    values = frame[column].astype(float).to_numpy()
    return values[np.isfinite(values)]


def _where(frame: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    return frame.loc[(frame[column] == value).to_numpy(bool)]


def value_or_none(value: object) -> float | None:
    """A cell as a number; None where blank."""
    return None if value is None or not np.isfinite(number := float(value)) else number  # type: ignore[arg-type]


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / "study.json"
    if not path.is_file():
        raise OutputError("PP-REPORT-MISSING", "study.json", "is not in this folder", "Give the folder of a study")
    try:
        record = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise OutputError(
            "PP-REPORT-RECORD", "study.json", f"must be JSON, got: {error}", "Run the study again"
        ) from error
    missing = [name for name in ("methods", "cohort", "folds", "seed") if name not in record]
    if missing:
        raise OutputError(
            "PP-REPORT-RECORD", "study.json", f"lacks {', '.join(missing)}", "Run the study again with this version"
        )
    return record


def _read_table(path: Path, columns: tuple[str, ...], text: tuple[str, ...] = ()) -> pd.DataFrame:
    if not path.is_file():
        raise OutputError("PP-REPORT-MISSING", path.name, "is not in this study", "Run the study to its end")
    frame = pd.read_csv(
        path, dtype=dict.fromkeys((*_TEXT_COLUMNS, *text), "str"), keep_default_na=False, na_values=[""]
    )
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise OutputError(
            "PP-REPORT-COLUMN",
            path.name,
            f"needs the columns {', '.join(columns)}, lacks {', '.join(missing)}",
            "Run the study again with this version",
        )
    return frame


def _read_answers(folder: Path, methods: list[str]) -> list[Answer]:
    answers = []
    for method in methods:
        for path in sorted((folder / "predictions" / method).glob("*/result.json")):
            result = json.loads(path.read_text("utf-8"))
            picture = path.with_name("mip.png")
            answers.append(
                Answer(
                    method=method,
                    case_id=result["case_id"],
                    label=result["label"],
                    fold=result["fold"],
                    predicted=result["predicted"],
                    flags=tuple(result["flags"]),
                    measures=result["measures"],
                    picture=picture if picture.is_file() else None,
                )
            )
    return answers
