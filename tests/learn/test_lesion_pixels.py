import numpy as np
import pytest

from pointpet.core import Mask, Plane, Volume
from pointpet.learn.lesion_pixels import coverage, filling_pixels, filling_points, filling_spacing_mm
from pointpet.project import project, project_mask, turned_mips

AFFINE = np.diag([4.0, 4.0, 2.0, 1.0])


@pytest.fixture
def lesion() -> Mask:
    index = np.indices((30, 24, 50)).astype(float)
    away = ((index[0] - 11) * 4) ** 2 + ((index[1] - 9) * 4) ** 2 + ((index[2] - 20) * 2) ** 2
    return Mask(away <= 17.0**2, AFFINE)


def test_points_fill_each_voxel_evenly_and_nothing_else(lesion) -> None:
    points = filling_points(lesion, spacing_mm=1.0)
    assert len(points) == lesion.voxels.sum() * 4 * 4 * 2
    nearest = np.rint(lesion.grid.indices(points)).astype(int)
    assert lesion.voxels[tuple(nearest.T)].all()
    np.testing.assert_allclose(points.mean(axis=0), lesion.grid.world(np.argwhere(lesion.voxels)).mean(axis=0))


def test_an_empty_mask_has_no_points_and_covers_nothing() -> None:
    points = filling_points(Mask(np.zeros((3, 3, 3), bool), AFFINE), spacing_mm=1.0)
    assert points.shape == (0, 3)
    assert not coverage(np.zeros((0, 2)), (4, 5)).any()


def test_coverage_is_the_share_of_a_cell_and_ignores_points_outside() -> None:
    # A strip one fine cell wide, at the left edge of cell (1, 2); a point beyond each side.
    strip = np.array([[1 + offset, 2 - 1 / 3] for offset in (-1 / 3, 0, 1 / 3)])
    share = coverage(np.vstack([strip, [[-0.6, 0], [9.0, 0], [0, 4.6]]]), (4, 5))
    expected = np.zeros((4, 5))
    expected[1, 2] = 1 / 3
    np.testing.assert_allclose(share, expected, atol=1e-6)


@pytest.mark.parametrize("plane", list(Plane))
def test_the_coverage_of_a_view_is_the_projected_mask_block_by_block(lesion, plane) -> None:
    mips = project(Volume(lesion.voxels.astype(np.float32), AFFINE), pixel_mm=2.0)
    points = filling_points(lesion, spacing_mm=filling_spacing_mm(2.0 * 3))
    shape = tuple(side // 3 + 1 for side in mips.picture(plane).shape)
    share = coverage((mips.pixels(plane, points) + 0.5) / 3 - 0.5, shape)
    truth = project_mask(lesion, pixel_mm=2.0)[plane].T[::-1, ::-1]
    padded = np.pad(truth, [(0, 3 * side - own) for side, own in zip(shape, truth.shape, strict=True)])
    blocks = padded.reshape(shape[0], 3, shape[1], 3).mean(axis=(1, 3))
    np.testing.assert_allclose(share, blocks, atol=1e-6)


def test_a_turned_patients_coverage_has_no_holes(lesion) -> None:
    """The turned mask, projected as a volume is, and the points through the same turn cover the same pixels."""
    volume = Volume(lesion.voxels.astype(np.float32), AFFINE)
    (seen,) = turned_mips(volume, [20.0], pixel_mm=2.0, factor=3)
    points = filling_points(lesion, spacing_mm=filling_spacing_mm(6.0))
    for plane in Plane:
        picture = seen.mips.picture(plane) > 0
        share = coverage(seen.pixels(plane, points), picture.shape)
        inner = picture & np.roll(picture, 1, 0) & np.roll(picture, -1, 0) & np.roll(picture, 1, 1)
        inner &= np.roll(picture, -1, 1)
        assert share[inner].min() > 0.8, "a hole; at the rim a pixel may be covered in part"
        assert share[inner].mean() > 0.97
        assert not (share[~picture] > 0.34).any()
        assert share.sum() == pytest.approx(picture.sum(), rel=0.25)


@pytest.mark.parametrize("spacing", [2.0, 1.0, 0.3])
def test_points_fill_the_pixels_of_a_picture(spacing: float) -> None:
    mask = np.zeros((6, 5), bool)
    mask[1, 2] = mask[4, 3] = True
    points = filling_pixels(mask, spacing=spacing)
    assert len(points) == 2 * np.ceil(1 / spacing) ** 2
    assert set(map(tuple, np.rint(points).astype(int).tolist())) == {(1, 2), (4, 3)}
    covered = coverage(filling_pixels(mask, spacing=0.2), (6, 5))
    np.testing.assert_array_equal(covered > 0, mask)
    np.testing.assert_allclose(covered[mask], 1.0)
