import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from pointpet.core import Case
from pointpet.evaluate.annotation_budget import (
    BUDGET_COLUMNS,
    BudgetPoint,
    annotation_order,
    budget_table,
    first_patients,
)


def cases(lung: int, oesophagus: int) -> list[Case]:
    return [Case(f"L{i:02d}", label="lung") for i in range(lung)] + [
        Case(f"O{i:02d}", label="oesophagus") for i in range(oesophagus)
    ]


def test_every_prefix_keeps_the_shares_of_the_classes():
    own = cases(60, 20)
    order = annotation_order(own, seed=1)
    assert sorted(order) == sorted(case.case_id for case in own)
    for size in range(8, 81):
        counts = Counter(case_id[0] for case_id in first_patients(own, order, size))
        assert sum(counts.values()) == size
        assert abs(counts["O"] - size / 4) <= 1.5, size


def test_rare_classes_come_first_with_two_patients_each():
    own = cases(50, 3)
    for seed in range(5):
        chosen = first_patients(own, annotation_order(own, seed=seed), 4)
        assert Counter(case_id[0] for case_id in chosen) == {"L": 2, "O": 2}


def test_subsets_are_nested_and_follow_the_seed_not_the_order_of_the_cases():
    own = cases(20, 20)
    order = annotation_order(own, seed=1)
    assert order == annotation_order(list(reversed(own)), seed=1)
    assert order != annotation_order(own, seed=2)
    sets = [set(first_patients(own, order, size)) for size in (5, 10, 20, 40)]
    assert all(small < large for small, large in itertools.pairwise(sets))


def test_a_patient_is_annotated_with_all_cases():
    own = [Case(f"A{i}", patient_id=f"P{i // 2}", label="lung") for i in range(8)]
    chosen = first_patients(own, annotation_order(own, seed=0), 2)
    assert len(chosen) == 4
    assert len({case.patient_id for case in own if case.case_id in chosen}) == 2


def point(dice: dict[str, float], size: str = "5") -> BudgetPoint:
    rows = [
        {"case_id": name, "label": "lung" if name[0] == "L" else "oesophagus", "fold": int(name[1]) % 2, "dice": value}
        for name, value in dice.items()
    ]
    return BudgetPoint("proposed", "one point", "training", size, 5.0, 0.5, 0.0, pd.DataFrame(rows))


def test_rows_hold_mean_over_folds_and_interval_for_all_and_each_class():
    dice = {"L0": 0.2, "L1": 0.4, "L2": 0.6, "L3": 0.8, "O0": 1.0, "O1": np.nan, "O2": 0.9, "O3": 0.7}
    table = budget_table([point(dice)], {}, seed=0)
    assert list(table.columns) == list(BUDGET_COLUMNS)
    assert list(table["label"]) == ["all", "lung", "oesophagus"]
    lung = table.iloc[1]
    assert lung["dice_mean"] == pytest.approx((0.4 + 0.6) / 2)
    assert lung["dice_lo"] < lung["dice_mean"] < lung["dice_hi"]
    assert table.iloc[2]["n_cases"] == 3
    assert table.iloc[0]["n_cases"] == 7
    assert table.iloc[0][["method", "size", "minutes"]].tolist() == ["proposed", "5", 0.5]


def test_a_point_without_any_dice_has_no_row():
    assert budget_table([point({"L0": np.nan, "L1": np.nan})], {}, seed=0).empty
