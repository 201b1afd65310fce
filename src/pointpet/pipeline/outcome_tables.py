"""The outcome stage's own tables, and what study.json says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pointpet.core import derive_seed
from pointpet.evaluate.classification import fold_mean
from pointpet.evaluate.intervals import statistic_interval
from pointpet.evaluate.outcome_summary import OUTCOME_MEASURES, outcome_cells
from pointpet.evaluate.survival import concordance, hazard_ratio, log_rank_p
from pointpet.io.artefacts import write_csv
from pointpet.methods.rpet3d import MODEL
from pointpet.pipeline.outcome import OutcomeResults
from pointpet.pipeline.outcome_tasks import Rows

OUTCOME_COLUMNS = (
    "method", "label", "endpoint", "case_id", "fold", "probability", "prediction", "truth", "model", "threshold",
)  # fmt: skip
MODEL_COLUMNS = (
    "method", "label", "endpoint", "model", "cases", "events", "candidates", "variables", "events_per_variable",
    "events_per_candidate",
    *(f"{name}_{part}" for name in OUTCOME_MEASURES for part in ("mean", "sd", "lo", "hi")),
)  # fmt: skip
FOLD_COLUMNS = (
    "method", "label", "endpoint", "model", "fold", "cases", "events", "candidates", "variables",
    "events_per_variable", "events_per_candidate", "threshold", "parameters", "selected",
)  # fmt: skip
SITE_COLUMNS = (
    "method", "label", "endpoint", "site", "cases", "events", "auc", "auc_lo", "auc_hi", "accuracy", "sensitivity",
    "specificity", "note",
)  # fmt: skip
SURVIVAL_COLUMNS = ("method", "label", "case_id", "fold", "risk", "high", "time_days", "event")
RISK_COLUMNS = (
    "method", "label", "cases", "events", "high", "concordance_mean", "concordance_sd", "concordance_lo",
    "concordance_hi", "hazard_ratio", "hazard_ratio_lo", "hazard_ratio_hi", "log_rank_p",
)  # fmt: skip

_BOOTSTRAP_RESAMPLES = 500
"""Concordance is counted pair by pair in each draw."""


def write_outcome_tables(
    folder: Path, results: OutcomeResults, model: str, patients: Mapping[str, str], *, seed: int
) -> pd.DataFrame:
    """Write the tables that have rows.

    Args:
        folder: STUDY/tables. model: the one of features that stands in tables/outcome.csv.
        patients: case id to patient id.

    Returns:
        tables/outcome.csv.
    """
    everything = pd.DataFrame(results.cases, columns=list(OUTCOME_COLUMNS))
    outcome = everything.loc[everything["model"].isin([model, MODEL]).to_numpy(bool)]
    write_csv(folder / "outcome.csv", outcome)
    if results.cases:
        write_csv(folder / "outcome_all_models.csv", everything)
        write_csv(folder / "outcome_models.csv", _model_rows(everything, results.folds, patients, seed), MODEL_COLUMNS)
        write_csv(folder / "outcome_folds.csv", results.folds, FOLD_COLUMNS)
    if results.sites:
        write_csv(folder / "outcome_sites.csv", results.sites, SITE_COLUMNS)
    if results.survival:
        survival = pd.DataFrame(results.survival, columns=list(SURVIVAL_COLUMNS))
        write_csv(folder / "survival.csv", survival)
        write_csv(folder / "survival_groups.csv", _risk_rows(survival, patients, seed), RISK_COLUMNS)
    return outcome


def outcome_record(results: OutcomeResults, model: str) -> dict[str, Any]:
    """The part `outcome` of study.json: the model, what was asked of which class, and the rows that are no method."""
    return {
        "model": model,
        "questions": [asdict(question) for question in results.questions],
        "references": list(results.references),
    }


def _model_rows(cases: pd.DataFrame, folds: Rows, patients: Mapping[str, str], seed: int) -> Rows:
    """A row a method, class, endpoint and model: counts as means over folds, then the measures."""
    rows = []
    for key, own in _groups(cases, ("method", "label", "endpoint", "model")):
        records = [row for row in folds if all(row[name] == value for name, value in key.items())]
        counts = {
            name: float(np.mean([row[name] for row in records])) if name in records[0] else None
            for name in ("candidates", "variables", "events_per_variable", "events_per_candidate")
        }
        counts |= {"cases": len(own), "events": int(own["truth"].to_numpy().sum())}
        rows.append(key | counts | outcome_cells(own, patients, seed=seed))
    return rows


def _risk_rows(survival: pd.DataFrame, patients: Mapping[str, str], seed: int) -> Rows:
    """A row a method and class: concordance over folds, the groups' hazard ratio and log-rank test within folds."""
    rows = []
    for key, own in _groups(survival, ("method", "label")):
        time, event, fold = (own[name].to_numpy() for name in ("time_days", "event", "fold"))
        ratio = hazard_ratio(time, event, own["high"].to_numpy(), fold)
        row = key | {"cases": len(own), "events": int(event.sum()), "high": int(own["high"].to_numpy().sum())}
        row |= _concordance_cells(own, patients, derive_seed(seed, *key.values()))
        if ratio is not None:
            row |= {"hazard_ratio": ratio.value, "hazard_ratio_lo": ratio.low, "hazard_ratio_hi": ratio.high}
        rows.append(row | {"log_rank_p": log_rank_p(time, event, own["high"].to_numpy(), fold)})
    return rows


def _concordance_cells(cases: pd.DataFrame, patients: Mapping[str, str], seed: int) -> dict[str, float | None]:
    time, event, risk, fold = (cases[name].to_numpy() for name in ("time_days", "event", "risk", "fold"))

    def by_fold(rows: np.ndarray) -> list[float | None]:
        parts = [rows[fold[rows] == number] for number in np.unique(fold)]
        return [concordance(time[part], event[part], risk[part]) if len(part) else None for part in parts]

    over_folds = fold_mean(by_fold(np.arange(len(cases))))
    groups = [patients.get(str(case_id), str(case_id)) for case_id in cases["case_id"]]
    interval, _ = statistic_interval(
        lambda rows: fold_mean(by_fold(rows)).mean, groups, seed=seed, n_resamples=_BOOTSTRAP_RESAMPLES
    )
    limits = (None, None) if interval is None else (interval.low, interval.high)
    names = ("concordance_mean", "concordance_sd", "concordance_lo", "concordance_hi")
    return dict(zip(names, (over_folds.mean, over_folds.sd, *limits), strict=True))


def _groups(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """Rows by the values of some columns, in order of first appearance."""
    found = []
    for values in dict.fromkeys(zip(*(frame[name] for name in columns), strict=True)):
        key = dict(zip(columns, values, strict=True))
        chosen = np.logical_and.reduce([(frame[name] == value).to_numpy(bool) for name, value in key.items()])
        found.append((key, frame.loc[chosen]))
    return found
