"""RTSTRUCT: written and read back equal, tied to its source series."""

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pointpet.core import Mask, OutputError, Volume
from pointpet.io.dicom_masks import MaskOrigin
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_write import write_pet_series
from pointpet.io.pet import read_any_mask
from pointpet.io.rtstruct import read_rtstruct
from pointpet.io.rtstruct_write import write_rtstruct

TYPE_1_OF_ROI = ("ROINumber", "ReferencedFrameOfReferenceUID")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "rtstruct.dcm"


@pytest.fixture
def mask(suv_volume):
    return Mask(suv_volume.voxels > 1.5, suv_volume.affine)


@pytest.fixture(scope="module")
def reading(pristine_series):
    return read_dicom_series(pristine_series)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(voxels=arrays(bool, (12, 10, 8), elements=st.booleans()).filter(np.any))
def test_any_mask_comes_back(reading, tmp_path, voxels):
    """Random voxels: diagonal neighbours, holes, islands in holes, voxels at the border."""
    mask = Mask(voxels, reading.volume.affine)
    write_rtstruct(tmp_path / "rs.dcm", mask, reading.volume.stored, reading.series)
    assert (read_rtstruct(tmp_path / "rs.dcm", reading.volume.grid).voxels == voxels).all()


def test_ring_within_a_ring(reading, file):
    voxels = np.zeros((12, 10, 8), bool)
    voxels[1:11, 1:9, 2:5] = True
    voxels[3:9, 3:7, 2:5] = False
    voxels[5:7, 4:6, 3] = True
    write_rtstruct(file, Mask(voxels, reading.volume.affine), reading.volume.stored, reading.series)
    assert (read_any_mask(file, reading.volume).voxels == voxels).all()
    contours = pydicom.dcmread(file).ROIContourSequence[0].ContourSequence
    assert len(contours) == 2 + 3 + 2


def test_oblique(tmp_path, file, acquisition):
    affine = np.array([[2.0, 0, 0, -10], [0, 2, 0, -12], [0, 0, 3, 50], [0, 0, 0, 1]])
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    voxels = np.random.default_rng(0).random((7, 6, 5)).astype(np.float32)
    write_pet_series(Volume(voxels, turn @ affine), acquisition, tmp_path / "s", patient_id="P")
    oblique = read_dicom_series(tmp_path / "s")
    mask = Mask(oblique.volume.voxels > 0.5, oblique.volume.affine)
    write_rtstruct(file, mask, oblique.volume.stored, oblique.series)
    assert (read_rtstruct(file, oblique.volume.grid).voxels == mask.voxels).all()


def test_says_what_it_is_and_what_it_belongs_to(reading, pristine_series, file, mask):
    write_rtstruct(file, mask, reading.volume.stored, reading.series, MaskOrigin("lung", "proposed", "1.2"))
    dataset = pydicom.dcmread(file)
    source = pydicom.dcmread(pristine_series / "slice_0000.dcm")
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert dataset[keyword].value == source[keyword].value
    assert dataset.SeriesInstanceUID != source.SeriesInstanceUID
    assert "research use" in dataset.SeriesDescription
    assert len(dataset.SeriesDescription) <= 64
    roi = dataset.StructureSetROISequence[0]
    assert (roi.ROIName, roi.ROIGenerationAlgorithm) == ("lung", "AUTOMATIC")
    assert all(roi[keyword].value for keyword in TYPE_1_OF_ROI)
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    referenced = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert referenced.SeriesInstanceUID == source.SeriesInstanceUID
    known = {image.ReferencedSOPInstanceUID for image in referenced.ContourImageSequence}
    used = {
        contour.ContourImageSequence[0].ReferencedSOPInstanceUID
        for contour in dataset.ROIContourSequence[0].ContourSequence
    }
    assert len(known) == 8
    assert used <= known


def test_conforms_to_the_structure_set_iod(reading, file, mask, iod_faults):
    write_rtstruct(file, mask, reading.volume.stored, reading.series)
    assert iod_faults(pydicom.dcmread(file)) == []


def test_contours_lie_on_the_slices_they_refer_to(reading, pristine_series, file, mask):
    write_rtstruct(file, mask, reading.volume.stored, reading.series)
    heights = {}
    for path in pristine_series.iterdir():
        dataset = pydicom.dcmread(path)
        heights[dataset.SOPInstanceUID] = float(dataset.ImagePositionPatient[2])
    for contour in pydicom.dcmread(file).ROIContourSequence[0].ContourSequence:
        z = np.array(contour.ContourData, float)[2::3]
        assert np.allclose(z, heights[contour.ContourImageSequence[0].ReferencedSOPInstanceUID], atol=1e-3)


def test_a_long_name_is_cut(reading, file, mask):
    write_rtstruct(file, mask, reading.volume.stored, reading.series, MaskOrigin("x" * 200, "y" * 200))
    dataset = pydicom.dcmread(file)
    assert dataset.SeriesDescription.endswith("research use only")
    assert max(len(dataset.SeriesDescription), len(dataset.StructureSetROISequence[0].ROIName)) <= 64


def test_empty_mask(reading, file, mask):
    empty = Mask(np.zeros_like(mask.voxels), mask.affine)
    with pytest.raises(OutputError, match="an empty mask cannot be written as DICOM"):
        write_rtstruct(file, empty, reading.volume.stored, reading.series)
    assert not file.exists()


@pytest.mark.realdata
def test_real_contour_written_again(real_data, tmp_path):
    folder = real_data / "sts001_raw/STS_001/FDG_PET"
    reading = read_dicom_series(folder / "image")
    mask = read_any_mask(folder / "mask", reading.volume, "GTV_Mass")
    write_rtstruct(tmp_path / "rs.dcm", mask, reading.volume.stored, reading.series)
    assert (read_any_mask(tmp_path / "rs.dcm", reading.volume).voxels == mask.voxels).all()
