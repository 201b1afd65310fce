import shutil

import numpy as np
import pandas as pd
import pytest

from pointpet.core import ModelError, OutputError, TrainingError
from pointpet.io.artefacts import read_json, write_json
from pointpet.io.pet import sidecar_path
from pointpet.pipeline import prepare as preparing
from pointpet.pipeline.check import check_cohort
from pointpet.pipeline.config import PrepareSettings, build_configuration
from pointpet.pipeline.lesion_free import lesion_free_classes
from pointpet.pipeline.prepare import load_prepared, prepare_cohort
from pointpet.pipeline.train import train_model

SETTINGS = PrepareSettings(pixel_mm=4.0)


def test_a_prepared_folder_holds_what_training_needs(cohort_folder, tmp_path):
    prepared = prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", SETTINGS)
    again = load_prepared(tmp_path / "p")
    assert [case.case.case_id for case in again.cases] == [case.case.case_id for case in prepared.cases]
    for ours, theirs in zip(prepared.cases, again.cases, strict=True):
        assert ours.case.label == theirs.case.label
        np.testing.assert_array_equal(ours.case.points_mm, theirs.case.points_mm)
        np.testing.assert_array_equal(ours.mips.coronal, theirs.mips.coronal)
        assert ours.pixel_hash == theirs.pixel_hash
        assert theirs.case.pet is None


def test_no_source_path_is_written(cohort_folder, tmp_path):
    prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", SETTINGS)
    for path in (tmp_path / "p").rglob("*.json"):
        assert "images" not in path.read_text()
        assert str(cohort_folder) not in path.read_text()


def test_only_changed_cases_are_read_again(cohort_folder, tmp_path, monkeypatch):
    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    prepare_cohort(cohort / "cohort.csv", tmp_path / "p", SETTINGS)
    read = []
    original = preparing.read_pet
    monkeypatch.setattr(preparing, "read_pet", lambda path, **given: read.append(path.name) or original(path, **given))
    prepare_cohort(cohort / "cohort.csv", tmp_path / "p", SETTINGS)
    assert read == []
    shutil.copy2(cohort / "images" / "C01.nii.gz", cohort / "images" / "C00.nii.gz")
    prepared = prepare_cohort(cohort / "cohort.csv", tmp_path / "p", SETTINGS)
    assert read == ["C00.nii.gz"]
    sidecar_path(cohort / "images" / "C02.nii.gz").write_text('{"unit": "suv", "acquisition": {"uptake_s": 3600}}')
    prepared = prepare_cohort(cohort / "cohort.csv", tmp_path / "p", SETTINGS)
    assert read == ["C00.nii.gz", "C02.nii.gz"]
    assert prepared.cases[2].facts["uptake_min"] == 60.0
    assert prepared.cases[0].pixel_hash == prepared.cases[1].pixel_hash


def test_a_changed_label_or_point_needs_no_reading(cohort_folder, tmp_path, monkeypatch):
    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    prepare_cohort(cohort / "cohort.csv", tmp_path / "p", SETTINGS)
    table = (cohort / "cohort.csv").read_text().replace("lung", "lymphoma")
    (cohort / "cohort.csv").write_text(table)
    monkeypatch.setattr(preparing, "read_pet", None)
    prepare_cohort(cohort / "cohort.csv", tmp_path / "p", SETTINGS)
    assert "lymphoma" in {case.case.label for case in load_prepared(tmp_path / "p").cases}


def test_a_corrupt_case_is_listed_and_the_others_are_prepared(cohort_folder, tmp_path):
    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    (cohort / "images" / "C03.nii.gz").write_bytes(b"not an image")
    prepared = prepare_cohort(cohort / "cohort.csv", tmp_path / "p", SETTINGS)
    clean = prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "clean", SETTINGS)
    assert [name for name, _ in prepared.failures] == ["C03"]
    assert "case C03" in str(prepared.failures[0][1])
    assert len(prepared.cases) == 15
    for case in prepared.cases:
        ours, theirs = (
            folder / "cases" / f"{case.case.case_id}.npz" for folder in (tmp_path / "p", tmp_path / "clean")
        )
        assert ours.read_bytes() == theirs.read_bytes()
    assert len(clean.cases) == 16
    assert [item["case_id"] for item in read_json(tmp_path / "p" / "prepared.json")["failures"]] == ["C03"]


def test_a_prepared_folder_knows_what_failed(cohort_folder, tmp_path):
    first_two = (cohort_folder / "cohort.csv").read_text().splitlines()[:3]
    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    (cohort / "cohort.csv").write_text("\n".join(first_two) + "\n")
    (cohort / "images" / "C01.nii.gz").write_bytes(b"not an image")
    prepared = prepare_cohort(cohort / "cohort.csv", tmp_path / "p", SETTINGS)
    again = load_prepared(tmp_path / "p")
    assert [(name, str(error), error.code) for name, error in again.failures] == [
        (name, str(error), error.code) for name, error in prepared.failures
    ]
    for source in (cohort / "cohort.csv", tmp_path / "p"):
        with pytest.raises(TrainingError, match=r"case C01: cannot be prepared \(1 of 2 cases failed\)"):
            train_model(source, tmp_path / f"m_{source.stem}", build_configuration({}), method="cam_alone")


def test_masks_alone_mark_a_class_in_a_prepared_folder_too(cohort_folder, tmp_path):
    table = pd.read_csv(cohort_folder / "cohort.csv").head(4)
    for name in ("pet", "mask"):
        table[name] = [str(cohort_folder / path) for path in table[name]]
    table.loc[table["label"] == "lung", ["x_mm", "y_mm", "z_mm"]] = np.nan
    table.loc[table["label"] == "oesophagus", "mask"] = None
    table.to_csv(tmp_path / "cohort.csv", index=False)
    prepared = prepare_cohort(tmp_path / "cohort.csv", tmp_path / "p", SETTINGS)
    for known in (prepared, load_prepared(tmp_path / "p")):
        assert [case.has_truth for case in known.cases] == [True, False, True, False]
        assert lesion_free_classes(known, build_configuration({})) == ()


def test_a_folder_of_another_format_is_refused(tmp_path):
    write_json(tmp_path / "prepared.json", {"format_version": 4, "cases": []})
    with pytest.raises(ModelError, match=r"has format 4, this version reads \d+\. Run `pointpet prepare --overwrite`"):
        load_prepared(tmp_path)


def test_other_settings_need_overwrite(cohort_folder, tmp_path):
    prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", SETTINGS)
    with pytest.raises(OutputError, match="holds the output of another run"):
        prepare_cohort(cohort_folder / "cohort.csv", tmp_path / "p", PrepareSettings(pixel_mm=8.0))


def test_a_folder_that_is_not_prepared_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no prepared\.json"):
        load_prepared(tmp_path)


def test_a_point_beside_a_ready_made_picture_fails_its_case(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((20, 10), np.float32))
    rows = "case_id,label,mip_coronal,coronal_row,coronal_col\nA,x,a.npy,19,9\nB,y,a.npy,20,3\n"
    (tmp_path / "cohort.csv").write_text(rows)
    prepared = prepare_cohort(tmp_path / "cohort.csv", tmp_path / "p", SETTINGS)
    assert [case.case.case_id for case in prepared.cases] == ["A"]
    ((case_id, error),) = prepared.failures
    assert (case_id, error.code) == ("B", "PP-POINT-OUTSIDE")
    assert "got row 20.0, column 3.0 of 20 x 10 in the coronal view" in str(error)
    assert [fault["code"] for fault in check_cohort(tmp_path / "cohort.csv").faults] == ["PP-POINT-OUTSIDE"]
