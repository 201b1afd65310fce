"""From per-case tables to the tables of a study: one per label, and the comparisons between methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pointpet.core import derive_seed
from pointpet.evaluate.classification import fold_mean
from pointpet.evaluate.comparisons import compare_paired, holm
from pointpet.evaluate.intervals import fold_mean_interval
from pointpet.evaluate.outcome_summary import OUTCOME_MEASURES, compare_outcomes, outcome_cells

REFERENCE_METHOD = "proposed"
"""The method that others are compared with; the first of the study where it is not among them."""

ALL_LABELS = "all"
"""`label` of the comparisons over all classes together."""

CASE_MEASURES = (
    "hit",
    "hit_strict",
    "distance_mm",
    "dice_hull",
    "nsd_2mm",
    "hd95_mm",
    "fp_ml",
    "fn_ml",
    "fp_cm2",
    "fn_cm2",
)
"""Per-case measures that follow the table's main columns."""

SHARES = frozenset({"hit", "hit_strict", "class_accuracy"})
"""Measures that are 1 or 0 in a case."""

COMPARED_MEASURES = ("dice", "nsd_2mm", "hd95_mm", "hit")

_STATISTICS = ("mean", "sd", "lo", "hi")


def summarise(
    segmentation: pd.DataFrame,
    classification: pd.DataFrame,
    methods: Sequence[Mapping[str, object]],
    *,
    patients: Mapping[str, str] | None = None,
    seed: int = 0,
    outcome: pd.DataFrame | None = None,
    endpoints: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, pd.DataFrame]:
    """Make the rows of tables/table_LABEL.csv.

    Args:
        segmentation, classification: the study's per-case tables.
        methods: `name`, `training_input`, `test_input` of each method, in the order of the rows.
        patients: case id to patient id; each case its own patient if absent.
        seed: of the bootstrap.
        outcome: the study's table of outcome predictions, where there is one.
        endpoints: label to its endpoints, in the order of the rows; none if absent.

    Returns:
        Label to table, a row a method and endpoint; one row a method where the label has no endpoint. Each measure has
        its mean and standard deviation over folds, and the limits of a 95 % bootstrap interval over patients (Wilson's
        for a share of 0 or 1).
        `class_accuracy` is the share of the label's cases that were classified as such. An endpoint that a method
        predicts for no case leaves the outcome's columns blank.
    """
    labels = sorted(set(segmentation["label"].dropna()) | set(classification["truth"].dropna()))
    tables: dict[str, pd.DataFrame] = {}
    for label in labels:
        rows = []
        for method in methods:
            cases = _select(segmentation, method=method["name"], label=label)
            named = _select(classification, method=method["name"], truth=label)
            predicted = _select(outcome, method=method["name"], label=label) if outcome is not None else cases.iloc[:0]
            if len(cases) or len(named) or len(predicted):
                row = _row(method, cases, named, patients or {}, derive_seed(seed, label, method["name"]))
                row["n_cases"] = row["n_cases"] or len(set(predicted["case_id"]))
                rows += _endpoint_rows(row, predicted, (endpoints or {}).get(label, ()), patients or {}, seed)
        tables[label] = pd.DataFrame(rows, columns=TABLE_COLUMNS).astype(dict.fromkeys(_NUMBER_COLUMNS, float))
    return tables


def compare(
    segmentation: pd.DataFrame,
    methods: Sequence[Mapping[str, object]],
    *,
    patients: Mapping[str, str] | None = None,
    seed: int = 0,
    outcome: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare the reference method with every other: tables/comparisons.csv.

    `difference` is `method_a` minus `method_b` over the cases that both measured; p by paired test over patients,
    Holm-corrected over the methods of one label and measure. Label `all` takes all classes together, where there are
    more than one and none has that name.

    Args: as in `summarise`.
    """
    present = set(segmentation["method"])
    names = [str(method["name"]) for method in methods if method["name"] in present]
    classes = sorted(set(segmentation["label"].dropna()))
    pooled = [ALL_LABELS] if len(classes) > 1 and ALL_LABELS not in classes else []
    rows: list[dict[str, object]] = []
    for label in [*classes, *pooled]:
        cases = _select(segmentation, label=label) if label in classes else segmentation
        for measure in COMPARED_MEASURES:
            values = pd.DataFrame(
                {name: _select(cases, method=name).set_index("case_id")[measure].astype(float) for name in names}
            )
            key = {"label": label, "measure": measure}
            rows += [key | row for row in _family(values, names, patients or {}, derive_seed(seed, label, measure))]
    if outcome is not None:
        order = [str(method["name"]) for method in methods]
        rows += compare_outcomes(outcome, order, REFERENCE_METHOD, patients or {}, seed=seed)
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def _family(
    values: pd.DataFrame, names: Sequence[str], patients: Mapping[str, str], seed: int
) -> list[dict[str, object]]:
    """Compare the reference with each other method on one measure; one family of Holm's correction."""
    reference = REFERENCE_METHOD if REFERENCE_METHOD in names else names[0]
    groups = [patients.get(str(case_id), str(case_id)) for case_id in values.index]
    rows: list[dict[str, object]] = []
    for name in names:
        if name == reference:
            continue
        result = compare_paired(
            values[reference].to_numpy(), values[name].to_numpy(), groups, seed=derive_seed(seed, name)
        )
        if result is not None:
            rows.append(
                {
                    "method_a": reference,
                    "method_b": name,
                    "difference": result.difference,
                    "lo": result.low,
                    "hi": result.high,
                    "p": result.p,
                    "n": result.n,
                    "effect": result.effect,
                }
            )
    corrected = holm([float(row["p"]) for row in rows])  # type: ignore[arg-type]
    return [row | {"p_corrected": p} for row, p in zip(rows, corrected, strict=True)]


def _endpoint_rows(
    row: dict[str, object], predicted: pd.DataFrame, endpoints: Sequence[str], patients: Mapping[str, str], seed: int
) -> list[dict[str, object]]:
    """A method's row once for each endpoint, with the measures of its predictions."""
    rows = []
    for endpoint in endpoints:
        cases = _select(predicted, endpoint=endpoint)
        cells = outcome_cells(cases, patients, seed=seed) if len(cases) else {}
        rows.append(row | {"endpoint": endpoint} | cells)
    return rows or [row]


def _row(
    method: Mapping[str, object],
    cases: pd.DataFrame,
    named: pd.DataFrame,
    patients: Mapping[str, str],
    seed: int,
) -> dict[str, object]:
    row: dict[str, object] = {name: method.get(name) for name in ("training_input", "test_input")}
    row |= {"method": method["name"], "endpoint": None, "n_cases": len(cases) or len(named)}
    for measure in ("dice", *CASE_MEASURES):
        row |= fold_statistics(measure, _numbers(cases, measure), cases, patients, seed)
    right = (named["predicted"].to_numpy() == named["truth"].to_numpy()).astype(float)
    return row | fold_statistics("class_accuracy", right, named, patients, seed)


def fold_statistics(
    name: str, values: NDArray[np.float64], cases: pd.DataFrame, patients: Mapping[str, str], seed: int
) -> dict[str, object]:
    """Mean and standard deviation over folds, and the interval's limits, of one measure, one value a case."""
    folds = cases["fold"].to_numpy()
    defined = {number: values[(folds == number) & np.isfinite(values)] for number in np.unique(folds)}
    over_folds = fold_mean([float(part.mean()) if len(part) else None for part in defined.values()])
    groups = [patients.get(str(case_id), str(case_id)) for case_id in cases["case_id"]]
    interval = fold_mean_interval(values, groups, folds, seed=derive_seed(seed, name), is_share=name in SHARES)
    limits = (None, None) if interval is None else (interval.low, interval.high)
    return dict(zip(_columns_of(name), (over_folds.mean, over_folds.sd, *limits), strict=True))


def _select(frame: pd.DataFrame, **equal: object) -> pd.DataFrame:
    """The rows whose columns hold these values."""
    chosen = np.ones(len(frame), bool)
    for column, value in equal.items():
        chosen &= (frame[column] == value).to_numpy(bool)
    return frame.loc[chosen]


def _numbers(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """A column as float64, NaN where blank."""
    return frame[column].astype(float).to_numpy()


def _columns_of(measure: str) -> list[str]:
    return [f"{measure}_{statistic}" for statistic in _STATISTICS]


_NUMBER_COLUMNS = tuple(
    column
    for measure in ("dice", *OUTCOME_MEASURES, *CASE_MEASURES, "class_accuracy")
    for column in _columns_of(measure)
)

TABLE_COLUMNS = ("method", "training_input", "test_input", "endpoint", *_NUMBER_COLUMNS, "n_cases")
"""Columns of tables/table_LABEL.csv."""

COMPARISON_COLUMNS = (
    "label",
    "measure",
    "method_a",
    "method_b",
    "difference",
    "lo",
    "hi",
    "p",
    "p_corrected",
    "n",
    "effect",
    "endpoint",
)
"""Columns of tables/comparisons.csv."""
