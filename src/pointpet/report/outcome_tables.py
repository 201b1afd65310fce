"""Rows of the report's section on outcomes, written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pointpet.evaluate.classification import Interval, pr_auc, roc_auc
from pointpet.report.headline import mean_interval_of
from pointpet.report.published import published_endpoint
from pointpet.report.study_folder import Study, value_or_none
from pointpet.report.wording import (
    BLANK,
    MODEL_TITLES,
    endpoint_one,
    endpoint_title,
    limits,
    mean_sd,
    method_title,
    number,
    p_value,
    signed,
    with_interval,
)

MEASURES = ("auc", "accuracy", "sensitivity", "specificity")
FEW_EVENTS = 10.0
"""Events per variable under which a model is known to overfit (Peduzzi et al. 1996, J. Clin. Epidemiol. 49, 1373)."""

NO_INTERVAL = "not estimable"
"""In place of an interval where every draw of the bootstrap gives the same area."""

ENDPOINT_COLUMNS = (
    "Features of", "AUC", "95 % interval", "Accuracy", "Sensitivity", "Specificity", "Pooled AUC", "PR-AUC",
)  # fmt: skip
DIFFERENCE_COLUMNS = (
    "Features of", "Difference in AUC", "p", "p corrected", "Difference in accuracy", "p", "p corrected",
)  # fmt: skip
MODEL_COLUMNS = (
    "Features of", "Model", "AUC", "95 % interval", "Accuracy", "Variables", "Events per variable",
    "Events per candidate",
)  # fmt: skip
SITE_COLUMNS = ("Features of", "Site left out", "Cases", "with outcome 1", "AUC (95 % interval)", "Accuracy", "Remark")
SURVIVAL_COLUMNS = (
    "Class", "Features of", "Cases", "Events", "Concordance", "95 % interval", "High risk", "Hazard ratio",
    "Log-rank p",
)  # fmt: skip


@dataclass(frozen=True)
class EndpointSection:
    """One endpoint of one class.

    Args:
        one: what is true of the cases with the value 1, which the models predict.
        reason: why it is not evaluated; all rows are then empty.
        best_auc: the best that can be reached, of a phantom; empty otherwise.
        warning: where there are few events for the variables; empty otherwise.
        rows, differences, models, sites: `ENDPOINT_COLUMNS`, `DIFFERENCE_COLUMNS`, `MODEL_COLUMNS`, `SITE_COLUMNS`.
    """

    label: str
    title: str
    one: str
    cases: int
    events: int
    is_published: bool
    reason: str
    best_auc: str
    warning: str
    rows: list[tuple[str, ...]]
    differences: list[tuple[str, ...]]
    models: list[tuple[str, ...]]
    sites: list[tuple[str, ...]]


def endpoint_sections(study: Study) -> list[EndpointSection]:
    """One a class and endpoint that the study asked for."""
    questions = study.record.get("outcome", {}).get("questions", [])
    return [_section(study, question) for question in questions if question["endpoint"]]


def survival_rows(study: Study) -> list[tuple[str, ...]]:
    """`SURVIVAL_COLUMNS`, one a class and method."""
    rows = []
    for row in study.optional("survival_groups").to_dict("records"):
        ratio = _interval(row, "hazard_ratio", "hazard_ratio_lo", "hazard_ratio_hi")
        rows.append(
            (
                str(row["label"]),
                method_title(row["method"]),
                str(int(row["cases"])),
                str(int(row["events"])),
                mean_sd(value_or_none(row["concordance_mean"]), value_or_none(row["concordance_sd"])),
                limits(value_or_none(row["concordance_lo"]), value_or_none(row["concordance_hi"])),
                f"{int(row['high'])} of {int(row['cases'])}",
                with_interval(ratio, 1),
                p_value(value_or_none(row["log_rank_p"])),
            )
        )
    return rows


def has_reference_masks(study: Study) -> bool:
    """True where outcomes were also predicted from the reference masks."""
    return "true_mask" in study.outcome_methods


def survival_reasons(study: Study) -> list[tuple[str, str]]:
    """Class and why its survival is not evaluated."""
    questions = study.record.get("outcome", {}).get("questions", [])
    return [(q["label"], q["reason"]) for q in questions if not q["endpoint"] and q["reason"]]


def _section(study: Study, question: Mapping[str, Any]) -> EndpointSection:
    label, endpoint = question["label"], question["endpoint"]
    models = _where(study.optional("outcome_models"), label=label, endpoint=endpoint)
    best = (study.record["cohort"].get("best_auc") or {}).get(endpoint)
    return EndpointSection(
        label=label,
        title=endpoint_title(endpoint),
        one=endpoint_one(endpoint),
        cases=question["cases"],
        events=question["events"],
        is_published=endpoint == published_endpoint(label),
        reason=question["reason"],
        best_auc="" if best is None else number(best),
        warning=_warning(models),
        rows=[_row(study, label, endpoint, method) for method in _present(study, label, endpoint)],
        differences=_difference_rows(study, label, endpoint),
        models=[_model_row(row) for row in models.to_dict("records")],
        sites=[
            _site_row(row)
            for row in _where(study.optional("outcome_sites"), label=label, endpoint=endpoint).to_dict("records")
        ],
    )


def _present(study: Study, label: str, endpoint: str) -> list[str]:
    left = set(_where(study.optional("outcome"), label=label, endpoint=endpoint)["method"])
    return [method for method in study.outcome_methods if method in left]


def _row(study: Study, label: str, endpoint: str, method: str) -> tuple[str, ...]:
    table = study.tables[label]
    row = _where(table, method=method, endpoint=endpoint).to_dict("records")[0]
    cases = _where(study.optional("outcome"), label=label, endpoint=endpoint, method=method)
    truth, chance = cases["truth"].to_numpy(int) == 1, cases["probability"].to_numpy(float)
    means = {name: (value_or_none(row[f"{name}_mean"]), value_or_none(row[f"{name}_sd"])) for name in MEASURES}
    interval = mean_interval_of({str(key): value for key, value in row.items()}, "auc")
    return (
        method_title(method),
        mean_sd(*means["auc"]) if means["auc"][0] is not None else "n/a",
        _limits(means["auc"][0], interval),
        *(mean_sd(*means[name]) for name in MEASURES[1:]),
        number(roc_auc(truth, chance)),
        number(pr_auc(truth, chance)),
    )


def _limits(mean: float | None, interval: Interval | None) -> str:
    """The interval of an AUC; in words where there is an area and no interval."""
    if interval is not None:
        return limits(interval.low, interval.high)
    return "" if mean is None else NO_INTERVAL


def _difference_rows(study: Study, label: str, endpoint: str) -> list[tuple[str, ...]]:
    """`DIFFERENCE_COLUMNS` of every method that was compared with the reference method."""
    rows = []
    for method in _present(study, label, endpoint):
        cells = [cell for name in ("auc", "accuracy") for cell in _difference(study, label, endpoint, method, name)]
        if any(cell != BLANK for cell in cells):
            rows.append((method_title(method), *cells))
    return rows


def _difference(study: Study, label: str, endpoint: str, method: str, measure: str) -> tuple[str, str, str]:
    """The reference method minus this one, p and corrected p; blank for the reference method itself."""
    if "endpoint" not in study.comparisons:
        return BLANK, BLANK, BLANK
    rows = _where(study.comparisons, label=label, endpoint=endpoint, measure=measure, method_b=method)
    for row in rows.to_dict("records"):
        low, high = value_or_none(row["lo"]), value_or_none(row["hi"])
        text = f"{signed(value_or_none(row['difference']))} ({limits(low, high)})"
        return text, p_value(value_or_none(row["p"])), p_value(value_or_none(row["p_corrected"]))
    return BLANK, BLANK, BLANK


def _model_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    return (
        method_title(row["method"]),
        MODEL_TITLES.get(row["model"], str(row["model"])),
        mean_sd(value_or_none(row["auc_mean"]), value_or_none(row["auc_sd"])),
        _limits(value_or_none(row["auc_mean"]), _interval(row, "auc_mean", "auc_lo", "auc_hi")),
        mean_sd(value_or_none(row["accuracy_mean"]), value_or_none(row["accuracy_sd"])),
        number(value_or_none(row["variables"]), 1),
        number(value_or_none(row["events_per_variable"]), 1),
        number(value_or_none(row["events_per_candidate"]), 2),
    )


def _site_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    note = row["note"]
    return (
        method_title(row["method"]),
        str(row["site"]),
        str(int(row["cases"])),
        str(int(row["events"])),
        with_interval(_interval(row, "auc", "auc_lo", "auc_hi")) if value_or_none(row["auc"]) is not None else "n/a",
        number(value_or_none(row["accuracy"])),
        note if isinstance(note, str) else "",
    )


def _warning(models: pd.DataFrame) -> str:
    """A sentence where there are fewer events per variable than a stable model needs."""
    known = [float(value) for value in models["events_per_variable"] if np.isfinite(value)]
    chosen = [float(value) for value in models["events_per_candidate"] if np.isfinite(value)]
    if not known or min(*known, *chosen) >= FEW_EVENTS:
        return ""
    return (
        f"Few events: {min(known):.1f} for each variable that a model was given, {min(chosen):.2f} for each that it "
        f"could choose from; under {FEW_EVENTS:.0f} a model is likely to fit chance."
    )


def _interval(row: Mapping[Any, Any], value: str, low: str, high: str) -> Interval | None:
    numbers = [value_or_none(row[name]) for name in (value, low, high)]
    return None if any(item is None for item in numbers) else Interval(*numbers)  # type: ignore[arg-type]


def _where(frame: pd.DataFrame, **equal: object) -> pd.DataFrame:
    chosen = np.ones(len(frame), bool)
    for column, value in equal.items():
        chosen &= (frame[column] == value).to_numpy(bool)
    return frame.loc[chosen]
