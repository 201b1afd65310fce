"""Inputs that are others than those that an earlier run of the same command has answered."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from pointpet.cli.main import app
from pointpet.core import OutputError, Unit, Volume
from pointpet.io.artefacts import read_json, write_json
from pointpet.io.nifti import read_nifti, write_volume
from pointpet.io.pet import sidecar_path
from pointpet.io.review import Review, Verdict, read_reviews, save_review
from pointpet.pipeline.predict import PredictOutcome, predict_inputs
from pointpet.pipeline.train import train_model

CASES = ("C00", "C01", "C02")
BQML_OF_SUV = 5000.0
"""What SUV 1 is in Bq/mL at 350 MBq and 70 kg."""


@pytest.fixture(scope="module")
def model(cohort_folder, quick, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m"
    train_model(cohort_folder / "cohort.csv", folder, quick, seed=1)
    return folder


@pytest.fixture
def ward(cohort_folder, model, tmp_path) -> Path:
    """A folder with a manifest of three cases in Bq/mL, their images, and what the model says of them."""
    for case_id in CASES:
        volume = read_nifti(cohort_folder / "images" / f"{case_id}.nii.gz", Unit.SUVBW)
        activity = Volume(volume.voxels * BQML_OF_SUV, volume.affine, Unit.ACTIVITY, volume.stored)
        write_volume(tmp_path / "images" / f"{case_id}.nii.gz", activity)
    table = {"case_id": CASES, "pet": [f"images/{case_id}.nii.gz" for case_id in CASES], "pet_units": "bqml"}
    pd.DataFrame({**table, "weight_kg": 70.0, "dose_bq": 350e6}).to_csv(tmp_path / "cohort.csv", index=False)
    assert predict(tmp_path, model).failures == ()
    return tmp_path


def predict(ward: Path, model: Path, out: str = "out") -> PredictOutcome:
    return predict_inputs(model, [ward / "cohort.csv"], ward / out)


def set_cell(ward: Path, column: str, value: object, case_id: str = "C01") -> None:
    table = pd.read_csv(ward / "cohort.csv").set_index("case_id")
    table.loc[case_id, column] = value
    table.to_csv(ward / "cohort.csv")


def double(ward: Path) -> None:
    """Another scan of the same name, with twice the SUV."""
    path = ward / "images" / "C01.nii.gz"
    volume = read_nifti(path, Unit.ACTIVITY)
    write_volume(path, Volume(volume.voxels * 2, volume.affine, Unit.ACTIVITY, volume.stored))


def state(ward: Path) -> dict[str, int]:
    return {case_id: (ward / "out" / case_id / "mask.nii.gz").stat().st_mtime_ns for case_id in CASES}


@pytest.mark.parametrize(
    "change",
    [
        double,
        lambda ward: set_cell(ward, "pet", "images/C02.nii.gz"),
        lambda ward: set_cell(ward, "weight_kg", 35.0),
        lambda ward: set_cell(ward, "dose_bq", 200e6),
    ],
    ids=["image", "row", "weight", "dose"],
)
def test_a_case_that_is_another_now_is_predicted_again_and_the_others_are_kept(ward, model, change):
    before, rows = state(ward), pd.read_csv(ward / "out" / "summary.csv").set_index("case_id")
    change(ward)
    outcome = predict(ward, model)
    assert (outcome.kept, outcome.renewed, outcome.failures) == (2, 1, ())
    after, now = state(ward), pd.read_csv(ward / "out" / "summary.csv").set_index("case_id")
    assert [name for name in CASES if after[name] != before[name]] == ["C01"]
    assert now.loc["C01", "suv_max"] != rows.loc["C01", "suv_max"]
    assert outcome.rows == predict(ward, model, "fresh").rows
    assert (predict(ward, model).kept, predict(ward, model).renewed) == (3, 0)


def test_another_unit_is_another_case(ward, model):
    for column, value in (("pet_units", "suv"), ("weight_kg", np.nan), ("dose_bq", np.nan)):
        set_cell(ward, column, value)
    outcome = predict(ward, model)
    assert [name for name, _ in outcome.failures] == ["C01"], "no body has an SUV of thousands"
    assert (outcome.kept, outcome.renewed) == (2, 0)
    assert not (ward / "out" / "C01").exists(), "the answer to the earlier unit must not stand where this one fails"


def test_a_sidecar_laid_beside_the_image_counts(ward, model):
    sidecar_path(ward / "images" / "C02.nii.gz").write_text('{"unit": "bqml", "warnings": ["by hand"]}')
    assert (predict(ward, model).kept, predict(ward, model).kept) == (2, 3)
    assert "by hand" in read_json(ward / "out" / "C02" / "result.json")["warnings"]


def test_touched_moved_and_otherwise_annotated_cases_are_kept_and_read_once(ward, model, monkeypatch):
    before = state(ward)
    os.utime(ward / "images" / "C00.nii.gz", ns=(1, 1))
    shutil.move(ward / "images" / "C01.nii.gz", ward / "images" / "again.nii.gz")
    set_cell(ward, "pet", "images/again.nii.gz")
    set_cell(ward, "label", "lung")
    assert predict(ward, model).kept == 3
    assert state(ward) == before
    monkeypatch.setattr("pointpet.pipeline.made_from.content_hash", None)
    assert predict(ward, model).kept == 3


def test_the_command_says_what_it_made_again_and_overwrite_makes_all(ward, model):
    double(ward)
    for case_id in ("C00", "C01"):
        save_review(ward / "out", "proposed", case_id, Review(Verdict.ACCEPTED, comment="clear"))
    command = ["predict", str(model), str(ward / "cohort.csv"), "-o", str(ward / "out")]
    done = CliRunner().invoke(app, command)
    assert "C01: the verdict in review.csv was of an earlier answer, withdrawn" in done.output
    assert read_reviews(ward / "out") == {
        ("proposed", "C00"): Review(Verdict.ACCEPTED, comment="clear"),
        ("proposed", "C01"): Review(comment="[earlier prediction: accepted] clear"),
    }
    (ward / "out" / "review.csv").unlink()
    assert "2 of 3 kept from an earlier run; --overwrite predicts them again" in done.output
    assert "1 of 3 made again: the scan, or what the manifest says of how to read it, is another" in done.output
    before = state(ward)
    done = CliRunner().invoke(app, [*command, "--overwrite"])
    assert done.exit_code == 0
    assert "kept" not in done.output
    after = state(ward)
    assert all(after[name] != before[name] for name in CASES)


def test_answers_of_cases_that_left_the_manifest_are_named(ward, model, caplog):
    table = pd.read_csv(ward / "cohort.csv")
    table[table["case_id"] != "C01"].to_csv(ward / "cohort.csv", index=False)
    assert predict(ward, model).kept == 2
    assert "C01: no longer among the inputs, their folders stay" in caplog.text
    assert (ward / "out" / "C01" / "result.json").is_file()
    assert list(pd.read_csv(ward / "out" / "summary.csv")["case_id"]) == ["C00", "C02"]


@pytest.mark.parametrize("name", ["model.json", "confidence.json"])
def test_the_same_weights_with_another_rule_or_calibration_are_another_model(ward, model, tmp_path, name):
    other = tmp_path / "other"
    shutil.copytree(model, other)
    assert predict_inputs(other, [ward / "cohort.csv"], ward / "out").kept == 3, "a copy is the same model"
    record = read_json(other / name)
    if name == "model.json":
        record["localise"]["share"] = 0.6
    else:
        record["temperature"] = 9.0
    third = tmp_path / "third"
    shutil.copytree(other, third)
    write_json(third / name, record)
    with pytest.raises(OutputError, match=r"holds the output of another run \(prediction with other settings"):
        predict_inputs(third, [ward / "cohort.csv"], ward / "out")


def test_a_picture_is_a_case_like_the_others(cohort_folder, quick, tmp_path):
    pixels = np.full((120, 60), 200, np.uint8)
    pixels[40:60, 20:40] = 20
    Image.fromarray(pixels).save(tmp_path / "p.png")
    row = {"case_id": "P", "mip_coronal": "p.png", "pixel_mm": 8.0, "mip_scale": 0.05, "mip_inverted": 1}
    pd.DataFrame([row]).to_csv(tmp_path / "cohort.csv", index=False)
    train_model(cohort_folder / "cohort.csv", tmp_path / "m", quick, method="cam_alone", seed=1)
    fates = []
    for column, value in ((None, None), (None, None), ("mip_scale", 0.1), ("pixel_mm", 7.0), (None, None)):
        if column is not None:
            row[column] = value
            pd.DataFrame([row]).to_csv(tmp_path / "cohort.csv", index=False)
        outcome = predict(tmp_path, tmp_path / "m")
        assert outcome.failures == ()
        fates.append((outcome.kept, outcome.renewed))
    assert fates == [(0, 0), (1, 0), (0, 1), (0, 1), (1, 0)]
    row["mip_sagittal"] = row.pop("mip_coronal")
    pd.DataFrame([row]).to_csv(tmp_path / "cohort.csv", index=False)
    assert predict(tmp_path, tmp_path / "m").renewed == 1, "the same picture of another plane"
