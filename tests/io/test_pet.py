"""One way to read a PET and one to read a mask, whatever they are stored as."""

import json

import numpy as np
import pytest
from pydicom.uid import generate_uid

from pointpet.core import Acquisition, GeometryError, ImageReadError, Mask, SuvError, Unit, Volume
from pointpet.io.nifti import write_mask, write_volume
from pointpet.io.pet import read_any_mask, read_pet, sidecar_path

FACTS = {"weight_kg": 70.0, "dose_bq": 350e6}


@pytest.fixture
def nifti(tmp_path, suv_volume):
    """The volume as SUV NIfTI."""
    path = tmp_path / "case.nii.gz"
    write_volume(path, suv_volume)
    return path


@pytest.fixture
def activity(tmp_path, suv_volume):
    """The volume in Bq/mL: an SUV of 1 is 350 MBq / 70 kg = 5000 Bq/mL."""
    path = tmp_path / "activity.nii.gz"
    write_volume(path, Volume(suv_volume.voxels * 5000, suv_volume.affine, Unit.ACTIVITY))
    return path


def sidecar(path, **content):
    sidecar_path(path).write_text(json.dumps(content))


class TestDicom:
    def test_folder_and_file(self, series, suv_volume):
        for path in (series, series / "slice_0003.dcm", str(series)):
            volume = read_pet(path).volume
            assert volume.unit is Unit.SUVBW
            assert np.allclose(volume.voxels, suv_volume.voxels, atol=1e-3)

    def test_unusual_values_are_warned_of(self, series, edit):
        edit(series, lambda dataset: setattr(dataset, "PatientWeight", 280))
        edit(series, lambda dataset: setattr(dataset, "RescaleSlope", float(dataset.RescaleSlope) * 10))
        assert "the body's median SUV is 3" in read_pet(series).warnings[0]

    def test_missing(self, tmp_path):
        with pytest.raises(ImageReadError, match=r"nothing.dcm: does not exist"):
            read_pet(tmp_path / "nothing.dcm")


class TestNifti:
    def test_suv(self, nifti, suv_volume):
        reading = read_pet(nifti, unit="suv")
        assert (reading.volume.voxels == suv_volume.voxels).all()
        assert (reading.warnings, reading.notes, reading.series) == ((), (), None)

    def test_unit_is_assumed_with_a_warning(self, nifti):
        assert read_pet(nifti).warnings == ("its unit is not stated anywhere, SUV was assumed",)

    @pytest.mark.parametrize("unit", ["suv", "SUV", "g/mL"])
    def test_unit_from_the_sidecar(self, nifti, unit):
        sidecar(nifti, unit=unit)
        assert read_pet(nifti).warnings == ()

    def test_facts_notes_and_warnings_from_the_sidecar(self, nifti):
        note = {"code": "PP-SUV-MBQ", "tag": "(0018,1074)", "found": "350", "used": "3.5e+08 Bq", "why": "it is in MBq"}
        facts = {"weight_kg": 70, "sex": "F", "unknown": 1, "uptake_s": None}
        sidecar(nifti, unit="suv", acquisition=facts, notes=[note], warnings=["slices"])
        reading = read_pet(nifti, overrides={"height_m": "1.7"})
        assert reading.acquisition == Acquisition(weight_kg=70.0, sex="F", height_m=1.7)
        assert str(reading.notes[0]) == "(0018,1074) 350 taken as 3.5e+08 Bq: it is in MBq"
        assert reading.warnings == ("slices",)

    def test_sidecar_of_another_program_is_taken_for_what_it_says(self, nifti):
        """Found by feeding damaged sidecars: a number where a list should be."""
        sidecar(nifti, unit="suv", acquisition=3, notes=1, warnings="text")
        reading = read_pet(nifti)
        assert (reading.notes, reading.warnings, reading.acquisition) == ((), (), Acquisition())

    def test_activity(self, activity, suv_volume):
        reading = read_pet(activity, unit="bqml", overrides=FACTS)
        assert np.allclose(reading.volume.voxels, suv_volume.voxels, rtol=1e-6)
        assert reading.volume.unit is Unit.SUVBW
        assert (reading.acquisition.weight_kg, reading.acquisition.dose_bq) == (70.0, 350e6)

    def test_activity_by_the_sidecar(self, activity, suv_volume):
        sidecar(activity, unit="bqml")
        assert np.allclose(read_pet(activity, overrides=FACTS).volume.voxels, suv_volume.voxels, rtol=1e-6)

    def test_dose_in_mbq_is_recorded_and_refused_by_strict(self, activity):
        overrides = {"weight_kg": 70, "dose_bq": 350}
        assert [note.code for note in read_pet(activity, unit="bqml", overrides=overrides).notes] == [
            "PP-SUV-MANIFEST",
            "PP-SUV-MANIFEST",
            "PP-SUV-MBQ",
        ]
        with pytest.raises(SuvError, match="PP-SUV-MBQ"):
            read_pet(activity, unit="bqml", overrides=overrides, strict=True)

    def test_injection_time_is_said_to_be_unused(self, activity):
        reading = read_pet(activity, unit="bqml", overrides=FACTS | {"injection_time": "10:00"})
        assert reading.warnings == (
            "injection_time is not used: dose_bq counts at the time the image is decay-corrected to",
        )

    @pytest.mark.parametrize("name", FACTS)
    def test_activity_needs_weight_and_dose(self, activity, name):
        facts = {key: value for key, value in FACTS.items() if key != name}
        with pytest.raises(SuvError, match=f"activity.nii.gz: is in Bq/mL, so that {name} is needed"):
            read_pet(activity, unit="bqml", overrides=facts)

    def test_activity_given_as_suv(self, activity):
        with pytest.raises(SuvError, match=r"activity.nii.gz: is taken as SUV, but .* looks like Bq/mL"):
            read_pet(activity, unit="suv")

    def test_values_that_are_hardly_suv(self, tmp_path, suv_volume):
        path = tmp_path / "odd.nii"
        write_volume(path, Volume(suv_volume.voxels * 8, suv_volume.affine))
        assert "the values may not be SUV" in read_pet(path, unit="suv").warnings[0]

    def test_a_hot_bladder_is_no_fault(self, tmp_path, suv_volume):
        voxels = suv_volume.voxels.copy()
        voxels[0, 0, 0] = 250.0
        write_volume(tmp_path / "hot.nii", Volume(voxels, suv_volume.affine))
        assert read_pet(tmp_path / "hot.nii", unit="suv").warnings == ()

    @pytest.mark.parametrize("unit", ["kBq", ""])
    def test_unknown_unit(self, nifti, unit):
        with pytest.raises(ImageReadError, match=r"case.nii.gz: units must be suv or bqml, got"):
            read_pet(nifti, unit=unit)

    def test_unknown_unit_in_the_sidecar(self, nifti):
        sidecar(nifti, unit="kBq")
        with pytest.raises(ImageReadError, match=r"case.json: unit must be suv or bqml, got 'kBq'"):
            read_pet(nifti)

    @pytest.mark.parametrize(("text", "message"), [("{", "must be JSON"), ("[1]", "must be a JSON object")])
    def test_sidecar_that_is_none(self, nifti, text, message):
        sidecar_path(nifti).write_text(text)
        with pytest.raises(ImageReadError, match=f"case.json: {message}"):
            read_pet(nifti)

    def test_facts_that_are_no_numbers(self, nifti):
        sidecar(nifti, unit="suv", acquisition={"weight_kg": "heavy"})
        with pytest.raises(ImageReadError, match="of the acquisition must be numbers"):
            read_pet(nifti)


class TestMasks:
    def test_nifti(self, tmp_path, suv_volume):
        mask = Mask(suv_volume.voxels > 1, suv_volume.affine)
        write_mask(tmp_path / "mask.nii.gz", mask)
        assert (read_any_mask(tmp_path / "mask.nii.gz", suv_volume).voxels == mask.voxels).all()

    def test_nifti_on_another_grid(self, tmp_path, suv_volume):
        write_mask(tmp_path / "mask.nii.gz", Mask(np.ones((3, 3, 3), bool), suv_volume.affine))
        with pytest.raises(GeometryError, match="the mask must lie on the PET's grid"):
            read_any_mask(tmp_path / "mask.nii.gz", suv_volume)

    def test_missing(self, tmp_path, suv_volume):
        with pytest.raises(ImageReadError, match=r"rs\.dcm: does not exist"):
            read_any_mask(tmp_path / "rs.dcm", suv_volume)

    def test_another_object(self, series, suv_volume, edit):
        edit(series, lambda dataset: setattr(dataset, "SeriesInstanceUID", generate_uid()))
        with pytest.raises(ImageReadError, match="PET: must be NIfTI, RTSTRUCT or DICOM SEG"):
            read_any_mask(series, suv_volume)

    @pytest.mark.realdata
    def test_rtstruct_in_a_folder(self, real_data):
        folder = real_data / "sts/dicom/STS_001/PET"
        volume = read_pet(folder / "image").volume
        assert read_any_mask(folder / "mask", volume).voxels.sum() == 5095
