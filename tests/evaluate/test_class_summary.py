"""The classes' table: each class against the rest, by fold and pooled."""

import pandas as pd
import pytest

from pointpet.evaluate.class_summary import CLASS_COLUMNS, summarise_classes

METHODS = [{"name": "proposed"}, {"name": "suv25"}]


def answers(chances: list[float], truth: list[str], folds: list[int], named: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": "proposed",
            "case_id": [f"P{number}" for number in range(len(truth))],
            "fold": folds,
            "truth": truth,
            "predicted": named,
            "probability_a": [1 - chance for chance in chances],
            "probability_b": chances,
        }
    )


def test_two_classes_have_one_row_that_of_the_class_with_lesions() -> None:
    # Fold 0: 0.9 and 0.2 are b, 0.6 and 0.1 are a: three of four pairs in order; fold 1: all in order.
    table = answers(
        [0.9, 0.2, 0.6, 0.1, 0.8, 0.7, 0.3, 0.4],
        ["b", "b", "a", "a"] * 2,
        [0, 0, 0, 0, 1, 1, 1, 1],
        ["b", "a", "b", "a", "b", "b", "a", "a"],
    )
    found = summarise_classes(table, METHODS, lesion_free=("a",))
    assert tuple(found.columns) == CLASS_COLUMNS
    assert found[["method", "class", "n"]].to_numpy().tolist() == [["proposed", "b", 8]]
    row = found.iloc[0]
    assert row["auc_mean"] == pytest.approx((0.75 + 1.0) / 2)
    assert row["auc_pooled"] == pytest.approx(13 / 16)
    assert row["auc_lo"] < row["auc_pooled"] < row["auc_hi"]
    assert (row["sensitivity"], row["specificity"], row["accuracy"]) == (0.75, 0.75, 0.75)
    assert summarise_classes(table, METHODS)["class"].tolist() == ["a"]


def test_a_fold_of_one_class_has_no_area() -> None:
    found = summarise_classes(answers([0.9, 0.8], ["b", "b"], [0, 0], ["b", "b"]), METHODS, lesion_free=("a",)).iloc[0]
    assert found["prevalence"] == 1.0
    assert pd.isna(found["auc_mean"])
    assert pd.isna(found["specificity"])
