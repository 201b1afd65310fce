import pandas as pd
import pytest

from pointpet.evaluate.trust import CONFIDENCE_COLUMNS, TRUST_COLUMNS, trust_table


def rows(label: str, confidence: list[float], dice: list[float | None], flags: list[int]) -> list[tuple]:
    return [
        ("proposed", label, f"{label}{i}", i % 2, own, dice[i] is not None and dice[i] > 0, dice[i], flags[i])
        for i, own in enumerate(confidence)
    ]


def test_rows_for_all_and_each_class():
    cases = rows("lung", [0.9, 0.8, 0.7, 0.2, 0.6], [0.9, 0.8, 0.7, 0.0, None], [0, 0, 1, 2, 0])
    cases += rows("oesophagus", [0.95, 0.4, 0.5, 0.6, 0.1], [0.8, 0.8, 0.0, 0.8, 0.8], [0, 0, 0, 0, 0])
    table = trust_table(pd.DataFrame(cases, columns=list(CONFIDENCE_COLUMNS)), {}, seed=0)
    assert list(table.columns) == list(TRUST_COLUMNS)
    assert list(table["label"]) == ["all", "lung", "oesophagus"]
    assert list(table["cases"]) == [9, 4, 5]
    lung = table.iloc[1]
    assert lung["area"] == pytest.approx((0.1 + 0.15 + 0.2 + 0.4) / 4)
    assert lung["random"] == pytest.approx(0.4)
    assert lung[["failures", "flagged", "failures_flagged", "failures_in_lowest_fifth"]].tolist() == [1, 2, 1, 1]
    assert table.iloc[2]["failures_in_lowest_fifth"] == 0
    assert (table["best"] <= table["area"]).all()


def test_without_confidence_there_are_no_rows():
    cases = pd.DataFrame(rows("lung", [0.5], [None], [0]), columns=list(CONFIDENCE_COLUMNS))
    assert trust_table(cases, {}, seed=0).empty
