import numpy as np
import pandas as pd
import pytest

from pointpet.evaluate.case_measures import MEASURES
from pointpet.evaluate.summary import COMPARISON_COLUMNS, TABLE_COLUMNS, compare, summarise

METHODS = [
    {"name": "suv25", "training_input": "none", "test_input": "none"},
    {"name": "proposed", "training_input": "class label + one point", "test_input": "none"},
    {"name": "cam_alone", "training_input": "class label", "test_input": "none"},
]
LEVELS = {"proposed": 0.8, "cam_alone": 0.5, "suv25": 0.1}


def segmentation(labels: tuple[str, ...] = ("lung", "oesophagus"), n: int = 20) -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = []
    for label in labels:
        for index in range(n):
            for method, level in LEVELS.items():
                row: dict[str, object] = dict.fromkeys(MEASURES)
                row |= {"method": method, "label": label, "case_id": f"{label[0]}{index:02d}", "fold": index % 5}
                row |= {"dice": level + random.uniform(-0.1, 0.1), "hd95_mm": 10.0, "nsd_2mm": level}
                if method != "suv25":
                    row |= {"hit": float(random.random() < level), "distance_mm": 4.0}
                rows.append(row)
    return pd.DataFrame(rows)


def classification() -> pd.DataFrame:
    rows = [
        {"method": method, "case_id": f"{label[0]}{index:02d}", "fold": index % 5, "truth": label, "predicted": guess}
        for method in ("proposed", "cam_alone")
        for label in ("lung", "oesophagus")
        for index in range(20)
        for guess in ["lung" if label == "lung" or index < 4 else "oesophagus"]
    ]
    return pd.DataFrame(rows)


def test_a_table_per_label_in_the_methods_order():
    tables = summarise(segmentation(), classification(), METHODS)
    assert list(tables) == ["lung", "oesophagus"]
    for table in tables.values():
        assert tuple(table.columns) == TABLE_COLUMNS
        assert list(table["method"]) == ["suv25", "proposed", "cam_alone"]
    assert TABLE_COLUMNS[:5] == ("method", "training_input", "test_input", "endpoint", "dice_mean")
    assert TABLE_COLUMNS[20:24] == ("auc_mean", "auc_sd", "auc_lo", "auc_hi")


def test_mean_and_deviation_are_over_folds_and_the_interval_holds_the_mean():
    frame = segmentation()
    row = summarise(frame, classification(), METHODS)["lung"].set_index("method").loc["proposed"]
    cases = frame[(frame["method"] == "proposed") & (frame["label"] == "lung")]
    by_fold = cases.groupby("fold")["dice"].mean()
    assert row["dice_mean"] == pytest.approx(by_fold.mean())
    assert row["dice_sd"] == pytest.approx(by_fold.std(ddof=1))
    assert row["dice_lo"] < row["dice_mean"] < row["dice_hi"]
    assert row["n_cases"] == 20
    assert row["training_input"] == "class label + one point"


def test_outcome_columns_and_what_was_not_measured_stay_blank():
    table = summarise(segmentation(), classification(), METHODS)["lung"].set_index("method")
    for measure in ("accuracy", "sensitivity", "specificity", "auc"):
        for statistic in ("mean", "sd", "lo", "hi"):
            assert table[f"{measure}_{statistic}"].isna().all()
    assert table["endpoint"].isna().all()
    assert np.isnan(table.loc["suv25", "hit_mean"])
    assert np.isnan(table.loc["suv25", "class_accuracy_mean"])
    assert table["dice_hull_mean"].isna().all()


def test_class_accuracy_is_that_of_the_label():
    tables = summarise(segmentation(), classification(), METHODS)
    lung = tables["lung"].set_index("method").loc["proposed"]
    assert lung["class_accuracy_mean"] == lung["class_accuracy_hi"] == 1.0
    assert lung["class_accuracy_lo"] == pytest.approx(20 / (20 + 1.959964**2), abs=1e-6), "Wilson's, 20 patients"
    assert tables["oesophagus"].set_index("method").loc["proposed", "class_accuracy_mean"] == pytest.approx(0.8)


def test_tables_survive_csv(tmp_path):
    frame = segmentation()
    frame.to_csv(tmp_path / "s.csv", index=False)
    again = pd.read_csv(tmp_path / "s.csv", dtype={"case_id": str})
    first, second = (summarise(f, classification(), METHODS)["lung"] for f in (frame, again))
    pd.testing.assert_frame_equal(first, second, check_dtype=False)


def test_a_method_that_only_classifies_has_a_row():
    table = summarise(segmentation().iloc[:0], classification(), METHODS)["lung"]
    assert list(table["method"]) == ["proposed", "cam_alone"]
    assert table["dice_mean"].isna().all()
    assert list(table["n_cases"]) == [20, 20]


def test_a_class_without_lesions_has_blank_dice_and_a_false_positive_volume():
    frame = segmentation(("control",))
    frame[["dice", "nsd_2mm", "hd95_mm", "hit", "distance_mm"]] = None
    frame["fp_ml"] = 3.0
    row = summarise(frame, classification(), METHODS)["control"].set_index("method").loc["proposed"]
    assert np.isnan(row["dice_mean"])
    assert row["fp_ml_mean"] == 3.0
    assert len(compare(frame, METHODS)) == 0


def test_comparisons_are_against_the_proposed_method():
    table = compare(segmentation(), METHODS)
    assert tuple(table.columns) == COMPARISON_COLUMNS
    assert set(table["method_a"]) == {"proposed"}
    assert set(table["label"]) == {"lung", "oesophagus", "all"}
    row = table[(table["label"] == "lung") & (table["measure"] == "dice") & (table["method_b"] == "cam_alone")].iloc[0]
    assert row["difference"] == pytest.approx(0.3, abs=0.05)
    assert row["lo"] < row["difference"] < row["hi"]
    assert row["n"] == 20
    assert row["effect"] == 1.0
    pooled = table[(table["label"] == "all") & (table["measure"] == "dice")]
    assert list(pooled["n"]) == [40, 40]


def test_p_is_corrected_over_the_methods_of_a_label_and_measure():
    table = compare(segmentation(), METHODS)
    family = table[(table["label"] == "lung") & (table["measure"] == "dice")]
    assert list(family["method_b"]) == ["suv25", "cam_alone"]
    # Both p are equal, the smallest that 20 patients allow: the first step of Holm's doubles both.
    assert list(family["p_corrected"]) == pytest.approx(list(2 * family["p"]))
    hits = table[(table["label"] == "lung") & (table["measure"] == "hit")]
    assert list(hits["method_b"]) == ["cam_alone"]
    assert list(hits["p_corrected"]) == list(hits["p"])


def test_cases_of_one_patient_count_once():
    patients = {f"{label}{index:02d}": f"{label}{index // 2}" for label in "lo" for index in range(20)}
    table = compare(segmentation(), METHODS, patients=patients)
    assert set(table[table["label"] == "lung"]["n"]) == {10}


def test_without_the_proposed_method_the_first_is_the_reference():
    frame = segmentation()
    frame = frame[frame["method"] != "proposed"]
    assert set(compare(frame, METHODS)["method_a"]) == {"suv25"}


def test_one_label_has_no_pooled_rows_and_no_cases_no_comparison():
    assert set(compare(segmentation(("lung",)), METHODS)["label"]) == {"lung"}
    assert set(compare(segmentation(("lung", "all")), METHODS)["label"]) == {"lung", "all"}
    empty = compare(segmentation().iloc[:0], METHODS)
    assert len(empty) == 0
    assert tuple(empty.columns) == COMPARISON_COLUMNS
