"""What a model is trained on, replaced before the same command is run again; and prepared folders that lack a view."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pointpet.core import ConfigError, Mask, OutputError, TrainingError, Unit, Volume
from pointpet.io.artefacts import read_json
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.nifti import read_mask, read_nifti, write_mask, write_volume
from pointpet.pipeline.config import Configuration, build_configuration
from pointpet.pipeline.prepare import prepare_cohort
from pointpet.pipeline.train import train_model

CASE = "C08"
"""One that weights are learned from, with this seed, and not one that chooses the epoch."""
PROBLEM = rf"model m: was trained on another image, mask or annotation of case {CASE} \(1 such cases\)\. .*--overwrite"


@pytest.fixture
def cohort(cohort_folder, tmp_path) -> Path:
    shutil.copytree(cohort_folder, tmp_path / "cohort")
    return tmp_path / "cohort" / "cohort.csv"


def replace_image(cohort: Path) -> None:
    path = cohort.parent / "images" / f"{CASE}.nii.gz"
    volume = read_nifti(path, Unit.SUVBW)
    write_volume(path, Volume(volume.voxels[:, :, ::-1] * 1.1, volume.affine, stored=volume.stored))


def replace_mask(cohort: Path) -> None:
    volume = read_nifti(cohort.parent / "images" / f"{CASE}.nii.gz", Unit.SUVBW)
    path = cohort.parent / "masks" / f"{CASE}.nii.gz"
    write_mask(path, Mask(np.roll(read_mask(path, volume).voxels, 3, axis=0), volume.affine), volume.stored)


def weights(model: Path) -> bytes:
    return (model / "weights.safetensors").read_bytes()


def test_a_model_of_an_image_that_was_replaced_is_refused_and_made_anew_with_overwrite(cohort, quick, tmp_path):
    train_model(cohort, tmp_path / "m", quick, method="cam_alone")
    before = weights(tmp_path / "m")
    replace_image(cohort)
    for _ in range(2):
        with pytest.raises(OutputError, match=PROBLEM):
            train_model(cohort, tmp_path / "m", quick, method="cam_alone")
    assert weights(tmp_path / "m") == before
    train_model(cohort, tmp_path / "m", quick, method="cam_alone", overwrite=True)
    train_model(cohort, tmp_path / "fresh", quick, method="cam_alone")
    assert weights(tmp_path / "m") == weights(tmp_path / "fresh") != before


def test_a_mask_counts_for_a_method_that_is_given_masks(cohort, quick, tmp_path):
    for method in ("unet", "cam_alone"):
        train_model(cohort, tmp_path / method / "m", quick, method=method)
    replace_mask(cohort)
    train_model(cohort, tmp_path / "cam_alone" / "m", quick, method="cam_alone")
    with pytest.raises(OutputError, match=PROBLEM):
        train_model(cohort, tmp_path / "unet" / "m", quick, method="unet")


def test_a_manifest_row_that_is_another_is_another_run(cohort, quick, tmp_path):
    train_model(cohort, tmp_path / "m", quick, method="cam_alone")
    table = pd.read_csv(cohort)
    table.loc[8, "pet"] = "images/C02.nii.gz"
    table.to_csv(cohort, index=False)
    with pytest.raises(OutputError, match=r"holds the output of another run \(model with other settings or inputs\)"):
        train_model(cohort, tmp_path / "m", quick, method="cam_alone")


def test_a_touched_image_changes_nothing_and_is_read_once(cohort, quick, tmp_path, monkeypatch):
    train_model(cohort, tmp_path / "m", quick, method="cam_alone")
    record = read_json(tmp_path / "m" / ".inputs.json")
    assert list(record) == list(pd.read_csv(cohort)["case_id"])
    os.utime(cohort.parent / "images" / f"{CASE}.nii.gz", ns=(1, 1))
    monkeypatch.setattr("pointpet.learn.train.train", None)
    train_model(cohort, tmp_path / "m", quick, method="cam_alone")
    monkeypatch.setattr("pointpet.pipeline.made_from.content_hash", None)
    train_model(cohort, tmp_path / "m", quick, method="cam_alone")
    assert read_json(tmp_path / "m" / ".inputs.json")[CASE]["content"] == record[CASE]["content"]


def test_an_interrupted_training_of_an_image_that_was_replaced_begins_anew(cohort, quick, tmp_path, caplog):
    def stop(done, total, message):
        if (tmp_path / "m" / ".checkpoint" / "last.ckpt").is_file():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_model(cohort, tmp_path / "m", quick, method="cam_alone", report=stop)
    replace_image(cohort)
    train_model(cohort, tmp_path / "m", quick, method="cam_alone")
    assert f"image, mask or annotation of {CASE} is another now: training begins anew" in caplog.text
    train_model(cohort, tmp_path / "fresh", quick, method="cam_alone")
    assert weights(tmp_path / "m") == weights(tmp_path / "fresh")


def test_a_prepared_folder_that_was_made_again_of_another_image_or_point_counts_too(cohort, quick, tmp_path):
    """The digest of the manifest is the same each time; the cases are not."""
    known, settings = read_cohort(cohort), quick.preparing(("cam_alone",))

    def prepare_and_train() -> None:
        prepare_cohort(known, tmp_path / "p", settings)
        train_model(tmp_path / "p", tmp_path / "m", quick, method="cam_alone")

    for _ in range(2):
        prepare_and_train()
    os.utime(cohort.parent / "images" / f"{CASE}.nii.gz", ns=(1, 1))
    prepare_and_train()
    shutil.copytree(cohort.parent, tmp_path / "kept")
    replace_image(cohort)
    with pytest.raises(OutputError, match=PROBLEM):
        prepare_and_train()
    shutil.copy2(tmp_path / "kept" / "images" / f"{CASE}.nii.gz", cohort.parent / "images" / f"{CASE}.nii.gz")
    prepare_and_train()
    known[CASE].points_mm.flags.writeable = True
    known[CASE].points_mm[:] += 8.0
    with pytest.raises(OutputError, match=PROBLEM):
        prepare_and_train()


def turning(quick: Configuration, turns: bool) -> Configuration:
    return build_configuration({**quick.as_dict(), "training": {**quick.as_dict()["training"], "turns": turns}})


def test_a_prepared_folder_without_turned_views_is_refused_where_they_are_asked_for(cohort, quick, tmp_path):
    asked = turning(quick, True)
    prepare_cohort(cohort, tmp_path / "p", turning(quick, False).preparing(("proposed",)))
    problem = (
        r"training\.turns: is true, and the prepared folder holds no views of the patient turned\. "
        r"Run `pointpet prepare --overwrite` with this configuration, or set training\.turns: false"
    )
    with pytest.raises(ConfigError, match=problem):
        train_model(tmp_path / "p", tmp_path / "m", asked, method="cam_alone")
    assert not (tmp_path / "m").exists()
    with pytest.raises(TrainingError, match="train from it: a prepared folder holds no masks"):
        train_model(tmp_path / "p", tmp_path / "m", asked, method="unet")


def test_a_prepared_folder_serves_where_nobody_is_turned_or_its_views_are_there(cohort, quick, tmp_path):
    asked = turning(quick, True)
    prepare_cohort(cohort, tmp_path / "bare", quick.preparing(("proposed",)))
    nobody = build_configuration({**asked.as_dict(), "prepare": {**asked.as_dict()["prepare"], "turns_deg": []}})
    train_model(tmp_path / "bare", tmp_path / "m", nobody, method="cam_alone")
    prepare_cohort(cohort, tmp_path / "turned", asked.preparing(("cam_alone",)))
    train_model(tmp_path / "turned", tmp_path / "t", asked, method="cam_alone")
    assert weights(tmp_path / "m") != weights(tmp_path / "t")
