import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pointpet.core import Case, ConfigError, Faults
from pointpet.evaluate.annotation_budget import BUDGET_COLUMNS
from pointpet.io.artefacts import read_json
from pointpet.methods.base import Given
from pointpet.pipeline.annotation_budget import annotation_seconds, longer_training, size_folder
from pointpet.pipeline.config import AnnotationBudgetSettings, Configuration, build_configuration
from pointpet.pipeline.study import StudyRequest, run_study

METHODS = ("proposed", "unet", "click41")


@pytest.fixture(scope="module")
def short(quick) -> Configuration:
    """Without turned patients, which only take time here."""
    budget = AnnotationBudgetSettings(sizes=(4, 99), more_epochs=1.0)
    return replace(quick, prepare=replace(quick.prepare, turns_deg=()), annotation_budget=budget)


@pytest.fixture(scope="module")
def request_(cohort_folder) -> StudyRequest:
    return StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3)


@pytest.fixture(scope="module")
def plain(request_, short, tmp_path_factory) -> Path:
    """A study that was run without the budget."""
    out = tmp_path_factory.mktemp("budget") / "plain"
    run_study(request_, out, short)
    return out


@pytest.fixture(scope="module")
def study(plain, request_, short) -> Path:
    """The same study, completed by the budget."""
    out = Path(shutil.copytree(plain, plain.with_name("with")))
    outcome = run_study(replace(request_, annotation_budget=True), out, short)
    assert [failure["message"] for failure in outcome.failures] == []
    return out


def table_of(study: Path) -> pd.DataFrame:
    return pd.read_csv(study / "tables" / "annotation_budget.csv", dtype={"size": str})


def trained_on(folder: Path, method: str) -> int:
    return read_json(folder / "models" / method / "fold_0" / "model.json")["network"]["training"]["cases"]


def test_a_finished_study_is_completed_and_its_own_results_stay(plain, study):
    assert not (plain / "tables" / "annotation_budget.csv").exists()
    assert "Annotation effort" not in (plain / "report.html").read_text()
    for name in ("segmentation.csv", "classification.csv", "table_lung.csv"):
        assert (study / "tables" / name).read_bytes() == (plain / "tables" / name).read_bytes()


def test_every_size_trains_on_its_patients_alone(study):
    for method in ("proposed", "unet"):
        assert trained_on(size_folder(study, 4), method) == 4
        assert trained_on(study, method) == 8
    assert not size_folder(study, 99).exists()
    assert not (size_folder(study, 4) / "models" / "click41").exists()


def test_the_table_counts_effort_and_patients(study):
    table = table_of(study)
    assert list(table.columns) == list(BUDGET_COLUMNS)
    rows = table[table["label"] == "all"].set_index(["method", "size"])
    assert set(rows.index) == {(method, size) for method in METHODS for size in ("4", "all")}
    assert rows.loc[("proposed", "4"), "minutes"] == pytest.approx(4 * 5 / 60)
    assert rows.loc[("unet", "4"), "minutes"] == pytest.approx(40)
    assert rows.loc[("click41", "all"), ["part", "patients", "seconds_per_new_case"]].tolist() == ["test", 8, 5]
    assert rows.loc[("proposed", "all"), ["part", "patients", "seconds_per_new_case"]].tolist() == ["training", 8, 0]
    assert set(rows["n_cases"]) == {16}


def test_all_patients_are_the_study_itself(study):
    table, dice = table_of(study), pd.read_csv(study / "tables" / "segmentation.csv")
    for method in METHODS:
        row = table[(table["method"] == method) & (table["size"] == "all") & (table["label"] == "lung")].iloc[0]
        own = dice[(dice["method"] == method) & (dice["label"] == "lung")]
        assert row["dice_mean"] == pytest.approx(own.groupby("fold")["dice"].mean().mean())


def test_test_cases_that_nobody_clicked_count_with_nothing(study):
    table = table_of(study)
    own = table[(table["method"] == "click41") & (table["label"] == "all")].set_index("size")["dice_mean"]
    assert own["all"] > 0.5, "the rule finds the ball from its centre"
    assert own["4"] == pytest.approx(own["all"] / 2, abs=0.1)


def test_the_report_and_its_figure_show_the_curve(study):
    page = (study / "report.html").read_text()
    assert "<h2>Annotation effort</h2>" in page
    assert "A click is counted with 5.0 s, a mask with 10.0 min" in page
    assert "U-Net (training patients)" in (study / "figures" / "annotation_budget.svg").read_text()


def test_an_interrupted_budget_goes_on_where_it_stopped(study, request_, short, tmp_path, monkeypatch):
    out = Path(shutil.copytree(study, tmp_path / "s"))
    before = (out / "tables" / "annotation_budget.csv").read_bytes()
    shutil.rmtree(size_folder(out, 4) / "predictions" / "unet")
    (out / "tables" / "annotation_budget.csv").unlink()
    monkeypatch.setattr("pointpet.learn.train.train", None)  # a second training would fail
    monkeypatch.setattr("pointpet.learn.unet_train.train_unet", None)
    run_study(replace(request_, annotation_budget=True), out, short)
    assert (out / "tables" / "annotation_budget.csv").read_bytes() == before


def test_a_study_without_costly_methods_is_refused_before_it_starts(cohort_folder, quick, tmp_path):
    request = StudyRequest(cohort_folder / "cohort.csv", ("suv25",), folds=2, annotation_budget=True)
    with pytest.raises(ConfigError, match=r"annotation_budget.methods: must name methods .* for a study of suv25"):
        run_study(request, tmp_path / "s", quick)
    assert not (tmp_path / "s" / "predictions").exists()


def test_a_click_is_counted_for_each_point_and_a_mask_for_each_case():
    settings = AnnotationBudgetSettings(click_s=4.0, mask_s=100.0)
    own = [
        Case("A", points_mm=np.zeros((3, 3)), mask=Path("a.nii")),
        Case("B", points_mm=np.zeros((1, 3))),
        Case("C"),
    ]
    assert annotation_seconds(own, frozenset({Given.POINT}), settings) == 16
    assert annotation_seconds(own, frozenset({Given.MASK}), settings) == 100
    assert annotation_seconds(own, frozenset({Given.LABEL}), settings) == 0


def test_few_patients_train_longer_up_to_a_limit():
    configuration = build_configuration({"training": {"epochs": 30}})
    assert longer_training(configuration, 2.0).training.epochs == 60
    assert longer_training(Configuration(), 2.0).training.epochs == 0, "automatic stays automatic"
    assert longer_training(configuration, 2.0).unet.patience == 2 * configuration.unet.patience
    assert longer_training(configuration, 30.0).cam_fcn.epochs == 4 * configuration.cam_fcn.epochs


def test_settings_out_of_range_are_refused_together():
    wrong = {"sizes": [0], "click_s": 0, "mask_s": -1, "more_epochs": 0.5}
    with pytest.raises(Faults) as caught:
        build_configuration({"annotation_budget": wrong})
    for part in (
        r"sizes: must be 1 or more each, got [0]",
        "click_s: must be over 0, got 0",
        "mask_s: must be over 0, got -1",
        "more_epochs: must be 1 or more, got 0.5",
    ):
        assert f"annotation_budget.{part}" in str(caught.value)
