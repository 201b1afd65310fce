"""Dice against annotation effort: who is annotated first, and the rows of tables/annotation_budget.csv."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pointpet.core import Case, derive_seed
from pointpet.evaluate.summary import ALL_LABELS, fold_statistics

PATIENTS_OF_EACH_CLASS = 2
"""Every class's first patients come first: with fewer of a class no method can be trained."""

ALL_PATIENTS = "all"
"""`size` of the rows in which every patient is annotated."""

BUDGET_COLUMNS = (
    "label",
    "method",
    "given",
    "part",
    "size",
    "patients",
    "minutes",
    "dice_mean",
    "dice_sd",
    "dice_lo",
    "dice_hi",
    "n_cases",
    "seconds_per_new_case",
)
"""Columns of tables/annotation_budget.csv."""


def annotation_order(cases: Sequence[Case], *, seed: int) -> tuple[str, ...]:
    """Patients in the order in which they are annotated; every prefix is a subset of the longer ones.

    The first patients are two of each class; from there every prefix holds the classes in their shares of `cases`. A
    patient with cases of several classes counts with their combination. The order depends on the patients and the
    seed, not on the order of `cases`.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        labels[case.patient_id].add(case.label or "")
    strata: dict[str, list[str]] = defaultdict(list)
    for patient in sorted(labels):
        strata["+".join(sorted(labels[patient]))].append(patient)
    places: list[tuple[bool, float, str]] = []
    for stratum, patients in sorted(strata.items()):
        drawn = np.random.default_rng(derive_seed(seed, "annotation budget", stratum)).permutation(patients)
        places += [
            (rank >= PATIENTS_OF_EACH_CLASS, (rank + 0.5) / len(drawn), str(patient))
            for rank, patient in enumerate(drawn)
        ]
    return tuple(patient for *_, patient in sorted(places))


def first_patients(cases: Sequence[Case], order: Sequence[str], size: int) -> tuple[str, ...]:
    """Case ids of the first `size` patients of `order`, in the order of `cases`."""
    chosen = set(order[:size])
    return tuple(case.case_id for case in cases if case.patient_id in chosen)


@dataclass(frozen=True)
class BudgetPoint:
    """One method at one size of the annotation.

    Args:
        method, given: its name and what is annotated for it.
        part: `training` or `test`: whose patients are annotated.
        size: number of annotated patients of a fold, or `all`.
        patients, minutes: of a fold, mean over folds.
        seconds_per_new_case: what a case beyond the study's costs.
        cases: one row a test case: `case_id`, `label`, `fold`, `dice` (0 for a case without an answer).
    """

    method: str
    given: str
    part: str
    size: str
    patients: float
    minutes: float
    seconds_per_new_case: float
    cases: pd.DataFrame


def budget_table(points: Sequence[BudgetPoint], patients: Mapping[str, str], *, seed: int) -> pd.DataFrame:
    """Rows of tables/annotation_budget.csv: each point over all classes, and of each class.

    Args:
        points: in the order of the rows.
        patients: case id to patient id, for the bootstrap.
        seed: of the bootstrap.

    Returns:
        `BUDGET_COLUMNS`. Mean and standard deviation over folds, limits of a 95 % bootstrap interval over patients.
    """
    found = sorted({label for point in points for label in point.cases["label"].dropna()})
    labels = [ALL_LABELS, *found] if len(found) > 1 and ALL_LABELS not in found else found
    rows = []
    for label in labels:
        for point in points:
            cases = point.cases if label not in found else point.cases.loc[(point.cases["label"] == label).to_numpy()]
            values = cases["dice"].astype(float).to_numpy()
            if not np.isfinite(values).any():
                continue
            row = {name: getattr(point, name) for name in BUDGET_COLUMNS if hasattr(point, name)}
            own = derive_seed(seed, label, point.method, point.size)
            row |= fold_statistics("dice", values, cases, patients, own)
            rows.append(row | {"label": label, "n_cases": int(np.isfinite(values).sum())})
    return pd.DataFrame(rows, columns=list(BUDGET_COLUMNS))
