"""The page of tables hides no method that does better than the proposed one."""

from types import ModuleType

import pandas as pd
import pytest

from pointpet.report.study_folder import COMPARISON_COLUMNS, Study


@pytest.fixture(scope="module")
def page(experiment) -> ModuleType:
    return experiment("paper_tables")


def comparison(measure: str, difference: float, method: str = "unet", endpoint: object = float("nan")) -> dict:
    values = ("lung", measure, "proposed", method, difference, difference - 0.1, difference + 0.1, 0.01, 0.02, 60)
    return dict(zip(COMPARISON_COLUMNS, values, strict=True)) | {"endpoint": endpoint}


def study(*comparisons: dict, means: dict | None = None, **config: dict) -> Study:
    methods = [{"name": name, "parameters": 9, "forest_trees": [200]} for name in ("proposed", "unet")]
    record = {"methods": methods, "cohort": {"by_label": {"lung": 60}}, "folds": 1, "seed": 0, "config": config}
    table = {"method": ["proposed", "unet"], "dice_hull_mean": [0.6, 0.7], "class_accuracy_mean": [0.97, 0.95]}
    empty = pd.DataFrame()
    frame = pd.DataFrame(comparisons, columns=[*COMPARISON_COLUMNS, "endpoint"])
    return Study(record, empty, empty, empty, frame, {"lung": pd.DataFrame(table | (means or {}))}, ())


@pytest.mark.parametrize(
    ("measure", "difference", "endpoint", "named"),
    [
        ("dice", -0.1, None, True),
        ("dice", 0.1, None, False),
        ("nsd_2mm", -0.1, None, True),
        ("hit", -0.1, None, True),
        ("hd95_mm", 2.0, None, True),
        ("hd95_mm", -2.0, None, False),
        ("auc", -0.1, "survival3y", True),
        ("auc", -0.1, "outcome_survival3y", True),
        ("auc", -0.1, "response", False),
    ],
)
def test_every_lead_in_a_compared_measure_is_named(page, measure, difference, endpoint, named):
    lines = page.better_section(study(comparison(measure, difference, endpoint=endpoint)))
    row = f"| lung | {page.COMPARED[measure]} | U-Net |"
    assert any(row in line for line in lines) is named
    assert any(line.startswith("Nowhere, in Dice, surface Dice at 2 mm, HD95") for line in lines) is not named


def test_leads_in_measures_that_are_not_compared_in_pairs_come_from_the_means(page):
    text = "\n".join(page.better_section(study()))
    assert "Not compared in pairs, so without interval and test (Dice of the hull, named as this class)" in text
    assert "| lung | Dice of the hull | U-Net | 0.700 | 0.600 |" in text
    assert "named as this class | U-Net" not in text
    text = "\n".join(page.better_section(study(means={"class_accuracy_mean": [0.95, 0.97]})))
    assert "| lung | named as this class | U-Net | 0.970 | 0.950 |" in text


def test_the_proposed_method_is_held_against_every_other_won_or_lost(page):
    rows = [
        comparison("dice", 0.2),
        comparison("dice", -0.02, "click41"),
        comparison("auc", 0.1, endpoint="survival3y"),
        comparison("auc", 0.3, endpoint="response"),
        comparison("hit", 0.2),
    ]
    text = "\n".join(page.paired_section(study(*rows)))
    for row in (
        "| lung | Dice | U-Net | +0.200 | 0.100 to 0.300 | 0.020 | 60 |",
        "| lung | Dice | Click and 41 % | −0.020 | −0.120 to 0.080 | 0.020 | 60 |",
        "| lung | outcome AUC | U-Net | +0.100 | 0.000 to 0.200 | 0.020 | 60 |",
    ):
        assert row in text
    assert "+0.300" not in text
    assert "| hit |" not in text
    assert "Wilcoxon's signed-rank test over patients" in text
    assert "Nadeau and Bengio's test" in text
    assert "Not compared" in "\n".join(page.paired_section(study()))


def test_the_page_says_by_what_else_the_u_net_differs(page):
    forest = {"enabled": True, "trees": 200}
    differing = study(unet={"turns": True, "dimensions": 2}, training={"turns": False}, candidates=forest)
    text = page.beyond_supervision(differing)[0]
    assert "the U-Net alone learns from turned views" in text
    assert "a forest of 3D candidates" in text
    alike = study(unet={"turns": True, "dimensions": 2}, training={"turns": True}, candidates={"enabled": False})
    text = page.beyond_supervision(alike)[0]
    assert "turned" not in text
    assert "candidates" not in text
    alone = study()
    alone.record["methods"].pop()
    assert page.beyond_supervision(alone) == []
