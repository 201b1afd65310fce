from dataclasses import replace

import numpy as np
import pytest

from pointpet.report import result_tables
from pointpet.report.study_folder import Study, read_study


@pytest.fixture
def found(study_template) -> Study:
    return read_study(study_template)


def test_own_and_published_figures_stand_side_by_side(found):
    rows = {row.title: row for row in result_tables.main_rows(found, "lung")}
    proposed = rows["Proposed"]
    table = found.tables["lung"].set_index("method").loc["proposed"]
    assert proposed.is_reference
    assert proposed.dice == f"{table['dice_mean']:.2f} ± {table['dice_sd']:.2f}"
    assert proposed.published == ("0.77 ± 0.07", "0.65 ± 0.05", "0.65 ± 0.18", "0.58 ± 0.15", "0.59 ± 0.04")
    assert (proposed.training_input, proposed.test_input) == ("class label + one point", "none")
    assert rows["SUV 2.5"].published == ()
    assert rows["U-Net"].dice == "not run"
    assert rows["U-Net"].published == ("0.57 ± 0.19", "–", "–", "–", "–")


def test_outcomes_that_were_not_predicted_stay_blank(found):
    assert all(row.outcome == () for row in result_tables.main_rows(found, "lung"))
    assert not result_tables.has_outcome(found, "lung")


def test_outcomes_that_were_predicted_are_shown(found):
    table = found.tables["lung"].copy()
    table.loc[table["method"] == "proposed", ["auc_mean", "auc_sd"]] = 0.67, 0.08
    with_outcome = replace(found, tables={**found.tables, "lung": table})
    rows = {row.title: row for row in result_tables.main_rows(with_outcome, "lung")}
    assert rows["Proposed"].outcome == ("–", "–", "–", "0.67 ± 0.08")
    assert rows["CAMs alone"].outcome == ()
    assert result_tables.has_outcome(with_outcome, "lung")


def test_measures_count_the_cases_that_missed(found):
    rows = {row[0]: row for row in result_tables.measure_rows(found, "lung")}
    cases = found.cases("fixed41", "lung")
    assert rows["41 % of the maximum"][1] == "10"
    assert rows["41 % of the maximum"][-1] == str(int((cases["dice"] == 0).sum()))
    assert rows["Click and 41 %"][2] == "–"


def test_distances_have_a_decimal(found):
    row = next(row for row in result_tables.measure_rows(found, "lung") if row[0] == "Proposed")
    table = found.tables["lung"].set_index("method").loc["proposed"]
    assert row[4] == f"{table['hd95_mm_mean']:.1f} ± {table['hd95_mm_sd']:.1f}"
    compared = dict(result_tables.comparison_tables(found))["HD95 in mm (negative is better)"][0]
    assert compared[2].rsplit(".")[1].isdigit()
    assert len(compared[2].rsplit(".")[1]) == 1


def test_comparisons_are_grouped_by_measure_dice_first(found):
    tables = dict(result_tables.comparison_tables(found))
    assert next(iter(tables)) == "Dice"
    assert len(tables["Dice"]) == 3 * 5
    row = tables["Dice"][0]
    assert len(row) == len(result_tables.COMPARISON_COLUMNS)
    assert row[:2] == ("lung", "Proposed − CAMs alone")
    assert row[2].startswith("+0.")
    assert {row[0] for row in tables["Dice"]} == {"lung", "oesophagus", "all classes"}


def test_localisation_is_told_of_methods_with_maps(found):
    rows = result_tables.localisation_rows(found)
    assert [row[:2] for row in rows] == [
        ("lung", "Proposed"),
        ("lung", "CAMs alone"),
        ("oesophagus", "Proposed"),
        ("oesophagus", "CAMs alone"),
    ]
    distances = found.cases("cam_alone", "lung")["distance_mm"]
    assert rows[1][4].startswith(f"{distances.median():.0f} (")


def test_classifiers(found):
    rows = result_tables.classifier_rows(found)
    assert [row.title for row in rows] == ["Proposed", "CAMs alone"]
    named = found.named("proposed")
    assert rows[0].confusion[0][1:] == tuple(
        str(int(((named["truth"] == "lung") & (named["predicted"] == name)).sum())) for name in ("lung", "oesophagus")
    )
    assert [cells[0] for cells in rows[0].by_class] == ["lung"]
    assert rows[0].by_class[0][1] == "0.50"
    assert rows[0].undefined == ""


def test_a_fold_without_an_area_is_counted(found):
    frame = found.classification.copy()
    frame.loc[frame["fold"] == 0, "truth"] = "lung"
    row = result_tables.classifier_rows(replace(found, classification=frame))[0]
    assert row.undefined == "undefined in 1 folds, which the mean leaves out"
    assert row.by_class[0][3].startswith("n/a, ")


def test_three_classes_are_each_held_against_the_rest(found):
    frame = found.classification.copy()
    frame["probability_control"] = 0.0
    frame.loc[frame.index[::5], "truth"] = "control"
    row = result_tables.classifier_rows(replace(found, classification=frame))[0]
    assert [cells[0] for cells in row.by_class] == ["lung", "oesophagus", "control"]
    assert row.columns == ["control", "lung", "oesophagus"]


def test_flags_are_counted_in_words(found):
    rows = result_tables.flag_rows(found)
    assert rows[0][0] == "the two views' peaks lie at different heights"
    zero = (found.cases("fixed41")["dice"] == 0).sum()
    assert rows[0][1 + found.methods.index("fixed41")] == str(zero)
    assert result_tables.flag_rows(replace(found, answers=())) == []


def test_training(found):
    rows = {row[0]: row for row in result_tables.training_rows(found)}
    assert rows["Proposed"][2:] == ("91\u202f000", "30, 28, 30, 30, 26", "1 min 01 s")
    assert rows["SUV 2.5"][2:] == ("–", "–", "–")
    assert np.all([len(row) == 5 for row in rows.values()])
