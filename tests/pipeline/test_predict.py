import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import pointpet as pp
from pointpet.core import ConfigError, GeometryError, ImageReadError, ModelError, OutputError, Unit
from pointpet.io.artefacts import read_json, write_json
from pointpet.io.nifti import read_nifti
from pointpet.localise.certainty import case_certainty
from pointpet.pipeline.confidence import calibrate_on, load_calibration
from pointpet.pipeline.model_loading import load_model
from pointpet.pipeline.predict import LESION_COLUMNS, predict_inputs, predict_volume
from pointpet.pipeline.prepare import prepare_cohort
from pointpet.pipeline.segment import segment_scan
from pointpet.pipeline.train import fit_prepared, train_model


@pytest.fixture(scope="module")
def model(cohort_folder, quick, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "m"
    train_model(cohort_folder / "cohort.csv", folder, quick, seed=1)
    return folder


def test_a_model_folder_holds_weights_record_card_and_calibration(model):
    names = {path.name for path in model.iterdir() if not path.name.startswith(".")}
    assert names == {"weights.safetensors", "model.json", "MODEL_CARD.md", "confidence.json"}
    assert "Not a medical device" in (model / "MODEL_CARD.md").read_text()


def test_training_again_with_the_same_command_keeps_the_model(cohort_folder, quick, model, monkeypatch):
    monkeypatch.setattr("pointpet.learn.train.train", None)
    train_model(cohort_folder / "cohort.csv", model, quick, seed=1)
    with pytest.raises(OutputError, match="holds the output of another run"):
        train_model(cohort_folder / "cohort.csv", model, quick, seed=2)


def test_a_prepared_folder_trains_the_same_model(cohort_folder, quick, model, tmp_path):
    prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", quick.preparing())
    train_model(tmp_path / "p", tmp_path / "m", quick, seed=1)
    ours, theirs = (folder / "weights.safetensors" for folder in (model, tmp_path / "m"))
    assert ours.read_bytes() == theirs.read_bytes()
    assert not (tmp_path / "m" / "confidence.json").exists(), "there is no scan to calibrate it on"


def test_a_prediction_has_the_confidence_that_the_models_calibration_gives(cohort_folder, model, tmp_path):
    scans = [cohort_folder / "images" / f"C{number:02d}.nii.gz" for number in (0, 1)]
    outcome = predict_inputs(model, scans, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "summary.csv")
    calibration = load_calibration(model)
    assert calibration is not None
    assert calibration.event == "class right and lesion found"
    assert calibration.scaling.cases >= 1
    fitted, record = load_model(model)
    for row, scan, told in zip(outcome.rows, scans, table["confidence"], strict=True):
        result = read_json(tmp_path / "out" / row["case_id"] / "result.json")
        prediction = predict_volume(fitted, record, read_nifti(scan, Unit.SUVBW)).prediction
        expected = float(calibration.scaling(case_certainty(prediction)))
        assert result["confidence"] == pytest.approx(expected, abs=1e-5)
        assert told == pytest.approx(expected, abs=1e-5)
        assert sum(result["probabilities_calibrated"].values()) == pytest.approx(1)
        rows = pd.read_csv(tmp_path / "out" / row["case_id"] / "lesions.csv")
        assert list(rows["confidence"]) == pytest.approx([lesion["confidence"] for lesion in result["lesions"]])


def test_python_gives_the_same_confidence_and_keeps_the_calibration(cohort_folder, model, tmp_path):
    scan = cohort_folder / "images" / "C00.nii.gz"
    predict_inputs(model, [scan], tmp_path / "out")
    written = read_json(tmp_path / "out" / "C00" / "result.json")
    loaded = pp.load_model(model)
    loaded.save(tmp_path / "copy")
    for one in (loaded, pp.load_model(tmp_path / "copy")):
        said = one.predict(read_nifti(scan, Unit.SUVBW))
        assert said.confidence == pytest.approx(written["confidence"])
        assert said.probabilities_calibrated == pytest.approx(written["probabilities_calibrated"])
    bare = pp.Model(loaded.fitted, loaded.record)
    assert bare.predict(read_nifti(scan, Unit.SUVBW)).confidence is None
    bare.save(tmp_path / "copy")
    assert not (tmp_path / "copy" / "confidence.json").exists(), "another model's calibration must not stay"


def test_the_calibration_is_that_of_the_training_cases_held_out(cohort_folder, quick, model):
    """As a study does it: on the cases that chose the epoch, by a forest that knows none of their clicks."""
    prepared = prepare_cohort(cohort_folder / "cohort.csv", model.parent / "p", quick.preparing())
    method = quick.method("proposed")
    trained = fit_prepared(method, prepared, quick, seed=1)
    held = method.held_out(trained.cases, trained.context)
    blinded = method.blinded(trained.fitted, trained.cases, trained.context)
    assert blinded is not trained.fitted
    expected = calibrate_on(blinded, [case for case in trained.cases if case.case_id in held])
    assert load_calibration(model) == expected


def test_without_a_calibration_the_confidence_is_blank_and_a_damaged_one_is_refused(cohort_folder, model, tmp_path):
    shutil.copytree(model, tmp_path / "m")
    (tmp_path / "m" / "confidence.json").unlink()
    scan = cohort_folder / "images" / "C00.nii.gz"
    predict_inputs(tmp_path / "m", [scan], tmp_path / "out")
    result = read_json(tmp_path / "out" / "C00" / "result.json")
    assert (result["confidence"], result["probabilities_calibrated"]) == (None, {})
    assert all(lesion["confidence"] is None for lesion in result["lesions"])
    assert pd.read_csv(tmp_path / "out" / "summary.csv")["confidence"].isna().all()
    (tmp_path / "m" / "confidence.json").write_text('{"scaling": {"slope": 1}}')
    with pytest.raises(ModelError, match=r"model m: confidence\.json must hold scaling, temperature and event, and"):
        load_calibration(tmp_path / "m")


def test_a_model_says_how_the_prepared_folder_was_made_not_what_the_configuration_would(cohort_folder, quick, tmp_path):
    made = replace(quick.preparing(), pixel_mm=8.0, interpolation="linear", turned_factor=1)
    prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", made)
    train_model(tmp_path / "p", tmp_path / "m", quick, method="cam_alone", seed=1)
    known = read_json(tmp_path / "m" / "model.json")["preprocessing"]
    assert (known["pixel_mm"], known["interpolation"], known["turned_factor"]) == (8.0, "linear", 1)
    prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", quick.preparing(), overwrite=True)
    with pytest.raises(OutputError, match="holds the output of another run"):
        train_model(tmp_path / "p", tmp_path / "m", quick, method="cam_alone", seed=1)


def test_a_method_without_training_is_refused(cohort_folder, quick, tmp_path):
    with pytest.raises(ConfigError, match="method suv25: has nothing to train"):
        train_model(cohort_folder / "cohort.csv", tmp_path / "m", quick, method="suv25")


def test_outputs_lie_on_the_scans_own_grid(cohort_folder, model, tmp_path):
    scan = cohort_folder / "images" / "C00.nii.gz"
    outcome = predict_inputs(model, [scan], tmp_path / "out")
    assert outcome.failures == ()
    folder = tmp_path / "out" / "C00"
    expected = {"mask.nii.gz", "cam_coronal.nii.gz", "cam_sagittal.nii.gz", "mip.png", "lesions.csv", "result.json"}
    assert {path.name for path in folder.iterdir()} == {*expected, ".inputs.json"}
    source, mask = nib.load(scan), nib.load(folder / "mask.nii.gz")
    assert mask.shape == source.shape
    np.testing.assert_array_equal(mask.affine, source.affine)
    assert set(np.unique(np.asanyarray(mask.dataobj))) <= {0, 1}
    result = read_json(folder / "result.json")
    assert set(result["probabilities"]) == {"lung", "oesophagus"}
    assert sum(result["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert "Not a medical device" in result["notice"]
    assert list(pd.read_csv(folder / "lesions.csv").columns) == list(LESION_COLUMNS)
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert list(summary["case_id"]) == ["C00"]
    mask_ml = np.asanyarray(mask.dataobj).sum() * abs(np.linalg.det(source.affine[:3, :3])) / 1000
    assert summary["mtv_ml"][0] == pytest.approx(mask_ml, rel=1e-6)


def test_the_documented_schema_is_that_of_the_files(cohort_folder, model, tmp_path):
    import re
    from pathlib import Path

    from pointpet.core import Flag

    document = (Path(__file__).parents[2] / "docs" / "file-formats.md").read_text()
    section = document.split("\n## Prediction folder\n")[1].split("\n## ")[0]
    parts = dict(re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", section, re.MULTILINE | re.DOTALL))
    names = {title: re.findall(r"`(\w+)`", body) for title, body in parts.items()}
    predict_inputs(model, [cohort_folder / "images" / "C00.nii.gz"], tmp_path / "out")
    result = read_json(tmp_path / "out" / "C00" / "result.json")
    table = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in section.splitlines() if line.startswith("| `")]
    first_cells = [name for cell in table for name in cell]
    assert set(result) <= set(first_cells)
    assert {flag.value for flag in Flag} <= set(first_cells)
    assert names["lesions.csv"] == list(LESION_COLUMNS)
    summary = list(pd.read_csv(tmp_path / "out" / "summary.csv").columns)
    documented = [name for name in names["summary.csv"] if name != "probability_CLASS"]
    assert documented == [name for name in summary if not name.startswith("probability_")]


def test_a_model_of_phantoms_is_flagged_whatever_way_it_was_trained(cohort_folder, quick, tmp_path):
    from pointpet.io.artefacts import write_json

    shutil.copytree(cohort_folder, tmp_path / "cohort")
    write_json(tmp_path / "cohort" / "phantom.json", {"preset": "default"})
    prepare_cohort(tmp_path / "cohort" / "cohort.csv", tmp_path / "p", quick.preparing())
    train_model(tmp_path / "p", tmp_path / "m", quick, seed=1)
    outcome = predict_inputs(tmp_path / "m", [cohort_folder / "images" / "C00.nii.gz"], tmp_path / "out")
    assert outcome.phantom_trained
    assert read_json(tmp_path / "out" / "C00" / "result.json")["flags"][-1] == "phantom_trained_model"
    assert outcome.rows[0]["flags"].endswith("phantom_trained_model")
    assert "to try the tool, not for patients" in (tmp_path / "m" / "MODEL_CARD.md").read_text()


def test_a_cohort_predicts_alike_and_resumes(cohort_folder, model, tmp_path):
    outcome = predict_inputs(model, [cohort_folder / "cohort.csv"], tmp_path / "out")
    assert len(outcome.rows) == 16
    before = (tmp_path / "out" / "C05" / "mask.nii.gz").stat().st_mtime_ns
    again = predict_inputs(model, [cohort_folder / "cohort.csv"], tmp_path / "out")
    assert again.rows == outcome.rows
    assert (outcome.kept, again.kept) == (0, 16)
    assert (tmp_path / "out" / "C05" / "mask.nii.gz").stat().st_mtime_ns == before


def test_one_bad_input_leaves_the_others(cohort_folder, model, tmp_path):
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"nonsense")
    outcome = predict_inputs(model, [bad, cohort_folder / "images" / "C01.nii.gz"], tmp_path / "out")
    assert [name for name, _ in outcome.failures] == ["bad"]
    assert [row["case_id"] for row in outcome.rows] == ["C01"]
    assert not (tmp_path / "out" / "bad").exists()


def test_every_answer_says_which_input_it_was_made_from(cohort_folder, model, tmp_path):
    first = cohort_folder / "images" / "C01.nii.gz"
    for name in ("other/C01.nii.gz", "Jane Doe.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(cohort_folder / "images" / "C02.nii.gz", tmp_path / name)
    inputs = [tmp_path / "Jane Doe.nii.gz", first, tmp_path / "other" / "C01.nii.gz"]
    predict_inputs(model, inputs, tmp_path / "out")
    summary = pd.read_csv(tmp_path / "out" / "summary.csv", keep_default_na=False)
    cells = summary[["case_id", "input", "input_name"]].to_numpy().tolist()
    assert cells == [["case_1", 1, ""], ["C01", 2, "C01.nii.gz"], ["case_3", 3, "C01.nii.gz"]]
    told = [read_json(tmp_path / "out" / case_id / "result.json")["input"] for case_id, *_ in cells]
    assert told == [{"number": number, "name": name or None} for _, number, name in cells]


def test_a_missing_input_is_named(model, tmp_path):
    with pytest.raises(ImageReadError, match=r"nowhere\.nii: does not exist"):
        predict_inputs(model, [tmp_path / "nowhere.nii"], tmp_path / "out")


def test_a_case_of_a_manifest_names_the_manifest(cohort_folder, model, tmp_path):
    table = pd.read_csv(cohort_folder / "cohort.csv", nrows=1)
    for column in ("pet", "mask"):
        table[column] = str(cohort_folder) + "/" + table[column]
    table.to_csv(tmp_path / "ward.csv", index=False)
    predict_inputs(model, [cohort_folder / "images" / "C05.nii.gz", tmp_path / "ward.csv"], tmp_path / "out")
    result = read_json(tmp_path / "out" / "C00" / "result.json")
    assert result["input"] == {"number": 2, "name": "ward.csv"}


def test_a_name_that_is_no_case_id_becomes_a_number(cohort_folder, model, tmp_path):
    scan = tmp_path / "Jane Doe (1970).nii.gz"
    scan.write_bytes((cohort_folder / "images" / "C02.nii.gz").read_bytes())
    predict_inputs(model, [scan], tmp_path / "out")
    assert (tmp_path / "out" / "case_1" / "mask.nii.gz").is_file()
    for path in (tmp_path / "out").rglob("*"):
        assert "Jane" not in path.name
        if path.is_file():
            assert b"Jane" not in path.read_bytes()


def test_a_folder_that_is_no_model_is_refused(tmp_path, cohort_folder):
    with pytest.raises(ModelError):
        predict_inputs(tmp_path, [cohort_folder / "images" / "C01.nii.gz"], tmp_path / "out")


def test_one_click_writes_mask_and_result(cohort_folder, tmp_path):
    table = pd.read_csv(cohort_folder / "cohort.csv").set_index("case_id")
    point = tuple(float(table.loc["C03", name]) for name in ("x_mm", "y_mm", "z_mm"))
    scan = cohort_folder / "images" / "C03.nii.gz"
    result = segment_scan(scan, point, tmp_path / "out", rule="click41")
    mask = np.asanyarray(nib.load(tmp_path / "out" / "mask.nii.gz").dataobj) > 0
    truth = np.asanyarray(nib.load(cohort_folder / "masks" / "C03.nii.gz").dataobj) > 0
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.95
    assert result["lesions"][0]["suv_max"] == pytest.approx(8.0, abs=1.0)
    assert any("suv" in warning.lower() for warning in result["warnings"]), "a bare NIfTI's unit is an assumption"


def test_a_click_outside_is_refused(cohort_folder, tmp_path):
    with pytest.raises(GeometryError, match="--point: must lie inside the scan"):
        segment_scan(cohort_folder / "images" / "C03.nii.gz", (999.0, 0.0, 0.0), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_rule_names_the_rules(cohort_folder, tmp_path):
    with pytest.raises(ConfigError, match=r"--rule magic: is not known\. Use one of: .*click41"):
        segment_scan(cohort_folder / "images" / "C03.nii.gz", (0.0, 0.0, 0.0), tmp_path / "out", rule="magic")


def test_a_model_that_was_trained_again_in_its_place_is_read_again(model, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    first = load_model(copy)
    assert load_model(copy)[0] is first[0]
    record = read_json(copy / "model.json")
    write_json(copy / "model.json", {**record, "seed": 77})
    assert load_model(copy)[1]["seed"] == 77


def test_a_second_run_says_what_it_kept(cohort_folder, model, tmp_path):
    from typer.testing import CliRunner

    from pointpet.cli.main import app

    command = ["predict", str(model), str(cohort_folder / "images" / "C01.nii.gz"), "-o", str(tmp_path / "out")]
    first, again = (CliRunner().invoke(app, command) for _ in range(2))
    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert "kept" not in first.output
    assert "1 of 1 kept from an earlier run; --overwrite predicts them again" in again.output
