import pandas as pd
import pytest

from pointpet.report.annotation_budget import budget_curves, budget_rows, effort
from pointpet.report.study_folder import read_study


@pytest.fixture
def drawn(study):
    """The study with a curve of two methods."""
    rows = [
        {
            "label": label,
            "method": method,
            "given": given,
            "part": part,
            "size": size,
            "patients": patients,
            "minutes": patients * seconds / 60,
            "dice_mean": 0.5 + patients / 100,
            "dice_sd": 0.05,
            "dice_lo": 0.4 + patients / 100,
            "dice_hi": 0.6 + patients / 100,
            "n_cases": 20,
            "seconds_per_new_case": 0,
        }
        for label in ("all", "lung")
        for method, given, part, seconds in (
            ("proposed", "one point", "training", 5),
            ("unet", "mask", "training", 600),
        )
        for size, patients in (("5", 5), ("all", 16))
    ]
    pd.DataFrame(rows).to_csv(study / "tables" / "annotation_budget.csv", index=False)
    return read_study(study)


def test_rows_are_written_out(drawn):
    rows = budget_rows(drawn)
    assert rows[0] == (
        *("Proposed", "all classes", "one point on training patients", "5", "25 s"),
        *("0.55 ± 0.05", "0.45 to 0.65", "20"),
    )
    assert rows[3][3:5] == ("16 (all)", "3 h")
    assert rows[4][1] == "lung"


def test_the_figure_has_a_logarithmic_axis_and_names_its_methods(drawn):
    svg = budget_curves(drawn).svg
    for text in ("all classes", "lung", "annotation a fold, minutes", "U-Net (training patients)", ">100<"):
        assert text in svg


def test_a_study_without_it_has_neither(study):
    assert budget_curves(read_study(study)) is None
    assert budget_rows(read_study(study)) == []


@pytest.mark.parametrize(("minutes", "text"), [(0.4, "24 s"), (13.0, "13 min"), (119.0, "119 min"), (1560.0, "26 h")])
def test_effort_is_said_in_the_unit_that_reads_best(minutes, text):
    assert effort(minutes) == text
