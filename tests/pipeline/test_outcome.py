"""The outcome stage on a cohort whose endpoint is the size of the tumour: balls of two radii."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pointpet.core import Case, Cohort, Faults, Fold, Grid, Mask, Unit, Volume
from pointpet.evaluate.outcome_summary import outcome_cells
from pointpet.io.artefacts import read_json
from pointpet.io.cohort_csv import write_cohort
from pointpet.io.nifti import read_nifti, write_mask, write_volume
from pointpet.outcome.settings import OutcomeSettings
from pointpet.pipeline import outcome_features, outcome_tasks
from pointpet.pipeline.config import build_configuration
from pointpet.pipeline.fold import case_folder
from pointpet.pipeline.outcome import ask
from pointpet.pipeline.outcome_features import study_features
from pointpet.pipeline.prepare import prepare_cohort
from pointpet.pipeline.quantify import feature_columns
from pointpet.pipeline.study import StudyRequest, run_study

SHAPE, SPACING_MM = (16, 14, 20), 8.0
CASES = 36
METHODS = ("click41", "rpet3d")
CONFIGURATION = build_configuration(
    {
        "prepare": {"pixel_mm": 8.0},
        "outcome": {"min_events": 4, "inner_folds": 2},
        "rpet3d": {"cells": 16, "spacing_mm": 8.0, "epochs": 6, "splits": 2},
    }
)


def ball_scan(radius: float, seed: int) -> tuple[Volume, Mask, np.ndarray]:
    """A body of SUV 0.6 with one ball of SUV 8."""
    random = np.random.default_rng(seed)
    stored = np.diag([-SPACING_MM, -SPACING_MM, SPACING_MM, 1.0])
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = [-SPACING_MM * (SHAPE[0] - 1), -SPACING_MM * (SHAPE[1] - 1), 0]
    centre = random.integers([6, 5, 6], [10, 9, 14])
    distance = np.sqrt(((np.indices(SHAPE) - centre[:, None, None, None]) ** 2).sum(axis=0))
    ball = distance <= radius
    voxels = np.where(ball, 8.0 + random.normal(0, 0.4, SHAPE), 0.6 + random.gamma(2.0, 0.02, SHAPE))
    volume = Volume(voxels.astype(np.float32), affine, stored=Grid(SHAPE, stored))
    return volume, Mask(ball, affine), volume.grid.world(centre)[0]


def write_case(folder: Path, number: int) -> dict[str, object]:
    label = ("lung", "oesophagus")[number % 2]
    large = number // 2 % 2
    radius = (1.6, 2.6)[large] + 0.05 * (number % 5)
    case_id = f"C{number:02d}"
    volume, mask, centre = ball_scan(radius, number)
    write_volume(folder / "images" / f"{case_id}.nii.gz", volume)
    write_mask(folder / "masks" / f"{case_id}.nii.gz", mask, volume.stored)
    row = {"case_id": case_id, "pet": f"images/{case_id}.nii.gz", "pet_units": "suv", "label": label}
    row |= {"site": "AB"[number // 4 % 2], "mask": f"masks/{case_id}.nii.gz"}
    row |= dict(zip(("x_mm", "y_mm", "z_mm"), map(float, centre), strict=True))
    row |= {"outcome_response": large, "outcome_survival3y": 1 - large}
    row["outcome_rare"] = int(number < 4)
    if label == "lung":
        row |= {"time_days": 100.0 + number if large else 900.0 + number, "event": 1 if large or number % 3 == 0 else 0}
    return row


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("outcome_cohort")
    write_cohort(folder / "cohort.csv", [write_case(folder, number) for number in range(CASES)])
    return folder


@pytest.fixture(scope="module")
def study(cohort, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("outcome_study") / "out"
    outcome = run_study(StudyRequest(cohort / "cohort.csv", METHODS, folds=2, seed=1), out, CONFIGURATION)
    assert outcome.failures == ()
    return out


def test_every_case_with_a_known_outcome_is_predicted_in_the_studys_own_fold(study):
    table = pd.read_csv(study / "tables" / "outcome.csv")
    assert list(table.columns[:8]) == [
        "method", "label", "endpoint", "case_id", "fold", "probability", "prediction", "truth",
    ]  # fmt: skip
    assert set(zip(table["method"], table["model"], strict=True)) == {
        ("click41", "elastic_net"), ("true_mask", "elastic_net"), ("rpet3d", "rpet3d"),
    }  # fmt: skip
    assert not table.duplicated(["method", "endpoint", "case_id"]).any()
    assert len(table) == 3 * 2 * CASES
    folds = pd.read_csv(study / "folds.csv").set_index("case_id")["fold"]
    assert (table["fold"].to_numpy() == folds[table["case_id"]].to_numpy()).all()
    assert ((table["probability"] >= table["threshold"]) == (table["prediction"] == 1)).all()


def test_a_size_that_tells_the_outcome_is_found(study):
    models = pd.read_csv(study / "tables" / "outcome_models.csv")
    assert len(models) == 2 * 2 * 2 * 2 + 2 * 2
    models = models[models["model"] != "rpet3d"]
    assert models["auc_mean"].min() > 0.75
    assert models["auc_mean"].median() > 0.9
    folds = pd.read_csv(study / "tables" / "outcome_folds.csv")
    assert set(folds["model"]) == {"elastic_net", "random_forest", "rpet3d"}
    folds = folds[folds["model"] != "rpet3d"]
    assert (folds["events_per_variable"] == folds["events"] / folds["variables"]).all()
    assert (folds["candidates"] <= len(feature_columns())).all()


def test_the_class_table_has_a_row_a_method_and_endpoint_the_published_one_first(study):
    table = pd.read_csv(study / "tables" / "table_lung.csv")
    endpoints = ["survival3y", "rare", "response"]
    assert list(table["endpoint"]) == endpoints * 3
    assert list(table["method"]) == ["click41"] * 3 + ["rpet3d"] * 3 + ["true_mask"] * 3
    rows = table.set_index(["method", "endpoint"])
    outcome = pd.read_csv(study / "tables" / "outcome.csv")
    own = outcome[(outcome["method"] == "click41") & (outcome["endpoint"] == "response") & (outcome["label"] == "lung")]
    for name, value in outcome_cells(own, {}, seed=0).items():
        if name.endswith(("_mean", "_sd")):
            assert rows.loc[("click41", "response"), name] == pytest.approx(value)
    assert np.isnan(rows.loc[("true_mask", "response"), "dice_mean"])
    assert np.isnan(rows.loc[("click41", "rare"), "auc_mean"])
    comparisons = pd.read_csv(study / "tables" / "comparisons.csv")
    areas = comparisons[comparisons["measure"] == "auc"]
    assert set(zip(areas["label"], areas["endpoint"], strict=True)) == {
        (label, endpoint) for label in ("lung", "oesophagus") for endpoint in ("response", "survival3y")
    }


def test_an_endpoint_with_too_few_events_is_not_evaluated_and_says_why(study):
    record = read_json(study / "study.json")["outcome"]
    assert record["model"] == "elastic_net"
    rare = next(item for item in record["questions"] if (item["label"], item["endpoint"]) == ("lung", "rare"))
    assert (rare["cases"], rare["events"]) == (18, 2)
    assert "2 of 18 cases have rare = 1; training of fold" in rare["reason"]
    assert "4 are needed" in rare["reason"]
    assert [item["name"] for item in record["references"]] == ["true_mask"]
    assert "rare" not in set(pd.read_csv(study / "tables" / "outcome.csv")["endpoint"])


def test_a_network_of_the_outcome_alone_has_its_rows_and_its_training_on_record(study):
    record = next(item for item in read_json(study / "study.json")["methods"] if item["name"] == "rpet3d")
    assert record["parameters"] > 1000
    assert len(record["epochs"]) == len(record["train_seconds"]) == 2
    assert all(1 <= count <= 6 for count in record["epochs"])
    table = pd.read_csv(study / "tables" / "table_lung.csv").set_index(["method", "endpoint"])
    assert np.isnan(table.loc[("rpet3d", "response"), "dice_mean"])
    assert 0 <= table.loc[("rpet3d", "response"), "auc_mean"] <= 1
    assert table.loc[("rpet3d", "response"), "training_input"] == "mask"
    assert "rpet3d" not in set(pd.read_csv(study / "tables" / "segmentation.csv")["method"])
    page = (study / "report.html").read_text("utf-8")
    assert "3D-RPET-Net" in page


def test_a_network_that_cannot_apply_says_why(cohort, tmp_path):
    with pytest.raises(Faults, match="method rpet3d_proposed: needs the masks of proposed, which is not in the study"):
        run_study(
            StudyRequest(cohort / "cohort.csv", ("click41", "rpet3d_proposed"), folds=2), tmp_path / "a", CONFIGURATION
        )
    off = build_configuration({"outcome": {"enabled": False}, "prepare": {"pixel_mm": 8.0}})
    with pytest.raises(Faults, match="method rpet3d: predicts outcomes, which are switched off"):
        run_study(StudyRequest(cohort / "cohort.csv", METHODS, folds=2), tmp_path / "b", off)
    table = pd.read_csv(cohort / "cohort.csv")
    kept = [name for name in table if not name.startswith("outcome_")]
    bare = Path(shutil.copytree(cohort, tmp_path / "bare"))
    table[kept].to_csv(bare / "cohort.csv", index=False)
    with pytest.raises(Faults, match="method rpet3d: needs an outcome column, the cohort has none"):
        run_study(StudyRequest(bare / "cohort.csv", METHODS, folds=2), tmp_path / "c", CONFIGURATION)


def test_sites_are_left_out_one_by_one(study):
    table = pd.read_csv(study / "tables" / "outcome_sites.csv")
    assert len(table) == 2 * 2 * 2 * 2
    assert set(table["site"]) == {"A", "B"}
    lung = table[(table["label"] == "lung") & (table["method"] == "true_mask") & (table["endpoint"] == "response")]
    assert lung["cases"].sum() == 18
    assert lung["auc"].min() > 0.8


def test_one_area_has_one_interval_in_every_table(study):
    models = pd.read_csv(study / "tables" / "outcome_models.csv")
    limits = ["auc_mean", "auc_lo", "auc_hi", "accuracy_lo", "accuracy_hi"]
    for label in ("lung", "oesophagus"):
        table = pd.read_csv(study / "tables" / f"table_{label}.csv").set_index(["method", "endpoint"])
        for row in models[(models["model"] == "elastic_net") & (models["label"] == label)].to_dict("records"):
            own = table.loc[(row["method"], row["endpoint"])]
            np.testing.assert_array_equal([row[name] for name in limits], own[limits].to_numpy(float))


def test_survival_by_risk_groups(study):
    cases = pd.read_csv(study / "tables" / "survival.csv")
    assert set(cases["label"]) == {"lung"}
    assert len(cases) == 2 * 18
    groups = pd.read_csv(study / "tables" / "survival_groups.csv").set_index("method")
    assert groups.loc["true_mask", "concordance_mean"] > 0.7
    assert groups.loc["true_mask", "log_rank_p"] < 0.01


def test_features_are_computed_once_a_mask_and_kept(cohort, study, tmp_path, monkeypatch):
    copy = Path(shutil.copytree(study, tmp_path / "s"))
    table = pd.read_csv(copy / "features" / "click41.csv")
    assert list(table.columns) == ["case_id", *feature_columns()]
    assert len(table) == CASES
    before = {path.name: path.read_bytes() for path in (copy / "tables").iterdir()}
    computed, asked = [], []
    original = outcome_features.mask_features
    monkeypatch.setattr(outcome_features, "mask_features", lambda *a: (computed.append(a), original(*a))[1])
    monkeypatch.setattr(outcome_tasks, "_endpoint_rows", asked.append)
    (copy / "study.json").unlink()
    run_study(StudyRequest(cohort / "cohort.csv", METHODS, folds=2, seed=1), copy, CONFIGURATION)
    assert (computed, asked) == ([], [])
    assert {path.name: path.read_bytes() for path in (copy / "tables").iterdir()} == before
    monkeypatch.undo()
    monkeypatch.setattr(outcome_features, "mask_features", lambda *a: (computed.append(a), original(*a))[1])
    (copy / "features" / ".cases" / "click41" / "C03.json").unlink()
    (copy / "study.json").unlink()
    run_study(StudyRequest(cohort / "cohort.csv", METHODS, folds=2, seed=1), copy, CONFIGURATION)
    assert len(computed) == 1
    assert {path.name: path.read_bytes() for path in (copy / "tables").iterdir()} == before


@pytest.fixture
def features_of(cohort, tmp_path):
    """Features of two cases of the cohort, whose masks by one method a test has written or spoilt."""
    folder = Path(shutil.copytree(cohort, tmp_path / "cohort"))
    rows = pd.read_csv(folder / "cohort.csv").iloc[:2]
    rows.to_csv(folder / "cohort.csv", index=False)

    def compute():
        prepared = prepare_cohort(folder / "cohort.csv", tmp_path / "p", CONFIGURATION.prepare, overwrite=True)
        return study_features(tmp_path / "s", prepared, ("some", "other"), CONFIGURATION.radiomics)

    return folder, tmp_path / "s", compute


def test_an_empty_mask_has_a_volume_of_0_and_no_other_feature(features_of):
    folder, study, compute = features_of
    volume = read_nifti(folder / "images" / "C01.nii.gz", Unit.SUVBW)
    empty = Mask(np.zeros(volume.voxels.shape, bool), volume.affine)
    write_mask(case_folder(study, "some", "C01") / "mask.nii.gz", empty, volume.stored)
    tables, failures = compute()
    assert failures == []
    assert tables["some"].case_ids == ("C01",)
    row = dict(zip(tables["some"].names, tables["some"].values[0], strict=True))  # noqa: PD011
    assert row["mtv_ml"] == 0
    assert np.isnan(row["suv_max"])
    assert tables["true_mask"].case_ids == ("C00", "C01")


def test_the_same_mask_of_two_methods_is_described_once(features_of, monkeypatch):
    folder, study, compute = features_of
    volume = read_nifti(folder / "images" / "C01.nii.gz", Unit.SUVBW)
    for method in ("some", "other"):
        mask = Mask(volume.voxels > 0.7, volume.affine)
        write_mask(case_folder(study, method, "C01") / "mask.nii.gz", mask, volume.stored)
    computed, original = [], outcome_features.mask_features
    monkeypatch.setattr(outcome_features, "mask_features", lambda *a: (computed.append(a), original(*a))[1])
    tables, failures = compute()
    assert failures == []
    assert len(computed) == 3  # Two reference masks, and one for both methods.
    assert np.array_equal(tables["some"].values, tables["other"].values)
    assert all((study / "features" / ".cases" / method / "C01.json").is_file() for method in ("some", "other"))


def test_a_mask_that_cannot_be_read_is_listed_and_the_others_go_on(features_of):
    folder, _, compute = features_of
    (folder / "masks" / "C01.nii.gz").write_bytes(b"nothing")
    tables, failures = compute()
    assert [(item["case_id"], item["stage"], item["method"]) for item in failures] == [("C01", "features", "true_mask")]
    assert tables["true_mask"].case_ids == ("C00",)


def test_another_mask_or_setting_is_computed_anew(features_of):
    folder, _, compute = features_of
    before = compute()[0]["true_mask"].values  # noqa: PD011
    volume = read_nifti(folder / "images" / "C01.nii.gz", Unit.SUVBW)
    write_mask(folder / "masks" / "C01.nii.gz", Mask(volume.voxels > 0.7, volume.affine), volume.stored)
    after = compute()[0]["true_mask"].values  # noqa: PD011
    assert np.array_equal(before[0], after[0], equal_nan=True)
    assert not np.array_equal(before[1], after[1], equal_nan=True)


def test_outcomes_can_be_switched_off(cohort, tmp_path):
    configuration = build_configuration({"prepare": {"pixel_mm": 8.0}, "outcome": {"enabled": False}})
    run_study(StudyRequest(cohort / "cohort.csv", ("click41",), folds=2, seed=1), tmp_path / "s", configuration)
    assert not (tmp_path / "s" / "features").exists()
    table = pd.read_csv(tmp_path / "s" / "tables" / "table_lung.csv")
    assert list(table["endpoint"].isna()) == [True]
    assert len(pd.read_csv(tmp_path / "s" / "tables" / "outcome.csv")) == 0


def test_without_a_radiomics_library_the_masks_are_compared_all_the_same(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr("pointpet.quantify.radiomics.features.BACKENDS", ())
    outcome = run_study(
        StudyRequest(cohort / "cohort.csv", ("click41",), folds=2, seed=1), tmp_path / "s", CONFIGURATION
    )
    assert outcome.failures == ()
    questions = read_json(tmp_path / "s" / "study.json")["outcome"]["questions"]
    assert all("radiomics" in item["reason"] or item["endpoint"] == "rare" for item in questions)
    assert pd.read_csv(tmp_path / "s" / "tables" / "table_lung.csv")["dice_mean"].notna().all()


def plain_cohort(**changes) -> Cohort:
    cases = [
        Case(f"C{i}", label="lung", outcomes={"b": i % 2, "survival3y": i % 2}, time_days=10.0 * i, event=i % 2)
        for i in range(20)
    ]
    return Cohort(tuple(replace(case, **changes) for case in cases))


FOLDS = (
    Fold(0, tuple(f"C{i}" for i in range(10)), tuple(f"C{i}" for i in range(10, 20)), 0),
    Fold(1, tuple(f"C{i}" for i in range(10, 20)), tuple(f"C{i}" for i in range(10)), 0),
)


def test_questions_of_a_cohort():
    settings = OutcomeSettings(min_events=5)
    found = ask(plain_cohort(), FOLDS, settings)
    assert [(q.label, q.endpoint, q.cases, q.events, q.reason) for q in found] == [
        ("lung", "survival3y", 20, 10, ""), ("lung", "b", 20, 10, ""), ("lung", "", 20, 10, ""),
    ]  # fmt: skip
    assert [q.endpoint for q in ask(plain_cohort(time_days=None, event=None), FOLDS, settings)] == ["survival3y", "b"]
    assert [q.endpoint for q in ask(plain_cohort(), FOLDS, replace(settings, survival=False))] == ["survival3y", "b"]
    assert ask(plain_cohort(outcomes={"b": None}, time_days=None), FOLDS, settings) == ()
    short = ask(plain_cohort(), FOLDS, replace(settings, min_events=6))
    assert short[0].reason.startswith("10 of 20 cases were alive after three years; training of fold 0 holds 5 cases")
    assert short[1].reason.startswith("10 of 20 cases have b = 1; ")
    assert short[2].reason == ("10 of 20 cases have the event; training of fold 0 holds 5 events, 6 are needed")
