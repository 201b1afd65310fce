"""A tree of files -> images and a manifest that name nobody."""

import gzip
import json
import shutil
from datetime import datetime
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom.uid import generate_uid

from pointpet.core import CohortError, ImageReadError, OutputError, SuvError
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.dicom_import import import_tree
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_scan import find_pet_series
from pointpet.io.dicom_write import write_pet_series
from pointpet.io.nifti import read_mask
from pointpet.io.pet import read_pet


@pytest.fixture
def tree(tmp_path, suv_volume, acquisition, edit):
    """Two patients, three studies, an uncorrected PET, a CT, and some other files, under names that name them."""
    root = tmp_path / "SENTINEL_ROOT"
    for number, (patient, day) in enumerate((("SENTINEL_B", 3), ("SENTINEL_A", 1), ("SENTINEL_A", 2))):
        folder = root / patient / f"SENTINEL_STUDY_{day}" / "series"
        folder.parent.mkdir(parents=True, exist_ok=True)
        start = datetime(2024, 1, day, 10, 30)
        write_pet_series(suv_volume, acquisition, folder, patient_id=patient, scan_start=start, seed=number)

        def identify(dataset, patient=patient):
            dataset.PatientName = "SENTINEL^NAME"
            dataset.PatientBirthDate = "19610203"
            dataset.AccessionNumber = "SENTINEL_ACC"
            dataset.InstitutionName = "SENTINEL_CLINIC"
            dataset.SeriesDescription = "SENTINEL_SERIES"
            dataset.StudyDescription = "SENTINEL_STUDY"
            dataset.OperatorsName = "SENTINEL_OPERATOR"

        edit(folder, identify)
    beside = root / "SENTINEL_A"
    for name, changes in {
        "nac": {"CorrectedImage": ["DECY"], "SeriesNumber": 7},
        "ct": {"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "SeriesNumber": 8},
    }.items():
        shutil.copytree(beside / "SENTINEL_STUDY_1" / "series", beside / name)
        uid = generate_uid()
        edit(beside / name, lambda dataset, uid=uid, changes=changes: _put(dataset, SeriesInstanceUID=uid, **changes))
    (root / "list.txt").write_text("SENTINEL")
    return root


def _put(dataset, **changes):
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)


def everything(folder):
    """Names and (unpacked) bytes of all files below `folder`."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            content = path.read_bytes()
            parts.append(gzip.decompress(content) if path.suffix == ".gz" else content)
    return b"\n".join(parts)


class TestScan:
    def test_finds_what_is_a_corrected_pet(self, tree):
        found, left_out = find_pet_series(tree)
        assert [(one.patient, one.study_date, len(one.files)) for one in found] == [
            ("SENTINEL_A", "20240101", 8),
            ("SENTINEL_A", "20240102", 8),
            ("SENTINEL_B", "20240103", 8),
        ]
        assert {(one.what, one.failed) for one in left_out} == {
            ("PT series 7", False),
            ("CT series 8", False),
            ("file list.txt", False),
        }

    def test_goes_on_past_damaged_files(self, tree):
        damaged = tree / "SENTINEL_B" / "SENTINEL_STUDY_3" / "series"
        (damaged / "slice_0000.dcm").write_bytes(b"")
        (damaged / "broken.dcm").write_text("text")
        (tree / "up").symlink_to("..")
        found, left_out = find_pet_series(tree)
        assert len(found) == 3
        assert {one.what for one in left_out if one.failed} == {"file slice_0000.dcm", "file broken.dcm", "the folder"}

    def test_one_series_of_two_patients_is_two(self, tree, edit):
        edit(tree / "SENTINEL_B/SENTINEL_STUDY_3/series", lambda dataset: _put(dataset, PatientID="C"), only=(0, 1, 2))
        assert len(find_pet_series(tree)[0]) == 4

    def test_no_folder(self, tree):
        with pytest.raises(ImageReadError, match=r"list\.txt: must be a folder of DICOM files"):
            find_pet_series(tree / "list.txt")


class TestImport:
    def test_images_equal_the_series(self, tree, tmp_path):
        result = import_tree(tree, tmp_path / "out")
        assert [(case.case_id, case.patient_id) for case in result.cases] == [
            ("P001_1", "P001"),
            ("P001_2", "P001"),
            ("P002", "P002"),
        ]
        source = read_dicom_series(tree / "SENTINEL_B")
        reading = read_pet(tmp_path / "out/images/P002.nii.gz")
        assert (reading.volume.voxels == source.volume.voxels).all()
        assert reading.volume.grid.matches(source.volume.grid)
        assert reading.volume.stored.matches(source.volume.stored)
        assert reading.acquisition == source.acquisition
        assert reading.warnings == ()

    def test_cohort_is_ready_to_be_filled_in(self, tree, tmp_path):
        result = import_tree(tree, tmp_path / "out")
        cohort = read_cohort(result.cohort)
        assert [case.case_id for case in cohort] == ["P001_1", "P001_2", "P002"]
        assert [case.patient_id for case in cohort] == ["P001", "P001", "P002"]
        assert cohort["P002"].pet_units == "suv"
        assert cohort["P002"].site == "pointpet digital phantom"
        assert result.cohort.read_text().splitlines()[0].startswith("case_id,patient_id,site,pet,pet_units,label,x_mm")

    def test_nothing_names_a_patient(self, tree, tmp_path):
        """Name, id, birth date, accession number, institution, descriptions and paths are planted in the source."""
        result = import_tree(tree, tmp_path / "out")
        written = everything(tmp_path / "out")
        assert b"P001_1" in written
        for secret in (b"SENTINEL", b"19610203", str(tmp_path).encode()):
            assert secret not in written
        assert "SENTINEL" not in str(result.left_out)

    def test_what_is_left_out_is_listed(self, tree, tmp_path):
        import_tree(tree, tmp_path / "out")
        listed = (tmp_path / "out/left_out.csv").read_text()
        assert "PT series 7,not attenuation-corrected,0," in listed
        assert 'CT series 8,"must be PET images' in listed

    def test_a_series_that_fails_is_listed_and_the_others_are_imported(self, tree, tmp_path, edit):
        edit(tree / "SENTINEL_B/SENTINEL_STUDY_3/series", lambda dataset: _put(dataset, PatientWeight=0))
        result = import_tree(tree, tmp_path / "out")
        assert [case.case_id for case in result.cases] == ["P001_1", "P001_2"]
        assert [one.what for one in result.failed] == ["case P002"]
        assert "(0010,1030) is 0 kg" in result.failed[0].reason
        assert result.failed[0].reason.endswith("Correct the header, or set weight_kg in the manifest")
        assert result.failed[0].code == "PP-SUV-WEIGHT"
        assert not (tmp_path / "out/images/P002.nii.gz").exists()

    def test_reinterpretations_are_recorded_and_refused_by_strict(self, tree, tmp_path, edit):
        edit(tree / "SENTINEL_B/SENTINEL_STUDY_3/series", lambda dataset: _put(dataset, PatientWeight=70000))
        expected = "[PP-SUV-GRAMS] (0010,1030) 70000 taken as 70 kg: it is in grams"
        assert import_tree(tree, tmp_path / "out").cases[2].notes == (expected,)
        content = json.loads((tmp_path / "out/images/P002.json").read_text())
        assert [note["code"] for note in content["notes"]] == ["PP-SUV-GRAMS"]
        assert [note.code for note in read_pet(tmp_path / "out/images/P002.nii.gz").notes] == ["PP-SUV-GRAMS"]
        for out in ("strict", "out"):  # also what an earlier run took as it could
            strict = import_tree(tree, tmp_path / out, strict=True)
            assert [(one.what, one.code) for one in strict.failed] == [("case P002", "PP-SUV-STRICT")]
        with pytest.raises(SuvError, match=r"P002\.nii\.gz: strict refuses .* \[PP-SUV-GRAMS\] \(0010,1030\) 70000"):
            read_pet(tmp_path / "out/images/P002.nii.gz", strict=True)

    def test_progress(self, tree, tmp_path):
        calls = []
        import_tree(tree, tmp_path / "out", report=lambda *call: calls.append(call))
        assert calls == [(0, 3, "P001_1"), (1, 3, "P001_2"), (2, 3, "P002")]


class TestAgain:
    def test_keeps_what_was_filled_in_and_adds_what_is_new(self, tree, tmp_path, suv_volume, acquisition):
        out = tmp_path / "out"
        cohort = import_tree(tree, out).cohort
        cohort.write_text(cohort.read_text().replace("suv,,,", "suv,lung,1,", 1))
        before = (out / "images/P002.nii.gz").stat().st_mtime_ns
        write_pet_series(suv_volume, acquisition, tree / "0_new", patient_id="0_NEW")
        result = import_tree(tree, out)
        assert [(case.case_id, case.is_new) for case in result.cases] == [
            ("P003", True),
            ("P001_1", False),
            ("P001_2", False),
            ("P002", False),
        ]
        assert (out / "images/P002.nii.gz").stat().st_mtime_ns == before
        lines = cohort.read_text().splitlines()
        assert [line.split(",")[0] for line in lines] == ["case_id", "P001_1", "P001_2", "P002", "P003"]
        assert ",suv,lung,1," in lines[1]

    def test_an_interrupted_image_is_written_again(self, tree, tmp_path):
        out = tmp_path / "out"
        import_tree(tree, out)
        (out / "images/P002.json").unlink()
        (out / "images/P002.nii.gz").write_bytes(b"part")
        assert [case.is_new for case in import_tree(tree, out).cases] == [False, False, True]
        nibabel.load(out / "images/P002.nii.gz")

    def test_two_patients_never_share_a_pseudonym(self, tree, tmp_path):
        """One tree after the other into one folder, no key: the second patient must not become the first."""
        out = tmp_path / "out"
        import_tree(tree / "SENTINEL_A", out)
        result = import_tree(tree / "SENTINEL_B", out)
        assert [(case.case_id, case.patient_id) for case in result.cases] == [("P002", "P002")]
        cohort = read_cohort(result.cohort)
        assert [(case.case_id, case.patient_id) for case in cohort] == [
            ("P001_1", "P001"),
            ("P001_2", "P001"),
            ("P002", "P002"),
        ]


class TestFileNames:
    """Scanners name files after patients: `DOE_JOHN.PT.0003.IMA`."""

    @pytest.fixture
    def named(self, tree):
        folder = tree / "SENTINEL_B/SENTINEL_STUDY_3/series"
        for number, path in enumerate(sorted(folder.iterdir())):
            path.rename(folder / f"SENTINEL_NAME.PT.{number:04}.IMA")
        return folder

    def test_a_gap(self, tree, named, tmp_path):
        (named / "SENTINEL_NAME.PT.0003.IMA").unlink()
        result = import_tree(tree, tmp_path / "out")
        assert "file *_*.PT.0002.IMA and file *_*.PT.0004.IMA are" in result.failed[0].reason
        assert b"SENTINEL" not in everything(tmp_path / "out")

    def test_a_damaged_file_and_what_is_no_dicom(self, tree, named, tmp_path):
        (named / "SENTINEL_NAME.PT.0003.IMA").write_bytes(b"")
        (named / "sentinel name, letter.pdf").write_bytes(b"%PDF")
        result = import_tree(tree, tmp_path / "out")
        listed = {one.what for one in result.left_out}
        assert {"file *_*.PT.0003.IMA", "file * *, letter.pdf"} <= listed
        assert b"sentinel" not in everything(tmp_path / "out").lower()


class TestKey:
    def test_is_never_open_to_others(self, tree, tmp_path, monkeypatch):
        """Not even while it is written."""
        modes = []
        written = Path.write_text

        def spy(path, *arguments, **options):
            done = written(path, *arguments, **options)
            modes.append((path.name[-7:], path.stat().st_mode & 0o777))
            return done

        monkeypatch.setattr(Path, "write_text", spy)
        import_tree(tree, tmp_path / "out", pseudonyms=tmp_path / "key.csv")
        assert ("key.csv", 0o600) in modes

    @pytest.mark.parametrize(
        ("rows", "name"),
        [("SENTINEL_A,lung-1\n", "P001"), ("SOMEONE,P002\n", "P002")],
        ids=["renames a patient", "gives a pseudonym to another"],
    )
    def test_that_contradicts_an_earlier_import(self, tree, tmp_path, rows, name):
        import_tree(tree, tmp_path / "out")
        (tmp_path / "key.csv").write_text(f"patient_id,pseudonym\n{rows}")
        with pytest.raises(CohortError, match=f"pseudonym {name}: the key gives it, or its patient, otherwise"):
            import_tree(tree, tmp_path / "out", pseudonyms=tmp_path / "key.csv")

    def test_is_written_for_its_owner_alone(self, tree, tmp_path):
        key = tmp_path / "key.csv"
        import_tree(tree, tmp_path / "out", pseudonyms=key)
        assert key.read_text().splitlines() == ["patient_id,pseudonym", "SENTINEL_A,P001", "SENTINEL_B,P002"]
        assert key.stat().st_mode & 0o777 == 0o600
        assert b"SENTINEL" not in everything(tmp_path / "out")

    def test_is_used_and_completed(self, tree, tmp_path):
        key = tmp_path / "key.csv"
        key.write_text("patient_id,pseudonym\nSENTINEL_B,lung-7\nSOMEONE,P001\n")
        result = import_tree(tree, tmp_path / "out", pseudonyms=key)
        assert [case.case_id for case in result.cases] == ["P002_1", "P002_2", "lung-7"]
        assert "SENTINEL_A,P002" in key.read_text()

    def test_must_not_lie_in_the_output(self, tree, tmp_path):
        with pytest.raises(OutputError, match=r"key\.csv: names patients and must not lie in the output folder"):
            import_tree(tree, tmp_path / "out", pseudonyms=tmp_path / "out/sub/key.csv")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("patient_id,pseudonym\nSENTINEL_B,../x\n", "key.csv, row 2: needs patient_id and pseudonym"),
            ("patient,name\nSENTINEL_B,x\n", "key.csv, row 2: needs patient_id and pseudonym"),
            ("patient_id,pseudonym\nSENTINEL_A,x\nSENTINEL_B,x\n", "key.csv, row 3: repeats a patient or a pseudonym"),
            ("patient_id,pseudonym\nSENTINEL_A,x\nSENTINEL_A,y\n", "key.csv, row 3: repeats a patient or a pseudonym"),
        ],
    )
    def test_refused(self, tree, tmp_path, text, message):
        (tmp_path / "key.csv").write_text(text)
        with pytest.raises(CohortError, match=message) as caught:
            import_tree(tree, tmp_path / "out", pseudonyms=tmp_path / "key.csv")
        assert "SENTINEL" not in str(caught.value)

    def test_that_is_no_text(self, tree, tmp_path):
        (tmp_path / "key.csv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(CohortError, match=r"key\.csv: must be a UTF-8 CSV file"):
            import_tree(tree, tmp_path / "out", pseudonyms=tmp_path / "key.csv")


@pytest.mark.realdata
def test_reference_objects_come_out_right(real_data, tmp_path):
    """All 17 at once, one patient with 17 series: 0.20, 1.00, 4.00 in the mask (2_3 has coarse integers)."""
    result = import_tree(real_data / "suv_dro/DRO", tmp_path / "out")
    assert len(result.cases) == 17
    assert not result.failed
    masks = sorted((real_data / "suv_dro/DRO").glob("*/mask/DRO_mask.nii.gz"))
    worst = []
    for case in result.cases:
        volume = read_pet(tmp_path / "out/images" / f"{case.case_id}.nii.gz").volume
        inside = volume.voxels[read_mask(masks[0], volume).voxels]
        worst.append(np.abs(np.array([inside.min(), np.median(inside), inside.max()]) - (0.2, 1, 4)).max())
    assert sum(error > 0.005 for error in worst) == 1
    assert max(worst) < 0.0231
