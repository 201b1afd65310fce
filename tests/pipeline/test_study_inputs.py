"""A cohort whose images or masks are replaced after a study of it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pointpet.core import Mask, OutputError, Unit, Volume
from pointpet.io.artefacts import read_json
from pointpet.io.nifti import read_mask, read_nifti, write_mask, write_volume
from pointpet.io.review import Review, Verdict, save_review, verdicts_given
from pointpet.pipeline import study_inputs
from pointpet.pipeline.fold import case_folder, model_folder
from pointpet.pipeline.study import StudyRequest, run_study

METHODS = ("proposed", "unet", "suv25")
CASE = "C04"


@pytest.fixture(scope="module")
def finished(cohort_folder, quick, tmp_path_factory) -> Path:
    """A folder with a cohort and a study of it."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(cohort_folder, folder / "cohort")
    run_study(request_of(folder), folder / "study", quick)
    return folder


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """The same to change; files keep their times."""
    shutil.copytree(finished, tmp_path / "c")
    return tmp_path / "c"


def request_of(folder: Path) -> StudyRequest:
    return StudyRequest(folder / "cohort" / "cohort.csv", METHODS, folds=2, seed=3)


def again(folder: Path, quick) -> None:
    assert run_study(request_of(folder), folder / "study", quick).failures == ()


def image_of(folder: Path, case_id: str = CASE) -> Path:
    return folder / "cohort" / "images" / f"{case_id}.nii.gz"


def replace_image(folder: Path) -> None:
    volume = read_nifti(image_of(folder), Unit.SUVBW)
    write_volume(image_of(folder), Volume(volume.voxels[:, :, ::-1] * 1.1, volume.affine, stored=volume.stored))


def replace_mask(folder: Path) -> None:
    volume = read_nifti(image_of(folder), Unit.SUVBW)
    path = folder / "cohort" / "masks" / f"{CASE}.nii.gz"
    write_mask(path, Mask(np.roll(read_mask(path, volume).voxels, 3, axis=0), volume.affine), volume.stored)


def times(folder: Path) -> dict[tuple[str, str], int]:
    """When each model and answer was written: (method, fold or case) to ns."""
    found = {}
    for method in METHODS:
        for number in (0, 1):
            path = model_folder(folder / "study", method, number) / "weights.safetensors"
            if path.is_file():
                found[method, str(number)] = path.stat().st_mtime_ns
        for path in sorted((folder / "study" / "predictions" / method).glob("*/result.json")):
            found[method, path.parent.name] = path.stat().st_mtime_ns
    return found


def made_again(folder: Path, before: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
    after = times(folder)
    assert set(after) == set(before)
    return {name for name, time in after.items() if time != before[name]}


def resting_on_training(folder: Path, method: str) -> set[tuple[str, str]]:
    """The model that was trained on the case, and the answers it gave."""
    table = pd.read_csv(folder / "study" / "folds.csv", dtype=str).set_index("case_id")["fold"]
    other = str(1 - int(table[CASE]))
    return {(method, other)} | {(method, case_id) for case_id in table.index[table == other]}


def test_a_replaced_image_makes_again_what_rests_on_it_and_nothing_else(copied, quick, caplog):
    before, tables = times(copied), pd.read_csv(copied / "study" / "tables" / "segmentation.csv")
    replace_image(copied)
    fold = pd.read_csv(copied / "study" / "folds.csv").set_index("case_id")["fold"]
    kept = next(name for name in fold.index if fold[name] == fold[CASE] and name != CASE)
    # Of a case of the other fold, trained on the replaced image, only the trained method's answer is another one.
    other = next(name for name in fold.index if fold[name] != fold[CASE])
    for method, case_id in (("suv25", CASE), ("suv25", kept), ("suv25", other), ("proposed", other)):
        save_review(copied / "study", method, case_id, Review(Verdict.REJECTED))
    again(copied, quick)
    assert verdicts_given(copied / "study") == {("suv25", kept), ("suv25", other)}
    withdrawn = ", ".join(sorted([CASE, other]))
    assert f"{withdrawn}: verdicts in review.csv were of earlier answers, withdrawn" in caplog.text
    expected = {(method, CASE) for method in METHODS}
    expected |= resting_on_training(copied, "proposed") | resting_on_training(copied, "unet")
    assert made_again(copied, before) == expected
    assert f"image or mask of {CASE} was replaced: 2 models and 19 answers are made again" in caplog.text
    assert not pd.read_csv(copied / "study" / "tables" / "segmentation.csv").equals(tables)
    record = read_json(copied / "study" / "study.json")
    assert record["inputs"][CASE] == read_json(copied / "study" / ".prepared" / "cases" / f"{CASE}.json")["pixel_hash"]


def test_a_replaced_mask_trains_those_again_that_are_given_masks_and_measures_the_others_anew(copied, quick):
    before = times(copied)
    replace_mask(copied)
    again(copied, quick)
    assert made_again(copied, before) == {(method, CASE) for method in METHODS} | resting_on_training(copied, "unet")


def test_a_touched_file_trains_nothing_again_and_the_next_run_answers_at_once(copied, quick, monkeypatch):
    before = times(copied)
    for path in (image_of(copied), copied / "cohort" / "masks" / f"{CASE}.nii.gz"):
        os.utime(path, ns=(1, 1))
    again(copied, quick)
    assert made_again(copied, before) == set()
    monkeypatch.setattr("pointpet.pipeline.study.prepare_cohort", None)
    again(copied, quick)


def test_an_image_that_can_no_longer_be_read_costs_no_answer(copied, quick):
    """Without the case the folds would be others, and every model would have to be trained again."""
    before = times(copied)
    content = image_of(copied).read_bytes()
    image_of(copied).write_bytes(content[:100])
    with pytest.raises(OutputError, match=rf"case {CASE}: has a part in this study and can no longer be read \(1 such"):
        again(copied, quick)
    image_of(copied).write_bytes(content)
    again(copied, quick)
    assert made_again(copied, before) == set()


def test_a_redo_that_is_interrupted_does_not_pass_for_finished(copied, quick, monkeypatch):
    replace_image(copied)
    with monkeypatch.context() as context:
        context.setattr("pointpet.pipeline.study.run_outcomes", None)
        with pytest.raises(TypeError):
            again(copied, quick)
    tables = (copied / "study" / "tables" / "segmentation.csv").read_bytes()
    before = times(copied)
    again(copied, quick)
    assert made_again(copied, before) == set(), "models and answers were done"
    assert (copied / "study" / "tables" / "segmentation.csv").read_bytes() != tables


def test_stale_answers_of_the_annotation_budget_go_too(copied, quick):
    (copied / "study" / "annotation_budget" / "4").mkdir(parents=True)
    table = copied / "study" / "tables" / "annotation_budget.csv"
    table.write_text("label\n")
    again(copied, quick)
    assert table.exists()
    replace_mask(copied)
    again(copied, quick)
    assert not table.exists()
    assert not (copied / "study" / "annotation_budget").exists()


def test_a_case_that_can_be_read_at_last_changes_folds_and_no_model_stays_of_the_old_ones(
    cohort_folder, quick, tmp_path, caplog
):
    """A model of the old folds may have been trained on a case that is tested now."""
    shutil.copytree(cohort_folder, tmp_path / "cohort")
    content = image_of(tmp_path).read_bytes()
    image_of(tmp_path).write_bytes(content[:100])
    first = run_study(request_of(tmp_path), tmp_path / "study", quick)
    assert {item["case_id"] for item in first.failures} == {CASE}
    folds = pd.read_csv(tmp_path / "study" / "folds.csv").set_index("case_id")["fold"]
    before = times(tmp_path)
    image_of(tmp_path).write_bytes(content)
    again(tmp_path, quick)
    assert f"{CASE} could not be read before: " in caplog.text
    now = pd.read_csv(tmp_path / "study" / "folds.csv").set_index("case_id")["fold"]
    moved = {case_id for case_id in folds.index if folds[case_id] != now[case_id]}
    after = times(tmp_path)
    assert all(after[method, str(number)] != before[method, str(number)] for method in METHODS[:2] for number in (0, 1))
    assert all(after["suv25", case_id] != before["suv25", case_id] for case_id in moved)
    for case_id in now.index:
        assert read_json(case_folder(tmp_path / "study", "proposed", case_id) / "result.json")["fold"] == now[case_id]


def test_the_record_is_of_the_cases_of_the_study(finished):
    record = read_json(finished / "study" / study_inputs.RECORD)
    folds = pd.read_csv(finished / "study" / "folds.csv").set_index("case_id")["fold"]
    assert {case_id: case["fold"] for case_id, case in record.items()} == dict(folds)
