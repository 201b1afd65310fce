import numpy as np
import pytest

from pointpet.core import GeometryError, Grid, Mask, Unit, Volume, require_same_grid

AFFINE = np.array([[4.0, 0, 0, -10], [0, 4.0, 0, -20], [0, 0, 2.0, 5], [0, 0, 0, 1]])


def rotated(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ AFFINE


def test_world_and_indices_undo_each_other():
    grid = Grid((5, 6, 7), rotated(30))
    points = np.array([[1.0, 2.0, 3.0], [0, 0, 0]])
    np.testing.assert_allclose(grid.indices(grid.world(points)), points, atol=1e-12)


def test_sizes():
    grid = Grid((5, 6, 7), rotated(30))
    np.testing.assert_allclose(grid.spacing_mm, [4, 4, 2])
    assert grid.voxel_ml == pytest.approx(0.032)


def test_a_point_is_inside_up_to_the_edge_of_the_outer_voxels():
    grid = Grid((5, 6, 7), AFFINE)
    inside, outside = [-11.9, -20, 5], [-12.1, -20, 5]
    assert grid.contains(np.array([inside, outside])).tolist() == [True, False]


def test_axis_aligned_means_no_flip_and_no_obliquity():
    assert Grid((5, 6, 7), AFFINE).is_axis_aligned
    assert not Grid((5, 6, 7), rotated(1)).is_axis_aligned
    assert not Grid((5, 6, 7), np.diag([-1.0, 1, 1, 1]) @ AFFINE).is_axis_aligned


def test_grids_match_within_a_thousandth_of_a_millimetre():
    shifted, moved = AFFINE.copy(), AFFINE.copy()
    shifted[0, 3] += 5e-4
    moved[0, 3] += 5e-3
    assert Grid((5, 6, 7), AFFINE).matches(Grid((5, 6, 7), shifted))
    assert not Grid((5, 6, 7), AFFINE).matches(Grid((5, 6, 7), moved))
    assert not Grid((5, 6, 7), AFFINE).matches(Grid((5, 6, 8), AFFINE))


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.eye(3), r"must be a finite 4 x 4 matrix, got shape \(3, 3\)"),
        (np.full((4, 4), np.nan), "must be a finite 4 x 4 matrix"),
        (np.diag([0.0, 1, 1, 1]), "its axes must span space"),
        (np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "its axes must span space"),
    ],
)
def test_an_affine_that_is_none_is_refused(affine, message):
    with pytest.raises(GeometryError, match=message):
        Volume(np.zeros((2, 2, 2)), affine)


def test_a_volume_has_three_axes():
    with pytest.raises(GeometryError, match=r"needs three axes, got shape \(2, 2\)"):
        Volume(np.zeros((2, 2)), AFFINE)


def test_a_volume_is_float32_suv_and_cannot_be_changed():
    volume = Volume(np.ones((2, 2, 2), np.int16), AFFINE)
    assert volume.voxels.dtype == np.float32
    assert volume.unit is Unit.SUVBW
    with pytest.raises(ValueError, match="read-only"):
        volume.voxels[0, 0, 0] = 3


def test_the_callers_array_stays_writable():
    voxels = np.ones((2, 2, 2), np.float32)
    Volume(voxels, AFFINE)
    voxels[0, 0, 0] = 3


def test_a_mask_is_boolean():
    with pytest.raises(GeometryError, match="voxels must be boolean, got int64"):
        Mask(np.ones((2, 2, 2), np.int64), AFFINE)
    assert Mask(np.ones((2, 2, 2), bool), AFFINE).volume_ml == pytest.approx(8 * 0.032)


def test_a_mask_on_another_grid_is_refused():
    volume = Volume(np.ones((2, 2, 2)), AFFINE)
    require_same_grid("case P1", volume, Mask(np.ones((2, 2, 2), bool), AFFINE))
    with pytest.raises(GeometryError, match=r"case P1: the mask must lie on the PET's grid \(2, 2, 2\)"):
        require_same_grid("case P1", volume, Mask(np.ones((2, 2, 3), bool), AFFINE))
