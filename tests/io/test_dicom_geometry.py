"""Slices that make no volume, each refused with both files named."""

import numpy as np
import pytest

from pointpet.core import ImageReadError, Volume
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_write import write_pet_series


def refused(folder, message):
    with pytest.raises(ImageReadError, match=message):
        read_dicom_series(folder)


def shift(axis, distance_mm):
    def change(dataset):
        position = [float(value) for value in dataset.ImagePositionPatient]
        position[axis] += distance_mm
        dataset.ImagePositionPatient = position

    return change


class TestOrder:
    def test_slices_are_sorted_by_position_not_by_name(self, series):
        expected = read_dicom_series(series)
        names = [path.name for path in sorted(series.iterdir())]
        for path in list(series.iterdir()):
            path.rename(path.with_name(f"x{path.name}"))
        for name, shuffled in zip(names, np.random.default_rng(3).permutation(names), strict=True):
            (series / f"x{name}").rename(series / f"{shuffled}")
        reading = read_dicom_series(series)
        assert (reading.volume.voxels == expected.volume.voxels).all()
        assert reading.series.sop_instance_uids == expected.series.sop_instance_uids

    @pytest.mark.parametrize("angle", [0.0, 0.3])
    @pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1), (1, 2, 0)])
    def test_any_orientation_comes_out_as_ras(self, tmp_path, acquisition, angle, axes):
        """Transverse, coronal and sagittal stacks, oblique too: each voxel keeps its place in the world."""
        turn = np.eye(4)
        turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        affine = turn @ np.diag([2.0, 3.0, 4.0, 1.0])[:, [*axes, 3]]
        affine[:3, 3] = (5.0, -7.0, 11.0)
        voxels = np.random.default_rng(0).random((6, 5, 4)).astype(np.float32)
        write_pet_series(Volume(voxels, affine), acquisition, tmp_path / "s", patient_id="P")
        volume = read_dicom_series(tmp_path / "s").volume
        assert (np.argmax(np.abs(volume.affine[:3, :3]), axis=0) == (0, 1, 2)).all()
        assert (np.diag(volume.affine)[:3] > 0).all()
        for index in ((0, 0, 0), (5, 4, 3), (2, 1, 3)):
            place = affine @ (*index, 1)
            found = np.rint(volume.grid.indices(place[:3])).astype(int)[0]
            assert volume.voxels[tuple(found)] == pytest.approx(voxels[index], rel=1e-4)

    def test_stored_grid_is_the_files_own(self, series):
        reading = read_dicom_series(series)
        stored = reading.volume.stored
        assert stored.shape == (12, 10, 8)
        assert (np.sign(np.diag(stored.affine)[:3]) == (-1, -1, 1)).all()
        assert np.allclose(stored.world(np.array([[11, 9, 0]])), reading.volume.grid.world(np.array([[0, 0, 0]])))


class TestSteps:
    def test_missing_slice(self, series):
        (series / "slice_0004.dcm").unlink()
        refused(
            series, r"3 mm apart, but file slice_0003.dcm and file slice_0005.dcm are 6 mm apart by .*\(0020,0032\)"
        )

    def test_duplicate_slice(self, series):
        (series / "copy.dcm").write_bytes((series / "slice_0004.dcm").read_bytes())
        refused(series, r"file (copy|slice_0004).dcm and file (copy|slice_0004).dcm lie at one .*\(0020,0032\)")

    def test_misplaced_slice(self, series, edit):
        edit(series, shift(2, 0.2), only=(4,))
        refused(series, "slices must be 3 mm apart, but file slice_000[34].dcm and file slice_000[45].dcm are")

    def test_seam_of_two_beds_is_read_with_a_warning(self, series, edit):
        """As a GE Discovery ST rounds its table's travel: 0.08 mm at a seam."""
        edit(series, shift(2, 0.08), only=(4, 5, 6, 7))
        reading = read_dicom_series(series)
        assert reading.warnings == ("slices are 3 mm apart, at the seams of bed positions up to 0.08 mm more or less",)

    def test_missing_slice_of_a_grid_finer_than_a_seam(self, tmp_path, acquisition):
        """Slices 0.08 mm apart: the gap of a missing one is no more than a seam of a coarse scanner."""
        volume = Volume(np.ones((4, 4, 8), np.float32), np.diag([0.5, 0.5, 0.08, 1.0]))
        write_pet_series(volume, acquisition, tmp_path / "fine", patient_id="P")
        (tmp_path / "fine" / "slice_0004.dcm").unlink()
        refused(tmp_path / "fine", "slices must be 0.08 mm apart, but file slice_0003.dcm and file slice_0005.dcm")

    def test_one_slice(self, series):
        for path in sorted(series.iterdir())[1:]:
            path.unlink()
        refused(series, "needs two slices or more, got 1")

    def test_frames_at_the_same_positions(self, series, edit):
        for path in sorted(series.iterdir()):
            (series / f"frame2_{path.name}").write_bytes(path.read_bytes())
        refused(series, "each of the 8 positions is there 2 times: a dynamic or gated series")

    def test_all_slices_at_one_place(self, series, edit):
        edit(series, lambda dataset: setattr(dataset, "ImagePositionPatient", [0, 0, 0]))
        refused(series, r"lie at one Image Position")

    def test_sheared_stack(self, series, edit):
        for index in range(8):
            edit(series, shift(1, 0.2 * index), only=(index,))
        refused(series, r"slice_0007.dcm: Image Position \(Patient\) \(0020,0032\) lies 1.4 mm beside the normal")


class TestPlane:
    def test_mixed_orientation(self, series, edit):
        edit(series, lambda dataset: setattr(dataset, "ImageOrientationPatient", [1, 0, 0, 0, 0, -1]), only=(5,))
        refused(
            series, r"slice_0005.dcm: Image Orientation .*\(0020,0037\) is .* in file slice_0000.dcm: the slices do"
        )

    def test_mixed_shape(self, series, edit):
        def smaller(dataset):
            dataset.Rows = 9
            dataset.PixelData = dataset.PixelData[: 9 * 12 * 2]

        edit(series, smaller, only=(5,))
        refused(series, r"slice_0005.dcm: Rows .* is \(9, 12\), but \(10, 12\) in file slice_0000.dcm")

    def test_mixed_spacing(self, series, edit):
        edit(series, lambda dataset: setattr(dataset, "PixelSpacing", [4, 5]), only=(5,))
        refused(series, r"slice_0005.dcm: Pixel Spacing \(0028,0030\) is \[4.0, 5.0\], but \[4.0, 4.0\]")

    @pytest.mark.parametrize("spacing", [[0, 0], [4, 0], [-4, 4]])
    def test_spacing_of_zero(self, series, edit, spacing):
        edit(series, lambda dataset: setattr(dataset, "PixelSpacing", spacing))
        refused(series, r"Pixel Spacing \(0028,0030\) must be more than 0 mm, got")

    @pytest.mark.parametrize("orientation", [[1, 0, 0, 1, 0, 0], [2, 0, 0, 0, 1, 0], [0] * 6])
    def test_orientation_that_is_none(self, series, edit, orientation):
        edit(series, lambda dataset: setattr(dataset, "ImageOrientationPatient", orientation))
        refused(series, r"\(0020,0037\) must be two perpendicular directions of length 1")

    @pytest.mark.parametrize(
        ("keyword", "value", "found"),
        [
            (
                "ImagePositionPatient",
                None,
                r"Position \(Patient\) \(0020,0032\) must be 3 finite numbers, it is absent",
            ),
            ("ImagePositionPatient", [1, 2], r"must be 3 finite numbers, got \[1.0, 2.0\]"),
            ("ImageOrientationPatient", None, r"\(0020,0037\) must be 6 finite numbers, it is absent"),
            ("PixelSpacing", None, r"\(0028,0030\) must be 2 finite numbers, it is absent"),
        ],
    )
    def test_absent_or_short(self, series, edit, keyword, value, found):
        edit(series, lambda dataset: setattr(dataset, keyword, value))
        refused(series, found)

    def test_not_finite(self, series):
        path = series / "slice_0002.dcm"
        content = path.read_bytes()
        assert b"-22.0" in content
        path.write_bytes(content.replace(b"-22.0", b"  nan"))
        refused(series, "slice_0002.dcm: Image Position .* must be 3 finite numbers, got")
