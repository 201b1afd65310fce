"""Contours -> masks: even-odd at voxel centres, holes, planes matched by position."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from pointpet.core import Grid, ImageReadError
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.nifti import read_mask
from pointpet.io.rtstruct import RTSTRUCT_STORAGE, read_rtstruct

AFFINE = np.array([[2.0, 0, 0, -10], [0, 2, 0, -12], [0, 0, 3, 50], [0, 0, 0, 1]])
GRID = Grid((12, 12, 6), AFFINE)


def square(low, high, k, grid=GRID):
    """Corners in voxel indices: a square from `low` to `high` on slice `k`, as RAS+ mm."""
    corners = [(low, low, k), (high, low, k), (high, high, k), (low, high, k)]
    return grid.world(np.array(corners, float))


def rtstruct(path, rois, kind="CLOSED_PLANAR", sop_class=RTSTRUCT_STORAGE):
    """Write contours in RAS+ mm: {name: [contour (N, 3), ...]}."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = sop_class
    dataset.Modality = "RTSTRUCT"
    dataset.StructureSetROISequence = []
    dataset.ROIContourSequence = []
    for number, (name, contours) in enumerate(rois.items(), 1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = []
        for points in contours:
            item = Dataset()
            item.ContourGeometricType = kind
            item.NumberOfContourPoints = len(points)
            item.ContourData = [f"{value:.6f}" for value in (np.asarray(points) * (-1, -1, 1)).ravel()]
            drawn.ContourSequence.append(item)
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "rs.dcm"


class TestRasterising:
    def test_voxel_centres_inside(self, file):
        mask = read_rtstruct(rtstruct(file, {"GTV": [square(2.6, 5.4, 3)]}), GRID)
        expected = np.zeros(GRID.shape, bool)
        expected[3:6, 3:6, 3] = True
        assert (mask.voxels == expected).all()
        assert (mask.affine == GRID.affine).all()

    def test_hole(self, file):
        mask = read_rtstruct(rtstruct(file, {"GTV": [square(1.5, 8.5, 2), square(3.5, 5.5, 2)]}), GRID)
        expected = np.zeros(GRID.shape, bool)
        expected[2:9, 2:9, 2] = True
        expected[4:6, 4:6, 2] = False
        assert (mask.voxels == expected).all()

    def test_island_in_a_hole(self, file):
        contours = [square(0.5, 10.5, 2), square(2.5, 8.5, 2), square(4.5, 6.5, 2)]
        mask = read_rtstruct(rtstruct(file, {"GTV": contours}), GRID)
        assert mask.voxels[..., 2].sum() == 10**2 - 6**2 + 2**2

    def test_two_parts_on_one_slice(self, file):
        mask = read_rtstruct(rtstruct(file, {"GTV": [square(0.5, 2.5, 1), square(5.5, 8.5, 1)]}), GRID)
        assert mask.voxels.sum() == 4 + 9

    def test_self_crossing_contour_is_even_odd(self, file):
        bow = GRID.world(np.array([(0.5, 0.5, 0), (8.5, 8.5, 0), (8.5, 0.5, 0), (0.5, 8.5, 0)]))
        mask = read_rtstruct(rtstruct(file, {"GTV": [bow]}), GRID)
        assert mask.voxels[2, 5, 0]
        assert not mask.voxels[5, 2, 0]

    def test_contour_partly_outside_is_cut_off(self, file):
        mask = read_rtstruct(rtstruct(file, {"GTV": [square(-5.5, 1.5, 0)]}), GRID)
        assert mask.voxels.sum() == 4

    def test_contours_along_another_axis(self, file):
        """Sagittal contours, on the first voxel axis."""
        corners = np.array([(4, 1.5, 0.5), (4, 5.5, 0.5), (4, 5.5, 3.5), (4, 1.5, 3.5)])
        mask = read_rtstruct(rtstruct(file, {"GTV": [GRID.world(corners)]}), GRID)
        assert mask.voxels[4, 2:6, 1:4].all()
        assert mask.voxels.sum() == 12

    def test_oblique_grid(self, file):
        turn = np.eye(4)
        turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
        grid = Grid(GRID.shape, turn @ AFFINE)
        mask = read_rtstruct(rtstruct(file, {"GTV": [square(2.6, 5.4, 3, grid)]}), grid)
        assert mask.voxels[3:6, 3:6, 3].all()
        assert mask.voxels.sum() == 9


class TestPlanes:
    def test_drawn_on_thicker_slices_fills_what_lies_nearest(self, file):
        """Contours every 6 mm on a PET of 3 mm: no slice in between stays empty."""
        contours = [square(2.6, 5.4, k) for k in (1.2, 3.2)]
        mask = read_rtstruct(rtstruct(file, {"GTV": contours}), GRID)
        assert (mask.voxels.sum(axis=(0, 1)) == [0, 9, 9, 9, 9, 0]).all()

    def test_drawn_on_thinner_slices_takes_the_nearest(self, file):
        contours = [square(0.5 + k, 8.5, k) for k in (1.6, 1.8, 2.05, 2.2)]
        mask = read_rtstruct(rtstruct(file, {"GTV": contours}), GRID)
        assert (mask.voxels.sum(axis=(0, 1)) == [0, 0, 6**2, 0, 0, 0]).all()

    def test_a_gap_stays_a_gap(self, file):
        contours = [square(2.6, 5.4, k) for k in (0, 1, 3, 4)]
        mask = read_rtstruct(rtstruct(file, {"GTV": contours}), GRID)
        assert (mask.voxels.sum(axis=(0, 1)) == [9, 9, 0, 9, 9, 0]).all()

    @pytest.mark.parametrize("offset", [0.0, 0.3])
    def test_structures_far_apart_are_not_joined(self, file, offset):
        contours = [square(2.6, 5.4, k + offset) for k in (0, 5)]
        mask = read_rtstruct(rtstruct(file, {"GTV": contours}), GRID)
        assert (mask.voxels.sum(axis=(0, 1))[2:4] == 0).all()

    def test_every_other_slice_stays_every_other_slice(self, file):
        contours = [square(2.6, 5.4, k) for k in (0, 2, 4)]
        mask = read_rtstruct(rtstruct(file, {"GTV": contours}), GRID)
        assert (mask.voxels.sum(axis=(0, 1)) == [9, 0, 9, 0, 9, 0]).all()

    def test_position_in_the_last_digits_does_not_matter(self, file):
        contours = [square(2.6, 5.4, k + 0.02) for k in (1, 2)]
        assert read_rtstruct(rtstruct(file, {"GTV": contours}), GRID).voxels.sum() == 18


class TestChoice:
    def test_by_name_in_any_case(self, file):
        rtstruct(file, {"GTV_Mass": [square(2.6, 5.4, 1)], "GTV_Edema": [square(0.5, 8.5, 1)]})
        assert read_rtstruct(file, GRID, roi="gtv_mass ").voxels.sum() == 9

    def test_one_must_be_named_where_there_are_two(self, file):
        rtstruct(file, {"GTV_Mass": [square(2.6, 5.4, 1)], "GTV_Edema": [square(0.5, 8.5, 1)]})
        with pytest.raises(ImageReadError, match=r"rs.dcm: must hold one ROI.*holds 'GTV_Mass', 'GTV_Edema'"):
            read_rtstruct(file, GRID)

    def test_unknown_name(self, file):
        rtstruct(file, {"GTV": [square(2.6, 5.4, 1)]})
        with pytest.raises(ImageReadError, match="must hold one ROI 'heart', got 'GTV'"):
            read_rtstruct(file, GRID, roi="heart")


class TestRefusals:
    def test_another_object(self, file):
        rtstruct(file, {"GTV": [square(2.6, 5.4, 1)]}, sop_class="1.2.840.10008.5.1.4.1.1.2")
        with pytest.raises(ImageReadError, match="must be an RT Structure Set, got RTSTRUCT"):
            read_rtstruct(file, GRID)

    @pytest.mark.parametrize(
        ("contours", "kind"),
        [([], "CLOSED_PLANAR"), ([square(1, 2, 1)], "POINT"), ([square(1, 2, 1)[:2]], "CLOSED_PLANAR")],
    )
    def test_no_closed_contour(self, file, contours, kind):
        with pytest.raises(ImageReadError, match="the ROI has no closed contour"):
            read_rtstruct(rtstruct(file, {"GTV": contours}, kind), GRID)

    def test_outside(self, file):
        with pytest.raises(ImageReadError, match="no voxel of the PET lies inside its contours"):
            read_rtstruct(rtstruct(file, {"GTV": [square(2.6, 5.4, 30)]}), GRID)

    def test_contours_across_the_slices(self, file):
        tilted = square(1.5, 8.5, 2)
        tilted[:2, 2] += 4.0
        tilted[1:3, 0] += 3.0
        tilted[2:, 1] += 3.0
        tilted[3] += (1.0, -4.0, 1.0)
        with pytest.raises(ImageReadError, match=r"its contours leave the slices by 1.33 voxels"):
            read_rtstruct(rtstruct(file, {"GTV": [tilted]}), GRID)

    def test_not_finite(self, file):
        rtstruct(file, {"GTV": [square(2.6, 5.4, 1)]})
        content = file.read_bytes()
        at = content.index(b"\\53.000000")
        file.write_bytes(content[:at] + b"\\      nan" + content[at + 10 :])
        with pytest.raises(ImageReadError, match="a contour must be triples of finite numbers"):
            read_rtstruct(file, GRID)

    def test_no_number(self, file):
        rtstruct(file, {"GTV": [square(2.6, 5.4, 1)]})
        file.write_bytes(file.read_bytes().replace(b"53.000000", b"much here"))
        with pytest.raises(ImageReadError, match=r"Contour Data \(3006,0050\) must be a number, got"):
            read_rtstruct(file, GRID)

    @pytest.mark.parametrize("in_item", [False, True])
    def test_lacking_what_ties_name_and_contour(self, file, in_item):
        rtstruct(file, {"GTV": [square(2.6, 5.4, 1)]})
        dataset = pydicom.dcmread(file)
        if in_item:
            del dataset.ROIContourSequence[0].ReferencedROINumber
        else:
            del dataset.StructureSetROISequence
        dataset.save_as(file)
        with pytest.raises(ImageReadError, match="its contours cannot be parsed"):
            read_rtstruct(file, GRID)


@pytest.mark.realdata
class TestRealContours:
    def test_sts_structures_equal_the_nifti_masks(self, real_data):
        """Dice 1.000 on all 34: no voxel differs."""
        for folder in sorted((real_data / "sts/dicom").iterdir()):
            volume = read_dicom_series(folder / "PET/image").volume
            mask = read_rtstruct(next((folder / "PET/mask").iterdir()), volume.grid)
            other = read_mask(real_data / "sts/nifti" / folder.name / "PET_mask.nii.gz", volume)
            assert (mask.voxels == other.voxels).all(), folder.name

    def test_raw_scan_s_structure_equals_that_of_its_crop(self, real_data):
        raw = read_dicom_series(real_data / "sts001_raw/STS_001/FDG_PET/image").volume
        mask = read_rtstruct(next((real_data / "sts001_raw/STS_001/FDG_PET/mask").iterdir()), raw.grid, roi="GTV_Mass")
        crop = read_dicom_series(real_data / "sts/dicom/STS_001/PET/image").volume
        other = read_rtstruct(next((real_data / "sts/dicom/STS_001/PET/mask").iterdir()), crop.grid)
        start = np.rint(raw.grid.indices(crop.affine[:3, 3])[0]).astype(int)
        part = mask.voxels[tuple(slice(a, a + n) for a, n in zip(start, crop.voxels.shape, strict=True))]
        assert (part == other.voxels).all()
        assert part.sum() == mask.voxels.sum()
