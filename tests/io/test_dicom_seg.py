"""DICOM SEG: written and read back equal; fractional and label map files; what is refused."""

import numpy as np
import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from pointpet.core import GeometryError, Grid, ImageReadError, Mask, MissingExtraError, OutputError, Volume
from pointpet.io.dicom_masks import MaskOrigin
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_seg import SEG_STORAGE, read_seg, write_seg
from pointpet.io.dicom_write import write_pet_series
from pointpet.io.pet import read_any_mask

AFFINE = np.array([[2.0, 0, 0, -10], [0, 2, 0, -12], [0, 0, 3, 50], [0, 0, 0, 1]])
GRID = Grid((6, 5, 4), AFFINE)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "seg.dcm"


def item(**values):
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def frame_groups(k, number):
    """Functional groups of slice `k` of `GRID`, in LPS, columns towards the left and rows towards the back."""
    x, y, z = GRID.world(np.array([[5, 4, k]]))[0]
    groups = item(PlanePositionSequence=[item(ImagePositionPatient=[-x, -y, z])])
    if number is not None:
        groups.SegmentIdentificationSequence = [item(ReferencedSegmentNumber=number)]
    return groups


def write_frames(path, frames, groups, **values):
    """A SEG by hand: `frames` (N, rows, columns) uint8, one byte a pixel."""
    dataset = item(
        SOPClassUID=SEG_STORAGE[0],
        SOPInstanceUID=generate_uid(),
        Modality="SEG",
        SegmentationType="FRACTIONAL",
        MaximumFractionalValue=200,
        NumberOfFrames=len(frames),
        Rows=5,
        Columns=6,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        SegmentSequence=[item(SegmentNumber=1, SegmentLabel="Tumour"), item(SegmentNumber=2, SegmentLabel="Node")],
        SharedFunctionalGroupsSequence=[
            item(
                PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
                PixelMeasuresSequence=[item(PixelSpacing=[2, 2], SliceThickness=3)],
            )
        ],
        PerFrameFunctionalGroupsSequence=groups,
        PixelData=np.asarray(frames, np.uint8).tobytes(),
    )
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with disable_value_validation():
        dataset.save_as(path, enforce_file_format=True)
    return path


def frame(*pixels, value=200):
    """(5, 6) with `value` at (row, column) pixels."""
    image = np.zeros((5, 6), np.uint8)
    for row, column in pixels:
        image[row, column] = value
    return image


class TestReading:
    def test_a_pixel_lands_on_its_voxel(self, file):
        """Row 0 is at the front end of the rows' start: y index 4; column 0 at x index 5, on both axes reversed."""
        write_frames(file, [frame((1, 2))], [frame_groups(3, 1)])
        voxels = read_seg(file, GRID, segment="tumour").voxels
        assert np.argwhere(voxels).tolist() == [[3, 3, 3]]

    def test_fractional_counts_from_one_half(self, file):
        frames = [frame((0, 0), value=99), frame((0, 0), value=100)]
        write_frames(file, frames, [frame_groups(0, 1), frame_groups(1, 1)])
        assert np.argwhere(read_seg(file, GRID, segment="Tumour").voxels).tolist() == [[5, 4, 1]]

    def test_segments_are_told_apart(self, file):
        write_frames(file, [frame((0, 0)), frame((4, 5))], [frame_groups(0, 1), frame_groups(0, 2)])
        assert np.argwhere(read_seg(file, GRID, segment="node").voxels).tolist() == [[0, 0, 0]]

    def test_label_map(self, file):
        both = frame((0, 0), value=1) + frame((4, 5), value=2)
        write_frames(file, [both], [frame_groups(2, None)], SegmentationType="LABELMAP", SOPClassUID=SEG_STORAGE[1])
        assert np.argwhere(read_seg(file, GRID, segment="node").voxels).tolist() == [[0, 0, 2]]

    def test_frames_that_reach_beyond_the_pet_may_be_empty_there(self, file):
        groups = frame_groups(0, 1)
        x, y, z = GRID.world(np.array([[7, 4, 0]]))[0]
        groups.PlanePositionSequence[0].ImagePositionPatient = [-x, -y, z]
        write_frames(file, [frame((0, 2))], [groups])
        assert np.argwhere(read_seg(file, GRID, segment="tumour").voxels).tolist() == [[5, 4, 0]]
        write_frames(file, [frame((0, 1))], [groups])
        with pytest.raises(GeometryError, match=r"seg\.dcm: it marks voxels outside the PET"):
            read_seg(file, GRID, segment="tumour")


class TestRefusals:
    def test_another_object(self, series):
        with pytest.raises(ImageReadError, match=r"slice_0000\.dcm: must be a Segmentation, got PT"):
            read_seg(series / "slice_0000.dcm", GRID)

    @pytest.mark.parametrize(
        ("segment", "message"),
        [
            (None, "must hold one segment.*it holds 'Tumour', 'Node'"),
            ("heart", "one segment 'heart', got 'Tumour', 'No"),
        ],
    )
    def test_choice(self, file, segment, message):
        write_frames(file, [frame((0, 0))], [frame_groups(0, 1)])
        with pytest.raises(ImageReadError, match=message):
            read_seg(file, GRID, segment=segment)

    @pytest.mark.parametrize("shift_mm", [(1.0, 0, 0), (0, 0, 1.5)])
    def test_frames_beside_the_voxels(self, file, shift_mm):
        groups = frame_groups(0, 1)
        place = groups.PlanePositionSequence[0]
        place.ImagePositionPatient = [float(a) + b for a, b in zip(place.ImagePositionPatient, shift_mm, strict=True)]
        write_frames(file, [frame((0, 0))], [groups])
        with pytest.raises(
            GeometryError, match=rf"its pixels must be voxels of the PET, they lie {max(shift_mm):g} mm"
        ):
            read_seg(file, GRID, segment="tumour")

    def test_other_spacing(self, file):
        shared = item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[item(PixelSpacing=[1, 1])],
        )
        write_frames(file, [frame((0, 0))], [frame_groups(0, 1)], SharedFunctionalGroupsSequence=[shared])
        with pytest.raises(GeometryError, match="its pixels must be voxels of the PET"):
            read_seg(file, GRID, segment="tumour")

    def test_too_many_voxels(self, file):
        write_frames(file, [frame((0, 0))], [frame_groups(0, 1)], Rows=60000, Columns=60000)
        with pytest.raises(ImageReadError, match="asks for 1 frames of 60000 x 60000, too many"):
            read_seg(file, GRID, segment="tumour")

    @pytest.mark.parametrize("change", [{"PixelData": b"\0\0"}, {"SegmentSequence": [Dataset()]}, {"Rows": None}])
    def test_damaged(self, file, change):
        write_frames(file, [frame((0, 0))], [frame_groups(0, 1)], **change)
        with pytest.raises(ImageReadError, match=r"seg\.dcm: its frames cannot be parsed"):
            read_seg(file, GRID, segment="tumour")


@pytest.fixture
def mask(suv_volume):
    return Mask(suv_volume.voxels > 1.5, suv_volume.affine)


class TestWriting:
    @pytest.fixture(autouse=True)
    def _needs_highdicom(self):
        pytest.importorskip("highdicom")

    def test_read_back_equal(self, series, file, mask):
        reading = read_dicom_series(series)
        write_seg(file, mask, reading.volume.stored, reading.series)
        assert (read_any_mask(file, reading.volume).voxels == mask.voxels).all()

    def test_one_voxel_and_one_slice(self, series, file, mask):
        reading = read_dicom_series(series)
        voxels = np.zeros_like(mask.voxels)
        voxels[3, 2, 7] = True
        write_seg(file, Mask(voxels, mask.affine), reading.volume.stored, reading.series)
        assert (read_seg(file, reading.volume.grid).voxels == voxels).all()

    def test_oblique(self, tmp_path, file, acquisition):
        turn = np.eye(4)
        turn[1:3, 1:3] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
        voxels = np.random.default_rng(0).random((7, 6, 5)).astype(np.float32)
        write_pet_series(Volume(voxels, turn @ AFFINE), acquisition, tmp_path / "s", patient_id="P")
        reading = read_dicom_series(tmp_path / "s")
        mask = Mask(reading.volume.voxels > 0.5, reading.volume.affine)
        write_seg(file, mask, reading.volume.stored, reading.series)
        assert (read_seg(file, reading.volume.grid).voxels == mask.voxels).all()

    def test_says_what_it_is_and_what_it_belongs_to(self, series, file, mask):
        reading = read_dicom_series(series)
        write_seg(file, mask, reading.volume.stored, reading.series, MaskOrigin("lung", "proposed", "1.2"))
        seg = pydicom.dcmread(file)
        source = pydicom.dcmread(series / "slice_0000.dcm")
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
            assert seg[keyword].value == source[keyword].value
        assert seg.SeriesInstanceUID != source.SeriesInstanceUID
        segment = seg.SegmentSequence[0]
        assert (segment.SegmentLabel, segment.SegmentAlgorithmType) == ("lung", "AUTOMATIC")
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Neoplasm"
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("proposed", "1.2")
        assert "research use" in seg.SeriesDescription
        assert "research use" in seg.ContentDescription
        referenced = seg.ReferencedSeriesSequence[0]
        assert referenced.SeriesInstanceUID == source.SeriesInstanceUID
        assert len(referenced.ReferencedInstanceSequence) == 8

    def test_conforms_to_the_segmentation_iod(self, series, file, mask, iod_faults):
        reading = read_dicom_series(series)
        write_seg(file, mask, reading.volume.stored, reading.series)
        seg = pydicom.dcmread(file)
        assert iod_faults(seg) == []
        del seg.SegmentSequence[0].SegmentAlgorithmType
        seg.Units = "BQML"
        assert sorted(iod_faults(seg)) == [
            "Units belongs to no module",
            "type 1 SegmentSequence/SegmentAlgorithmType is absent",
        ]

    def test_codes_are_those_of_the_standard(self, series, file, mask):
        reading = read_dicom_series(series)
        write_seg(file, mask, reading.volume.stored, reading.series)
        segment = pydicom.dcmread(file).SegmentSequence[0]
        coded = {
            "SegmentedPropertyCategoryCodeSequence": ("49755003", "SCT", "Morphologically Abnormal Structure"),
            "SegmentedPropertyTypeCodeSequence": ("108369006", "SCT", "Neoplasm"),
        }
        for keyword, expected in coded.items():
            item = segment[keyword].value[0]
            assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == expected

    def test_of_the_patient_only_what_the_archive_needs_is_carried_over(self, series, edit, file, mask):
        def talkative(dataset):
            dataset.PatientComments, dataset.InstitutionName = "SENTINEL", "SENTINEL"
            dataset.OperatorsName, dataset.PerformingPhysicianName = "SENTINEL", "SENTINEL"
            dataset.StudyDescription = "whole body"

        edit(series, talkative)
        reading = read_dicom_series(series)
        write_seg(file, mask, reading.volume.stored, reading.series)
        seg = pydicom.dcmread(file)
        assert seg.StudyDescription == "whole body"
        assert [element.keyword for element in seg.iterall() if "SENTINEL" in str(element.value)] == [
            "PatientName",
            "PatientID",
        ]

    def test_source_lacking_the_usual_attributes(self, series, edit, file, mask):
        def bare(dataset):
            for keyword in ("PatientBirthDate", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyTime"):
                delattr(dataset, keyword)

        edit(series, bare)
        reading = read_dicom_series(series)
        write_seg(file, mask, reading.volume.stored, reading.series)
        assert (read_seg(file, reading.volume.grid).voxels == mask.voxels).all()

    def test_empty_mask(self, series, file, mask):
        reading = read_dicom_series(series)
        empty = Mask(np.zeros_like(mask.voxels), mask.affine)
        with pytest.raises(OutputError, match=r"seg\.dcm: an empty mask cannot be written as DICOM"):
            write_seg(file, empty, reading.volume.stored, reading.series)
        assert not file.exists()

    def test_another_grid(self, series, file):
        reading = read_dicom_series(series)
        with pytest.raises(OutputError, match=r"seg\.dcm: the mask has \(3, 3, 3\) voxels"):
            write_seg(file, Mask(np.ones((3, 3, 3), bool), np.eye(4)), reading.volume.stored, reading.series)


def test_without_highdicom_the_extra_is_named(series, file, mask, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "highdicom", None)
    reading = read_dicom_series(series)
    with pytest.raises(MissingExtraError, match=r"highdicom is not installed. pip install 'pointpet\[dicom\]'"):
        write_seg(file, mask, reading.volume.stored, reading.series)
