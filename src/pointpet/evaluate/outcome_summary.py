"""Cells and rows that outcome prediction adds to the study's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from pointpet.core import derive_seed
from pointpet.evaluate.comparisons import holm
from pointpet.evaluate.outcome_measures import (
    Answers,
    OutcomeDifference,
    compare_accuracy,
    compare_auc,
    measure_outcome,
)

OUTCOME_MEASURES = ("accuracy", "sensitivity", "specificity", "auc")
"""Measures of outcome prediction: columns of every table, blank where no outcome was predicted."""

_COMPARED = {"auc": compare_auc, "accuracy": compare_accuracy}


def read_answers(cases: pd.DataFrame, patients: Mapping[str, str]) -> Answers:
    """One method's rows of tables/outcome.csv of one endpoint, in the order of the case ids."""
    cases = cases.sort_values("case_id")
    return Answers(
        truth=cases["truth"].to_numpy(int) == 1,
        prediction=cases["prediction"].to_numpy(int) == 1,
        probability=cases["probability"].to_numpy(float),
        folds=cases["fold"].to_numpy(int),
        patients=[patients.get(str(case_id), str(case_id)) for case_id in cases["case_id"]],
    )


def outcome_cells(cases: pd.DataFrame, patients: Mapping[str, str], *, seed: int) -> dict[str, float | None]:
    """`NAME_mean`, `_sd`, `_lo`, `_hi` of each outcome measure of one method and endpoint.

    `seed` is the study's: the draws follow from it and the endpoint alone, so that one and the same measure has one
    interval in every table.
    """
    cells: dict[str, float | None] = {}
    own = derive_seed(seed, str(cases["endpoint"].iloc[0]))
    for name, measure in measure_outcome(read_answers(cases, patients), seed=own).items():
        limits = (None, None) if measure.interval is None else (measure.interval.low, measure.interval.high)
        cells |= {f"{name}_mean": measure.over_folds.mean, f"{name}_sd": measure.over_folds.sd}
        cells |= {f"{name}_lo": limits[0], f"{name}_hi": limits[1]}
    return cells


def compare_outcomes(
    outcome: pd.DataFrame, methods: Sequence[str], reference: str, patients: Mapping[str, str], *, seed: int
) -> list[dict[str, object]]:
    """Rows of tables/comparisons.csv: AUC and accuracy of the reference minus those of each other method.

    Over the cases that both methods predicted. One family of Holm's correction is the methods of one label, endpoint
    and measure. The first method stands in where the reference has no predictions.
    """
    rows: list[dict[str, object]] = []
    for label, endpoint in sorted(set(zip(outcome["label"], outcome["endpoint"], strict=True))):
        cases = _where(_where(outcome, "label", label), "endpoint", endpoint)
        present = [name for name in methods if name in set(cases["method"])]
        first = reference if reference in present else present[0]
        for measure in _COMPARED:
            key = {"label": label, "measure": measure, "method_a": first, "endpoint": endpoint}
            family = []
            for name in present:
                found = None if name == first else _difference(cases, measure, first, name, patients, seed)
                if found is not None:
                    family.append(key | {"method_b": name} | _cells(found))
            tested = [row for row in family if row["p"] is not None]
            for row, corrected in zip(tested, holm([float(row["p"]) for row in tested]), strict=True):  # type: ignore[arg-type]
                row["p_corrected"] = corrected
            rows += family
    return rows


def _difference(
    cases: pd.DataFrame, measure: str, first: str, other: str, patients: Mapping[str, str], seed: int
) -> OutcomeDifference | None:
    own, rival = _where(cases, "method", first), _where(cases, "method", other)
    shared = sorted(set(own["case_id"]) & set(rival["case_id"]))
    if not shared:
        return None
    a, b = (read_answers(rows.loc[rows["case_id"].isin(shared).to_numpy(bool)], patients) for rows in (own, rival))
    return _COMPARED[measure](a, b, seed=derive_seed(seed, measure, first, other))


def _where(frame: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    return frame.loc[(frame[column] == value).to_numpy(bool)]


def _cells(found: OutcomeDifference) -> dict[str, object]:
    return {"difference": found.difference, "lo": found.low, "hi": found.high, "p": found.p, "n": found.n}
