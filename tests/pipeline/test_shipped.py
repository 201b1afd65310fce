"""The model that comes with the package: small, whole, marked, and usable at once."""

import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import pointpet as pp
from pointpet.cli.main import app
from pointpet.io.artefacts import read_json
from pointpet.io.model_folder import read_model
from pointpet.methods.model_card import PHANTOM_NOTICE, SECTIONS
from pointpet.pipeline.predict import predict_inputs
from pointpet.pipeline.shipped import SHIPPED, find_model, shipped_models

LARGEST_BYTES = 3_000_000


def test_demo_is_small_and_holds_no_pickle():
    assert shipped_models() == ("demo",)
    files = [path for path in (SHIPPED / "demo").iterdir() if path.is_file()]
    assert {path.name for path in files} == {"weights.safetensors", "model.json", "confidence.json", "MODEL_CARD.md"}
    assert sum(path.stat().st_size for path in files) < LARGEST_BYTES
    tensors, record = read_model(SHIPPED / "demo")
    assert all(np.isfinite(values).all() for values in tensors.values())
    assert record["method"] == "proposed"
    assert record["cohort"]["source"] == "phantom"


def test_its_card_is_complete_and_says_what_it_is_not_for():
    card = (SHIPPED / "demo" / "MODEL_CARD.md").read_text()
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == [*SECTIONS, "Settings"]
    assert card.index(PHANTOM_NOTICE) < card.index("## Model details")
    assert "Not a medical device" in card


def test_a_name_is_found_unless_a_model_of_that_name_lies_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("demo") == SHIPPED / "demo"
    (tmp_path / "demo" / "study").mkdir(parents=True)
    assert find_model("demo") == SHIPPED / "demo", "what `make demo` leaves is no model"
    shutil.copytree(SHIPPED / "demo", tmp_path / "demo", dirs_exist_ok=True)
    assert find_model("demo").resolve() == (tmp_path / "demo").resolve()
    assert str(find_model("other")) == "other"


def test_it_predicts_a_scan_at_once_and_marks_the_result(cohort_folder, tmp_path):
    scan = cohort_folder / "images" / "C00.nii.gz"
    done = CliRunner().invoke(app, ["predict", "demo", str(scan), "-o", str(tmp_path / "out"), "--units", "suv"])
    assert done.exit_code == 0, done.output
    assert "warning: this model was trained on digital phantoms: to try the tool, not for patients" in done.stderr
    assert "1 cases" in done.stdout
    result = read_json(tmp_path / "out" / "C00" / "result.json")
    assert result["flags"][-1] == "phantom_trained_model"
    assert set(result["probabilities"]) == {"lung", "oesophagus"}
    assert 0 < result["confidence"] < 1


def test_quiet_leaves_the_mark_to_the_result(cohort_folder, tmp_path):
    scan = cohort_folder / "images" / "C00.nii.gz"
    arguments = ["predict", "demo", str(scan), "-o", str(tmp_path / "out"), "--units", "suv", "--quiet"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert read_json(tmp_path / "out" / "C00" / "result.json")["flags"][-1] == "phantom_trained_model"


@pytest.mark.realdata
def test_it_predicts_a_real_whole_body_scan(real_data, tmp_path):
    scan = real_data / "sts001_raw" / "STS_001" / "FDG_PET" / "image"
    outcome = predict_inputs("demo", [scan], tmp_path / "out", formats=("nifti", "dicom-seg", "rtstruct"))
    assert outcome.failures == ()
    (row,) = outcome.rows
    folder = tmp_path / "out" / row["case_id"]
    names = {path.name for path in folder.iterdir()}
    assert {"mask.nii.gz", "mip.png", "result.json", "seg.dcm", "rtstruct.dcm"} <= names
    volume = pp.read_pet(scan)
    mask = pp.read_mask(folder / "mask.nii.gz", volume)
    result = pp.load_model("demo").predict(volume)
    np.testing.assert_array_equal(result.mask.voxels, mask.voxels)
    assert result.flags[-1] is pp.Flag.PHANTOM_MODEL
    # A sarcoma of the thigh, to a model of lung and oesophagus: what it outlines is a kidney's pelvis.
    assert pp.Flag.UNLIKE_TRAINING in result.flags
    assert {pp.Flag.MAPS_BLIND, pp.Flag.MAPS_DISAGREE} & set(result.flags)
