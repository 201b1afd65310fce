import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pointpet import __version__
from pointpet.core import ConfigError, Faults, Mask, OutputError, Unit
from pointpet.evaluate.trust import CONFIDENCE_COLUMNS, TRUST_COLUMNS
from pointpet.io.artefacts import read_json, write_json
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.model_folder import read_model
from pointpet.io.nifti import read_nifti, write_mask
from pointpet.pipeline import fold as folding
from pointpet.pipeline.config import PrepareSettings, build_configuration
from pointpet.pipeline.fold import FoldTask, case_folder, model_folder, run_fold
from pointpet.pipeline.lesion_free import lesion_free_classes
from pointpet.pipeline.mapping import map_tasks
from pointpet.pipeline.prepare import PreparedCase, PreparedCohort, prepare_cohort
from pointpet.pipeline.processes import worker_lost
from pointpet.pipeline.program import program
from pointpet.pipeline.study import StudyRequest, run_study

METHODS = ("proposed", "cam_alone", "cam_fcn", "unet", "suv25", "click41")

LEARNED = ("proposed", "cam_alone", "cam_fcn", "unet")


@pytest.fixture(scope="module")
def study(cohort_folder, quick, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3), out, quick)
    return out


def digests(folder: Path, *endings: str) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.endswith(endings))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_tables_have_their_columns(study):
    segmentation = pd.read_csv(study / "tables" / "segmentation.csv")
    expected = (
        "method,label,case_id,fold,dice,dice_hull,nsd_2mm,hd95_mm,sensitivity,fp_ml,fn_ml,hit,hit_strict,distance_mm,"
        "mtv_ml,mtv_true_ml"
    )
    assert ",".join(segmentation.columns[:16]) == expected
    assert len(segmentation) == 16 * len(METHODS)
    classification = pd.read_csv(study / "tables" / "classification.csv")
    assert list(classification.columns) == [
        "method", "case_id", "fold", "truth", "predicted", "probability_lung", "probability_oesophagus",
    ]  # fmt: skip
    assert set(classification["method"]) == {"proposed", "cam_alone", "cam_fcn", "unet"}
    table = pd.read_csv(study / "tables" / "table_lung.csv")
    assert list(table["method"]) == list(METHODS)
    assert {"dice_mean", "dice_sd", "dice_lo", "dice_hi", "auc_mean", "training_input", "test_input"} <= set(table)
    comparisons = pd.read_csv(study / "tables" / "comparisons.csv")
    assert list(comparisons.columns[:10]) == [
        "label", "measure", "method_a", "method_b", "difference", "lo", "hi", "p", "p_corrected", "n",
    ]  # fmt: skip


def test_every_case_is_tested_once_and_every_file_is_there(study):
    folds = pd.read_csv(study / "folds.csv")
    assert sorted(folds["case_id"]) == [f"C{number:02d}" for number in range(16)]
    for case_id in folds["case_id"]:
        names = {path.name for path in case_folder(study, "proposed", case_id).iterdir()}
        assert names == {"mask.nii.gz", "cam_coronal.nii.gz", "cam_sagittal.nii.gz", "mip.png", "result.json"}
    for fold in (0, 1):
        names = {path.name for path in model_folder(study, "proposed", fold).iterdir()}
        assert names == {"weights.safetensors", "model.json", "MODEL_CARD.md", "confidence.json"}
    assert (study / "report.html").stat().st_size > 10_000
    record = read_json(study / "study.json")
    assert record["seed"] == 3
    assert record["failures"] == []
    forests = {method["name"]: (method.get("forest_trees"), method.get("no_forest")) for method in record["methods"]}
    assert forests["proposed"] == ([5, 5], ["", ""])
    assert forests["cam_alone"] == ([0, 0], ["", ""])
    assert record["cohort"]["by_label"] == {"lung": 8, "oesophagus": 8}
    assert [method["name"] for method in record["methods"]] == list(METHODS)


def test_methods_that_classify_have_a_confidence_for_each_case(study):
    cases = pd.read_csv(study / "tables" / "confidence.csv")
    assert list(cases.columns) == list(CONFIDENCE_COLUMNS)
    assert set(cases["method"]) == set(LEARNED)
    assert len(cases) == 16 * len(LEARNED)
    assert cases["confidence"].between(0, 1).all()
    table = pd.read_csv(study / "tables" / "risk_coverage.csv")
    assert list(table.columns) == list(TRUST_COLUMNS)
    assert read_json(case_folder(study, "suv25", "C00") / "result.json")["confidence"] is None
    events = {name: read_json(model_folder(study, name, 0) / "confidence.json")["event"] for name in LEARNED}
    assert events == {
        "proposed": "class right and lesion found",
        "cam_alone": "class right",
        "cam_fcn": "class right",
        "unet": "class right and lesion found",
    }


def test_no_checkpoint_or_lock_is_left(study):
    assert not [path for path in study.rglob("*") if "checkpoint" in path.name or path.name.endswith(".lock")]


def test_the_same_seed_gives_identical_bytes(cohort_folder, quick, study, tmp_path):
    run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3), tmp_path / "again", quick)
    endings = ("weights.safetensors", ".nii.gz", ".csv")
    assert digests(study, *endings) == digests(tmp_path / "again", *endings)


@pytest.mark.slow
def test_side_by_side_gives_what_one_after_the_other_gives(cohort_folder, quick, study, tmp_path):
    request = StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3, workers=2)
    outcome = run_study(request, tmp_path / "beside", quick)
    assert outcome.failures == ()
    endings = ("weights.safetensors", ".nii.gz", ".csv")
    assert digests(study, *endings) == digests(tmp_path / "beside", *endings)


def test_a_fold_whose_process_died_fails_with_its_methods_and_the_others_count(
    cohort_folder, quick, study, tmp_path, monkeypatch
):
    """A loss is put in place of the second fold's answer; tests/pipeline/test_processes.py kills real processes."""
    shutil.copytree(study, tmp_path / "s")
    (tmp_path / "s" / "study.json").unlink()
    whole = map_tasks

    def losing(function, items, **options):
        for item, answer, error in whole(function, items, **options):
            lost = function is run_fold and item.fold.number == 1
            yield item, None if lost else answer, worker_lost(2) if lost else error

    monkeypatch.setattr("pointpet.pipeline.study.map_tasks", losing)
    outcome = run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3), tmp_path / "s", quick)
    assert {(item["method"], item["fold"], item["stage"], item["code"]) for item in outcome.failures} == {
        (method, 1, "train", "PP-WORKER-LOST") for method in METHODS
    }


def test_an_interrupted_study_goes_on_where_it_stopped(cohort_folder, quick, study, tmp_path, monkeypatch):
    shutil.copytree(study, tmp_path / "s")
    before = digests(tmp_path / "s", "weights.safetensors", ".nii.gz", ".csv")
    shutil.rmtree(case_folder(tmp_path / "s", "proposed", "C04"))
    (tmp_path / "s" / "study.json").unlink()
    monkeypatch.setattr("pointpet.learn.train.train", None)  # a second training would fail
    run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3), tmp_path / "s", quick)
    assert digests(tmp_path / "s", "weights.safetensors", ".nii.gz", ".csv") == before


def test_a_finished_study_answers_at_once_and_stays_as_it_is(cohort_folder, quick, study, tmp_path, monkeypatch):
    shutil.copytree(study, tmp_path / "s")
    shutil.rmtree(tmp_path / "s" / ".prepared")
    before = digests(tmp_path / "s", "")
    for stage in ("prepare_cohort", "run_outcomes", "render_report"):
        monkeypatch.setattr(f"pointpet.pipeline.study.{stage}", None)
    request = StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3)
    outcome = run_study(request, tmp_path / "s", quick)
    assert (outcome.report_path, outcome.failures) == (tmp_path / "s" / "report.html", ())
    assert digests(tmp_path / "s", "") == before


@pytest.mark.parametrize("changed", [{"version": "0.0.9"}, {"code": "0123456789ab"}, {}])
def test_a_study_of_another_state_of_the_program_is_not_gone_on_with(cohort_folder, quick, study, tmp_path, changed):
    """Another version, other code of the same version, or a claim that says neither."""
    shutil.copytree(study, tmp_path / "s")
    claim = read_json(tmp_path / "s" / ".request.json")
    assert {name: claim[name] for name in ("version", "code")} == program()
    held = claim | changed if changed else {name: claim[name] for name in ("kind", "digest")}
    write_json(tmp_path / "s" / ".request.json", held)
    before = digests(tmp_path / "s", "")
    name = f"pointpet {held['version']}, code {held['code']}" if changed else "an earlier pointpet"
    text = re.escape(f"output folder s: holds the output of another state of the program (study of {name}; this is ")
    with pytest.raises(OutputError, match=text + rf"pointpet {__version__}, code \w{{12}}\)"):
        run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3), tmp_path / "s", quick)
    assert digests(tmp_path / "s", "") == before


def test_a_study_whose_methods_another_version_of_a_package_adds_is_not_gone_on_with(
    cohort_folder, quick, study, tmp_path, monkeypatch
):
    shutil.copytree(study, tmp_path / "s")
    monkeypatch.setattr("pointpet.pipeline.study.added_by", lambda methods: {"atlas": "atlas 2.1"})
    with pytest.raises(OutputError, match="with other settings or inputs"):
        run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3), tmp_path / "s", quick)


def removed_answer(study: Path) -> None:
    shutil.rmtree(case_folder(study, "proposed", "C04"))


def failed_case(study: Path) -> None:
    record = read_json(study / "study.json")
    write_json(study / "study.json", {**record, "failures": [{"case_id": "C04"}]})


@pytest.mark.parametrize("change", [removed_answer, failed_case])
def test_a_study_with_something_left_to_do_goes_on(cohort_folder, quick, study, tmp_path, monkeypatch, change):
    shutil.copytree(study, tmp_path / "s")
    change(tmp_path / "s")
    monkeypatch.setattr("pointpet.learn.train.train", None)
    outcome = run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=3), tmp_path / "s", quick)
    assert outcome.failures == ()
    assert read_json(tmp_path / "s" / "study.json")["failures"] == []
    assert digests(tmp_path / "s", ".nii.gz", ".csv") == digests(study, ".nii.gz", ".csv")


def test_another_study_in_the_same_folder_is_refused(cohort_folder, quick, study):
    with pytest.raises(OutputError, match="holds the output of another run"):
        run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2, seed=4), study, quick)


def test_a_method_that_cannot_apply_is_named_with_its_reason(cohort_folder, quick, tmp_path):
    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    table = pd.read_csv(cohort / "cohort.csv").drop(columns=["x_mm", "y_mm", "z_mm"])
    table.to_csv(cohort / "cohort.csv", index=False)
    with pytest.raises(Faults, match="method click41: needs a point per patient, the cohort has none"):
        run_study(StudyRequest(cohort / "cohort.csv", METHODS, folds=2), tmp_path / "s", quick)


def test_lesion_free_classes_must_occur(cohort_folder, tmp_path):
    configuration = build_configuration({"study": {"lesion_free": ["control"]}})
    with pytest.raises(Exception, match="names classes that do not occur: control"):
        run_study(StudyRequest(cohort_folder / "cohort.csv", METHODS, folds=2), tmp_path / "s", configuration)


def as_prepared(cases) -> PreparedCohort:
    return PreparedCohort(
        tuple(PreparedCase(case, Path(), case.case_id, has_truth=case.has_truth) for case in cases), PrepareSettings()
    )


def test_a_class_with_lesions_must_be_left(cohort_folder):
    configuration = build_configuration({"study": {"lesion_free": ["oesophagus", "lung"]}})
    text = "study.lesion_free: must leave a class with lesions, got all of them: lung, oesophagus"
    with pytest.raises(ConfigError, match=text):
        lesion_free_classes(as_prepared(read_cohort(cohort_folder / "cohort.csv")), configuration)


def test_points_of_unlabelled_cases_make_no_class_free_of_lesions(cohort_folder, quick):
    cases = read_cohort(cohort_folder / "cohort.csv").cases
    bare = [replace(case, mask=None, points_mm=np.zeros((0, 3))) for case in cases[1:]]
    assert lesion_free_classes(as_prepared([replace(cases[0], label=None), *bare]), quick) == ()
    assert lesion_free_classes(as_prepared([cases[0], *bare]), quick) == ("oesophagus",)


def fold_task(prepared, study: Path, quick) -> FoldTask:
    from pointpet.evaluate.folds import make_folds

    fold = make_folds(prepared.cohort, n_folds=2, seed=0)[0]
    return FoldTask(study, fold, prepared, LEARNED, ("lung", "oesophagus"), (), quick, seed=1)


def test_a_model_of_a_fold_says_how_its_cases_were_prepared(cohort_folder, quick, tmp_path):
    """Of the MIPs that it learnt from, not of the configuration: a new scan is to be treated as they were."""
    finer = replace(quick, prepare=replace(quick.prepare, pixel_mm=2.0, turns_deg=(5.0,)))
    prepared = prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", quick.preparing())
    task = replace(fold_task(prepared, tmp_path / "s", finer), methods=("cam_alone",))
    assert run_fold(task) == []
    told = read_model(model_folder(task.study, "cam_alone", 0))[1]["preprocessing"]
    assert (told["pixel_mm"], told["turns_deg"]) == (4.0, list(quick.prepare.turns_deg))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_points_masks_and_labels_of_the_test_fold_never_reach_training_or_prediction(
    cohort_folder, quick, tmp_path, dimensions
):
    """Falsify everything that is annotated of the test cases: weights, maps, masks and probabilities stay the same."""
    quick = replace(
        quick,
        unet=replace(quick.unet, dimensions=dimensions),
        training=replace(quick.training, turns=True),
        prepare=replace(quick.prepare, turns_deg=(16.0,)),
    )
    honest = prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", quick.preparing())
    assert all(len(case.turned()) == 1 for case in honest.cases), "turned views must take part"
    task = fold_task(honest, tmp_path / "honest", quick)
    task = task if dimensions == 2 else replace(task, methods=("unet",))
    assert run_fold(task) == []
    if "proposed" in task.methods:
        assert "candidates.root" in read_model(model_folder(task.study, "proposed", 0))[0], "a forest must take part"
    tested = set(task.fold.test)
    cases = [falsified(case, tmp_path) if case.case.case_id in tested else case for case in honest.cases]
    lied = replace(task, study=tmp_path / "lied", prepared=replace(honest, cases=tuple(cases)))
    assert run_fold(lied) == []

    endings = ("weights.safetensors", ".nii.gz")
    assert digests(tmp_path / "lied", *endings) == digests(tmp_path / "honest", *endings)
    measured = []
    for method in task.methods:
        for case_id in task.fold.test:
            ours, theirs = (
                read_json(case_folder(folder, method, case_id) / "result.json")
                for folder in (tmp_path / "honest", tmp_path / "lied")
            )
            for name in ("probabilities", "predicted", "flags", "lesions", "confidence"):
                assert ours[name] == theirs[name]
            measured.append(ours["measures"]["mtv_true_ml"] != theirs["measures"]["mtv_true_ml"])
    assert all(measured), "the falsified masks must have been read by the evaluation"


def test_marks_of_the_test_fold_say_nothing_of_which_classes_are_free_of_lesions(cohort_folder, quick, tmp_path):
    """In the training part nobody marked a lesion of a class; in the whole cohort somebody did, or nobody."""
    honest = prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", quick.preparing())
    tested = fold_task(honest, tmp_path, quick).fold.test

    def case_of(known: PreparedCase, told: bool) -> PreparedCase:
        if known.case.label == "lung" or (told and known.case.case_id in tested):
            return known
        return replace(known, case=replace(known.case, points_mm=np.zeros((0, 3)), mask=None), has_truth=False)

    for name, told, whole in (("silent", False, ("oesophagus",)), ("marked", True, ())):
        cohort = replace(honest, cases=tuple(case_of(known, told) for known in honest.cases))
        assert lesion_free_classes(cohort, quick) == whole
        task = replace(fold_task(cohort, tmp_path / name, quick), methods=("proposed", "cam_alone"), lesion_free=whole)
        assert run_fold(task) == []
        for method in task.methods:
            assert read_model(model_folder(task.study, method, 0))[1]["lesion_free"] == ["oesophagus"]
    endings = ("weights.safetensors", ".nii.gz", "confidence.json")
    assert digests(tmp_path / "silent", *endings) == digests(tmp_path / "marked", *endings)


def test_what_is_prepared_of_a_scan_knows_no_point_label_or_mask(cohort_folder, quick, tmp_path):
    """Everything a method is given beside the annotation is made before any fold: none of it may follow from it."""
    table = pd.read_csv(cohort_folder / "cohort.csv").head(2)
    table["pet"] = [str(cohort_folder / name) for name in table["pet"]]
    true = table.assign(mask=[str(cohort_folder / name) for name in table["mask"]])
    volume = read_nifti(cohort_folder / "images" / "C00.nii.gz", Unit.SUVBW)
    wrong = np.zeros(volume.voxels.shape, bool)
    wrong[1:3, 1:3, 1:3] = True
    write_mask(tmp_path / "wrong.nii.gz", Mask(wrong, volume.affine), volume.stored)
    lied = table.assign(
        mask=str(tmp_path / "wrong.nii.gz"),
        label=table["label"].to_numpy()[::-1],
        **{name: table[name] + 24 for name in ("x_mm", "y_mm", "z_mm")},
    )
    bare = table.drop(columns=["x_mm", "y_mm", "z_mm", "mask", "label"])
    made = {}
    for name, rows in {"true": true, "lied": lied, "bare": bare}.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        prepared = prepare_cohort(tmp_path / f"{name}.csv", tmp_path / name, quick.preparing())
        assert prepared.failures == ()
        made[name] = digests(tmp_path / name, ".npz")
    assert {Path(name).name for name in made["true"]} == {
        f"{case_id}{ending}" for case_id in ("C00", "C01") for ending in (".npz", ".turned.npz", ".candidates.npz")
    }
    assert made["true"] == made["lied"] == made["bare"]


def falsified(prepared, folder: Path):
    case = prepared.case
    volume = read_nifti(case.pet, Unit.SUVBW)
    wrong = np.zeros(volume.voxels.shape, bool)
    wrong[1:3, 1:3, 1:3] = True
    path = folder / f"wrong_{case.case_id}.nii.gz"
    write_mask(path, Mask(wrong, volume.affine), volume.stored)
    label = {"lung": "oesophagus", "oesophagus": "lung"}[case.label]
    return replace(prepared, case=replace(case, points_mm=case.points_mm + 60.0, mask=path, label=label))


def test_training_points_do_reach_training(cohort_folder, quick, tmp_path):
    """The counterpart: what the previous test falsifies matters where it may be used."""
    honest = prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", quick.prepare)
    task = fold_task(honest, tmp_path / "honest", quick)
    run_fold(task)
    trained = set(task.fold.train)
    cases = [
        replace(case, case=replace(case.case, points_mm=case.case.points_mm + np.array([0, 0, -40.0])))
        if case.case.case_id in trained
        else case
        for case in honest.cases
    ]
    run_fold(replace(task, study=tmp_path / "lied", prepared=replace(honest, cases=tuple(cases))))
    ours, theirs = (
        digests(tmp_path / "honest", "weights.safetensors"),
        digests(tmp_path / "lied", "weights.safetensors"),
    )
    assert ours["models/proposed/fold_0/weights.safetensors"] != theirs["models/proposed/fold_0/weights.safetensors"]
    assert ours["models/cam_alone/fold_0/weights.safetensors"] == theirs["models/cam_alone/fold_0/weights.safetensors"]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_training_masks_reach_the_unet_alone(cohort_folder, quick, tmp_path, dimensions):
    quick = replace(quick, unet=replace(quick.unet, dimensions=dimensions))
    honest = prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", quick.prepare)
    task = replace(fold_task(honest, tmp_path / "honest", quick), methods=("unet", "cam_fcn"))
    run_fold(task)
    trained = set(task.fold.train)
    cases = [falsified(case, tmp_path) if case.case.case_id in trained else case for case in honest.cases]
    cases = [
        replace(lied, case=replace(true.case, mask=lied.case.mask))
        for true, lied in zip(honest.cases, cases, strict=True)
    ]
    run_fold(replace(task, study=tmp_path / "lied", prepared=replace(honest, cases=tuple(cases))))
    ours, theirs = (digests(tmp_path / name, "weights.safetensors") for name in ("honest", "lied"))
    assert ours["models/unet/fold_0/weights.safetensors"] != theirs["models/unet/fold_0/weights.safetensors"]
    assert ours["models/cam_fcn/fold_0/weights.safetensors"] == theirs["models/cam_fcn/fold_0/weights.safetensors"]


def test_a_case_that_fails_at_test_time_is_listed_and_the_fold_goes_on(cohort_folder, quick, tmp_path, monkeypatch):
    prepared = prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", quick.prepare)
    task = replace(fold_task(prepared, tmp_path / "s", quick), methods=("suv25",))
    broken = task.fold.test[0]
    original = folding.measure_case
    monkeypatch.setattr(
        folding,
        "measure_case",
        lambda prediction, *args, **kwargs: (
            original(prediction, *args, **kwargs) if prediction.case_id != broken else 1 / 0
        ),
    )
    failures = run_fold(task)
    assert [(item["case_id"], item["stage"], item["method"]) for item in failures] == [(broken, "predict", "suv25")]
    assert all((case_folder(task.study, "suv25", name) / "result.json").is_file() for name in task.fold.test[1:])
