import pytest

from pointpet.report.failures import COLUMNS, FAILED_DICE, failure_rows, reasons
from pointpet.report.study_folder import Answer, read_study


def answer(predicted="lung", **measures) -> Answer:
    return Answer("proposed", "A", "lung", 0, predicted, (), measures, None)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (answer(dice=0.8), []),
        (answer("other", dice=0.8), ["named other"]),
        (answer(dice=0.0, mtv_ml=0.0, mtv_true_ml=5.0), ["no voxel was outlined"]),
        (answer(dice=0.0, mtv_ml=9.0, distance_mm=120.0), ["the maps peak 120 mm off the tumour"]),
        (answer(dice=0.0, mtv_ml=9.0, mtv_true_ml=5.0, distance_mm=3.0), ["the mask lies beside the tumour"]),
        (answer(dice=0.3, mtv_ml=90.0, mtv_true_ml=30.0), ["the outline leaks: 90 mL of 30 mL"]),
        (answer(dice=0.3, mtv_ml=1.5, mtv_true_ml=9.0), ["the outline is too small: 1.5 mL of 9.0 mL"]),
        (answer(dice=0.4, mtv_ml=9.0, mtv_true_ml=9.0), ["the outline differs in shape or place"]),
        (
            answer("other", dice=0.0, mtv_ml=9.0, distance_mm=99.0),
            ["named other", "the maps peak 99 mm off the tumour"],
        ),
        (answer(), []),
    ],
)
def test_reasons(one, expected):
    assert reasons(one) == expected


def test_failed_cases_of_the_first_method_stand_worst_first(study_template):
    study = read_study(study_template)
    rows = failure_rows(study)
    own = {a.case_id: a for a in study.answers if a.method == "proposed"}
    wrong = {a.case_id for a in own.values() if a.predicted != a.label}
    low = {a.case_id for a in own.values() if a.measures["dice"] < FAILED_DICE}
    assert {row[0] for row in rows} == wrong | low
    assert [float(row[4]) for row in rows] == sorted(float(row[4]) for row in rows)
    assert all(len(row) == len(COLUMNS) and row[2] for row in rows)
