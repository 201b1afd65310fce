"""How well each method tells the classes apart: tables/classification_summary.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pointpet.evaluate.classification import auc_by_fold, delong_interval, pr_auc

PROBABILITY = "probability_"

CLASS_COLUMNS = (
    "method", "class", "n", "prevalence", "auc_mean", "auc_sd", "auc_pooled", "auc_lo", "auc_hi", "pr_auc",
    "sensitivity", "specificity", "accuracy",
)  # fmt: skip
"""Columns of tables/classification_summary.csv."""


def summarise_classes(
    classification: pd.DataFrame, methods: Sequence[Mapping[str, object]], *, lesion_free: Sequence[str] = ()
) -> pd.DataFrame:
    """One row a method and class, each class against the rest.

    Of two classes one row is enough, the other one's figures are its mirror: that of the class with lesions, or the
    first by name where both have them.

    Args:
        classification: the study's per-case table.
        methods: `name` of each method, in the order of the rows.
        lesion_free: classes without lesions.
    """
    classes = [str(name).removeprefix(PROBABILITY) for name in classification if str(name).startswith(PROBABILITY)]
    if len(classes) == 2:
        classes = [name for name in classes if name not in lesion_free][:1] or classes[:1]
    rows = []
    for method in methods:
        answers = classification.loc[(classification["method"] == method["name"]).to_numpy(bool)]
        rows += [{"method": method["name"], "class": name} | _row(answers, name) for name in classes if len(answers)]
    return pd.DataFrame(rows, columns=list(CLASS_COLUMNS))


def _row(answers: pd.DataFrame, name: str) -> dict[str, float | int | None]:
    truth = answers["truth"].to_numpy(str) == name
    named = answers["predicted"].to_numpy(str) == name
    chance = answers[f"{PROBABILITY}{name}"].to_numpy(float)
    areas = auc_by_fold(truth, chance, answers["fold"].to_numpy(int))
    pooled = delong_interval(truth, chance)
    return {
        "n": len(truth),
        "prevalence": float(truth.mean()),
        "auc_mean": areas.mean,
        "auc_sd": areas.sd,
        "auc_pooled": None if pooled is None else pooled.value,
        "auc_lo": None if pooled is None else pooled.low,
        "auc_hi": None if pooled is None else pooled.high,
        "pr_auc": pr_auc(truth, chance),
        "sensitivity": _share(named[truth]),
        "specificity": _share(~named[~truth]),
        "accuracy": _share(named == truth),
    }


def _share(hits: NDArray[np.bool_]) -> float | None:
    return float(hits.mean()) if len(hits) else None
