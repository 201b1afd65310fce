import numpy as np
import pandas as pd
import pytest

from pointpet.core import derive_seed
from pointpet.evaluate.case_measures import MEASURES
from pointpet.evaluate.comparisons import holm
from pointpet.evaluate.outcome_measures import compare_auc, measure_outcome
from pointpet.evaluate.outcome_summary import compare_outcomes, outcome_cells, read_answers
from pointpet.evaluate.summary import COMPARISON_COLUMNS, TABLE_COLUMNS, compare, summarise

METHODS = [
    {"name": name, "training_input": "none", "test_input": "none"}
    for name in ("cam_alone", "proposed", "suv25", "true_mask", "rpet3d")
]
SIGNAL = {"proposed": 2.0, "cam_alone": 0.5, "true_mask": 2.5, "rpet3d": 0.0}


def outcome_table(n: int = 50) -> pd.DataFrame:
    rows = []
    for method, signal in SIGNAL.items():
        for endpoint in ("response", "survival3y"):
            random = np.random.default_rng(5)
            for index in range(n):
                truth = int(random.random() < 0.5)
                chance = 1 / (1 + np.exp(-random.normal(signal * (truth - 0.5))))
                rows.append(
                    {
                        "method": method, "label": "lung", "endpoint": endpoint, "case_id": f"C{index:02d}",
                        "fold": index % 5, "probability": chance, "prediction": int(chance > 0.5), "truth": truth,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows).sample(frac=1.0, random_state=1)


def segmentation(n: int = 50) -> pd.DataFrame:
    blank = dict.fromkeys(MEASURES)
    return pd.DataFrame(
        [
            blank | {"method": method, "label": "lung", "case_id": f"C{i:02d}", "fold": i % 5, "dice": 0.5 + i / 200}
            for method in ("cam_alone", "proposed", "suv25")
            for i in range(n)
        ]
    )


NAMED = pd.DataFrame(columns=["method", "case_id", "fold", "truth", "predicted"])


def test_a_row_a_method_and_endpoint_with_the_measures_of_its_predictions():
    outcome = outcome_table()
    endpoints = {"lung": ["survival3y", "response", "other"]}
    table = summarise(segmentation(), NAMED, METHODS, outcome=outcome, endpoints=endpoints)["lung"]
    assert tuple(table.columns) == TABLE_COLUMNS
    assert list(zip(table["method"], table["endpoint"], strict=True)) == [
        (method["name"], endpoint) for method in METHODS for endpoint in endpoints["lung"]
    ]
    rows = table.set_index(["method", "endpoint"])
    cases = outcome[(outcome["method"] == "proposed") & (outcome["endpoint"] == "survival3y")]
    expected = measure_outcome(read_answers(cases, {}), seed=0)
    for name, measure in expected.items():
        assert rows.loc[("proposed", "survival3y"), f"{name}_mean"] == pytest.approx(measure.over_folds.mean)
        assert rows.loc[("proposed", "survival3y"), f"{name}_sd"] == pytest.approx(measure.over_folds.sd)
    assert rows.loc[("proposed", "survival3y"), "auc_lo"] < rows.loc[("proposed", "survival3y"), "auc_mean"]
    assert np.isnan(rows.loc[("proposed", "other"), "auc_mean"])  # never 0.5
    assert np.isnan(rows.loc[("suv25", "response"), "accuracy_mean"])
    assert np.isnan(rows.loc[("true_mask", "response"), "dice_mean"])
    assert rows.loc[("true_mask", "response"), "n_cases"] == 50
    assert rows.loc[("proposed", "response"), "dice_mean"] == rows.loc[("proposed", "survival3y"), "dice_mean"]


def test_without_endpoints_a_method_has_one_row():
    table = summarise(segmentation(), NAMED, METHODS)["lung"]
    assert list(table["method"]) == ["cam_alone", "proposed", "suv25"]
    assert table["endpoint"].isna().all()


def test_answers_follow_the_case_ids_whatever_the_order_of_rows():
    cases = outcome_table()
    cases = cases[(cases["method"] == "proposed") & (cases["endpoint"] == "response")]
    first, second = read_answers(cases, {"C03": "P"}), read_answers(cases.iloc[::-1], {"C03": "P"})
    assert np.array_equal(first.probability, second.probability)
    assert first.patients[3] == "P"
    assert outcome_cells(cases, {}, seed=1) == outcome_cells(cases.iloc[::-1], {}, seed=1)


def test_comparisons_are_of_proposed_with_each_other_and_corrected_in_families():
    outcome = outcome_table()
    rows = compare_outcomes(outcome, [method["name"] for method in METHODS], "proposed", {}, seed=4)
    assert len(rows) == 2 * 2 * 3
    assert {row["method_a"] for row in rows} == {"proposed"}
    family = [row for row in rows if (row["endpoint"], row["measure"]) == ("response", "auc")]
    assert [row["method_b"] for row in family] == ["cam_alone", "true_mask", "rpet3d"]
    assert [row["p_corrected"] for row in family] == pytest.approx(holm([row["p"] for row in family]))
    a, b = (
        read_answers(outcome[(outcome["method"] == name) & (outcome["endpoint"] == "response")], {})
        for name in ("proposed", "rpet3d")
    )
    found = compare_auc(a, b, seed=derive_seed(4, "auc", "proposed", "rpet3d"))
    assert (family[2]["difference"], family[2]["lo"], family[2]["p"]) == (found.difference, found.low, found.p)
    assert family[2]["lo"] > 0


def test_a_method_with_other_cases_is_compared_on_the_shared_ones():
    outcome = outcome_table()
    outcome = outcome[~((outcome["method"] == "rpet3d") & (outcome["case_id"] < "C10"))]
    rows = compare_outcomes(outcome, [method["name"] for method in METHODS], "proposed", {}, seed=4)
    assert {row["n"] for row in rows if row["method_b"] == "rpet3d"} == {40}
    only = outcome[(outcome["method"] != "rpet3d") | (outcome["case_id"] > "C48")]
    only = only[(only["method"] != "proposed") | (only["case_id"] <= "C48")]
    rows = compare_outcomes(only, ["proposed", "rpet3d"], "proposed", {}, seed=4)
    assert rows == []  # no case in common


def test_the_first_method_stands_in_for_a_missing_reference():
    outcome = outcome_table()
    rows = compare_outcomes(outcome[outcome["method"] != "proposed"], ["cam_alone", "rpet3d"], "proposed", {}, seed=0)
    assert {(row["method_a"], row["method_b"]) for row in rows} == {("cam_alone", "rpet3d")}


def test_the_table_of_comparisons_names_the_endpoint_where_there_is_one():
    table = compare(segmentation(), METHODS, outcome=outcome_table())
    assert tuple(table.columns) == COMPARISON_COLUMNS
    assert COMPARISON_COLUMNS[-1] == "endpoint"
    assert table.loc[table["measure"].isin(["auc", "accuracy"]), "endpoint"].notna().all()
    assert table.loc[~table["measure"].isin(["auc", "accuracy"]), "endpoint"].isna().all()
