"""Our own PET series: read back equal, valid, the same bytes for the same arguments."""

from datetime import datetime

import numpy as np
import pydicom
import pytest

from pointpet.core import Acquisition, OutputError, SuvError, Volume
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_write import write_pet_series

TYPE_1 = (
    "SeriesDate",
    "SeriesTime",
    "Units",
    "CountsSource",
    "SeriesType",
    "NumberOfSlices",
    "CorrectedImage",
    "DecayCorrection",
    "RadiopharmaceuticalInformationSequence",
    "ImageType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "RescaleIntercept",
    "RescaleSlope",
    "FrameReferenceTime",
    "ImageIndex",
    "AcquisitionDate",
    "AcquisitionTime",
    "ActualFrameDuration",
    "DecayFactor",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "FrameOfReferenceUID",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
)
"""PS3.3 C.8.9.1 (PET Series), C.8.9.2 (PET Isotope), C.8.9.4 (PET Image), C.7.6.2 (Image Plane), C.12.1."""


def bytes_of(folder):
    return [path.read_bytes() for path in sorted(folder.iterdir())]


class TestReadBack:
    def test_equals_to_the_quantisation_of_each_slice(self, pristine_series, suv_volume):
        reading = read_dicom_series(pristine_series, strict=True)
        largest = suv_volume.voxels.max(axis=(0, 1))
        assert (np.abs(reading.volume.voxels - suv_volume.voxels).max(axis=(0, 1)) < largest / 60000).all()
        assert np.allclose(reading.volume.affine, suv_volume.affine, atol=1e-9)
        assert (reading.notes, reading.warnings) == ((), ())

    def test_each_slice_has_its_own_slope(self, pristine_series):
        slopes = {float(pydicom.dcmread(path).RescaleSlope) for path in pristine_series.iterdir()}
        assert len(slopes) == 8

    def test_negative_voxels_and_empty_slices(self, tmp_path, acquisition):
        voxels = np.zeros((5, 4, 3), np.float32)
        voxels[..., 1] = np.linspace(-1, 2, 20).reshape(5, 4)
        write_pet_series(Volume(voxels, np.eye(4)), acquisition, tmp_path / "s", patient_id="P")
        assert np.abs(read_dicom_series(tmp_path / "s").volume.voxels - voxels).max() < 1e-4

    def test_injection_on_the_day_before(self, tmp_path, suv_volume, acquisition):
        start = datetime(2024, 3, 1, 0, 20)
        write_pet_series(suv_volume, acquisition, tmp_path / "s", patient_id="P", scan_start=start)
        reading = read_dicom_series(tmp_path / "s", strict=True)
        assert reading.acquisition.uptake_s == 3600.0
        assert np.allclose(reading.volume.voxels, suv_volume.voxels, atol=1e-3)

    def test_facts_come_back(self, tmp_path, suv_volume):
        facts = Acquisition(
            weight_kg=81.25,
            height_m=1.68,
            sex="F",
            dose_bq=287.5e6,
            half_life_s=6586.2,
            uptake_s=4000.5,
            frame_s=150.0,
            manufacturer="Maker",
            model="Model",
        )
        write_pet_series(suv_volume, facts, tmp_path / "s", patient_id="P")
        assert read_dicom_series(tmp_path / "s").acquisition == facts


class TestFiles:
    def test_equal_arguments_give_equal_bytes(self, tmp_path, suv_volume, acquisition):
        for name in "ab":
            write_pet_series(suv_volume, acquisition, tmp_path / name, patient_id="P", seed=3)
        write_pet_series(suv_volume, acquisition, tmp_path / "c", patient_id="P", seed=4)
        assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
        assert bytes_of(tmp_path / "a") != bytes_of(tmp_path / "c")

    def test_uids_are_unique_in_a_series_and_between_patients(self, tmp_path, suv_volume, acquisition):
        uids = set()
        for patient in ("P1", "P2"):
            for path in write_pet_series(suv_volume, acquisition, tmp_path / patient, patient_id=patient):
                dataset = pydicom.dcmread(path)
                uids |= {dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID}
        assert len(uids) == 2 * (8 + 2)

    def test_required_attributes_of_the_pet_image_module_are_there(self, pristine_series):
        dataset = pydicom.dcmread(sorted(pristine_series.iterdir())[0])
        for keyword in TYPE_1:
            assert dataset[keyword].value not in (None, "", []), keyword
        assert [dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit] == [16, 16, 15]

    def test_conforms_to_the_pet_image_iod(self, pristine_series, iod_faults):
        assert iod_faults(pydicom.dcmread(sorted(pristine_series.iterdir())[0])) == []

    def test_slope_is_a_valid_decimal_string(self, pristine_series):
        for path in pristine_series.iterdir():
            assert len(str(pydicom.dcmread(path)["RescaleSlope"].value.original_string)) <= 16

    def test_files_come_back_feet_first(self, tmp_path, suv_volume, acquisition):
        paths = write_pet_series(suv_volume, acquisition, tmp_path / "s", patient_id="P")
        heights = [float(pydicom.dcmread(path).ImagePositionPatient[2]) for path in paths]
        assert heights == sorted(heights)


class TestRefusals:
    @pytest.mark.parametrize("name", ["weight_kg", "dose_bq", "uptake_s"])
    def test_what_suv_needs(self, tmp_path, suv_volume, name):
        facts = {"weight_kg": 70.0, "dose_bq": 3e8, "uptake_s": 3600.0} | {name: None}
        with pytest.raises(SuvError, match=f"{name} must be stated to write SUV as activity"):
            write_pet_series(suv_volume, Acquisition(**facts), tmp_path / "s", patient_id="P")
        assert not list(tmp_path.iterdir())

    def test_occupied_folder(self, tmp_path, suv_volume, acquisition):
        (tmp_path / "s").mkdir()
        (tmp_path / "s" / "a").touch()
        with pytest.raises(OutputError, match="s: holds files already"):
            write_pet_series(suv_volume, acquisition, tmp_path / "s", patient_id="P")

    def test_empty_folder_is_taken(self, tmp_path, suv_volume, acquisition):
        (tmp_path / "s").mkdir()
        assert len(write_pet_series(suv_volume, acquisition, tmp_path / "s", patient_id="P")) == 8

    def test_full_disk_leaves_nothing(self, tmp_path, suv_volume, acquisition, monkeypatch):
        def full(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pointpet.io.dicom_write.dcmwrite", full)
        with pytest.raises(OutputError, match=r"s: cannot be written \(No space left on device\)"):
            write_pet_series(suv_volume, acquisition, tmp_path / "s", patient_id="P")
        assert not list(tmp_path.iterdir())
