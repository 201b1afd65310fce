import json
import shutil

import pytest

from pointpet.pipeline.check import check_cohort


def test_a_sound_cohort_has_no_fault(cohort_folder):
    report = check_cohort(cohort_folder / "cohort.csv")
    assert report.faults == ()
    assert len(report.rows) == 16
    assert report.by_label == {"lung": 8, "oesophagus": 8}
    assert report.rows[0]["shape"] == "28x20x40"
    assert report.rows[0]["mask_ml"] == pytest.approx(41, abs=12)


def test_every_fault_is_found_in_one_pass(cohort_folder, tmp_path):
    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    (cohort / "images" / "C01.nii.gz").write_bytes(b"nonsense")
    shutil.copy2(cohort / "images" / "C02.nii.gz", cohort / "masks" / "C02.nii.gz")
    lines = (cohort / "cohort.csv").read_text().splitlines()
    x = lines[0].split(",").index("x_mm")
    cells = lines[4].split(",")
    cells[x] = "5000"
    lines[4] = ",".join(cells)
    (cohort / "cohort.csv").write_text("\n".join(lines) + "\n")
    report = check_cohort(cohort / "cohort.csv")
    subjects = [fault["subject"] for fault in report.faults]
    assert len(report.faults) == 3
    for case_id in ("C01", "C02", "C03"):
        assert any(case_id in subject for subject in subjects)


def test_a_file_that_is_gone_hides_no_fault_of_the_others(cohort_folder, tmp_path):
    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    (cohort / "images" / "C00.nii.gz").unlink()
    (cohort / "images" / "C01.nii.gz").write_bytes(b"nonsense")
    (cohort / "masks" / "C02.nii.gz").unlink()
    report = check_cohort(cohort / "cohort.csv")
    found = {case_id: [one["code"] for one in report.faults if case_id in one["subject"]] for case_id in ("C00", "C02")}
    assert found == {"C00": ["PP-COHORT-PATH"], "C02": ["PP-COHORT-PATH"]}
    assert [one["code"] for one in report.faults if "C01" in one["subject"]] == ["PP-NIFTI-READ"]
    assert len(report.rows) == 14
    assert next(row for row in report.rows if row["case_id"] == "C02")["mask_ml"] is None


def test_a_reinterpreted_header_is_told_with_its_tag_and_refused_by_strict(cohort_folder, tmp_path):
    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    note = {"code": "PP-SUV-GRAMS", "tag": "(0010,1030)", "found": "70000", "used": "70 kg", "why": "it is in grams"}
    (cohort / "images" / "C00.json").write_text(json.dumps({"unit": "suv", "notes": [note]}))
    (warning,) = [one for one in check_cohort(cohort / "cohort.csv").warnings if one["code"] == "PP-SUV-GRAMS"]
    assert warning["message"].startswith("case C00: (0010,1030) 70000 taken as 70 kg: it is in grams")
    report = check_cohort(cohort / "cohort.csv", strict=True)
    assert [(one["code"], one["subject"]) for one in report.faults] == [("PP-SUV-STRICT", "case C00: C00.nii.gz")]


def test_faults_of_the_manifest_stop_before_reading(cohort_folder, tmp_path):
    path = tmp_path / "cohort.csv"
    path.write_text("case_id,pet\nA,missing.nii.gz\nA,missing.nii.gz\n")
    report = check_cohort(path)
    assert report.rows == ()
    assert len(report.faults) >= 2


def test_values_that_are_hardly_suv_are_a_warning(cohort_folder, tmp_path):
    from dataclasses import replace

    from pointpet.core import Unit
    from pointpet.io.nifti import read_nifti, write_volume

    cohort = tmp_path / "cohort"
    shutil.copytree(cohort_folder, cohort)
    volume = read_nifti(cohort / "images" / "C00.nii.gz", Unit.SUVBW)
    write_volume(cohort / "images" / "C00.nii.gz", replace(volume, voxels=volume.voxels * 10))
    report = check_cohort(cohort / "cohort.csv")
    assert any("C00" in item["subject"] and "median SUV" in item["message"] for item in report.warnings)
    write_volume(cohort / "images" / "C00.nii.gz", replace(volume, voxels=volume.voxels * 5000))
    report = check_cohort(cohort / "cohort.csv")
    assert [fault["code"] for fault in report.faults] == ["PP-SUV-ACTIVITY"]


def test_one_structure_of_several_is_named_in_the_manifest(tmp_path):
    """An RTSTRUCT of a clinic holds more than the tumour."""
    import numpy as np
    import pydicom

    from pointpet.core import Acquisition, Mask, Volume
    from pointpet.io.dicom_masks import MaskOrigin
    from pointpet.io.dicom_pet import read_dicom_series
    from pointpet.io.dicom_write import write_pet_series
    from pointpet.io.rtstruct_write import write_rtstruct

    volume = Volume(np.random.default_rng(0).gamma(2.0, 0.5, (12, 10, 8)).astype(np.float32), np.diag([4.0, 4, 3, 1]))
    facts = Acquisition(weight_kg=70.0, height_m=1.75, sex="M", dose_bq=350e6, uptake_s=3600.0)
    write_pet_series(volume, facts, tmp_path / "pet", patient_id="P")
    reading = read_dicom_series(tmp_path / "pet")
    sets = []
    for name, size in (("Heart", 3), ("GTV", 2)):
        voxels = np.zeros(volume.voxels.shape, bool)
        voxels[2 : 2 + size, 2 : 2 + size, 2 : 2 + size] = True
        write_rtstruct(
            tmp_path / "rs.dcm", Mask(voxels, volume.affine), reading.volume.stored, reading.series, MaskOrigin(name)
        )
        sets.append(pydicom.dcmread(tmp_path / "rs.dcm"))
    both, second = sets
    second.StructureSetROISequence[0].ROINumber = second.ROIContourSequence[0].ReferencedROINumber = 2
    both.StructureSetROISequence.append(second.StructureSetROISequence[0])
    both.ROIContourSequence.append(second.ROIContourSequence[0])
    both.save_as(tmp_path / "rs.dcm")

    manifest = tmp_path / "cohort.csv"
    manifest.write_text("case_id,pet,mask,mask_roi\nA,pet,rs.dcm,gtv\nB,pet,rs.dcm,Heart\nC,pet,rs.dcm,\n")
    report = check_cohort(manifest)
    assert {row["case_id"]: row["mask_ml"] for row in report.rows} == {"A": 0.38, "B": 1.3, "C": None}
    (fault,) = report.faults
    assert fault["subject"].startswith("case C")
    assert "it holds 'Heart', 'GTV'. Name it in mask_roi of cohort.csv" in fault["message"]


def test_a_column_that_is_spelt_otherwise_is_pointed_out(cohort_folder, tmp_path):
    shutil.copytree(cohort_folder, tmp_path / "c")
    head, *rows = (tmp_path / "c" / "cohort.csv").read_text().splitlines()
    lines = [f"{head.replace('label', 'lable')},PatientID,ward", *(f"{row},A,B" for row in rows)]
    (tmp_path / "c" / "cohort.csv").write_text("\n".join(lines))
    found = check_cohort(tmp_path / "c" / "cohort.csv")
    message = next(one["message"] for one in found.warnings if one["code"] == "PP-CHECK-COLUMNS")
    assert "PatientID (meant for patient_id?)" in message
    assert "lable (meant for label?)" in message
    assert "ward (" not in message
