"""Slices agree with the voxels they pass through."""

import numpy as np
import pytest

from pointpet.core import GeometryError, Grid, Mask, Volume
from pointpet.image.slices import sample_slice


def _grid(shape: tuple[int, int, int], step: float, origin: tuple[float, float, float] = (0, 0, 0)) -> Grid:
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = origin
    return Grid(shape, affine)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_on_the_volumes_own_grid_a_slice_is_the_voxels(axis: int):
    cells = _grid((5, 6, 7), 2.0, (10, 20, 30))
    values = np.random.default_rng(0).random(cells.shape).astype(np.float32)
    found = sample_slice(Volume(values, cells.affine), cells, axis, cells.affine[axis, 3] + 2.0 * 3)
    np.testing.assert_allclose(found, np.take(values, 3, axis=axis), rtol=1e-6)


def test_between_two_voxels_it_is_interpolated():
    cells = _grid((4, 4, 4), 1.0)
    ramp = np.broadcast_to(np.arange(4, dtype=np.float32)[:, None, None], cells.shape)
    assert sample_slice(Volume(ramp, cells.affine), cells, 0, 1.25) == pytest.approx(np.full((4, 4), 1.25))


def test_outside_the_field_of_view_it_is_0_and_half_a_voxel_of_border_is_inside():
    volume = Volume(np.ones((2, 2, 2), np.float32), np.eye(4))
    cells = Grid((5, 1, 1), np.array([[0.6, 0, 0, -0.6], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    np.testing.assert_array_equal(sample_slice(volume, cells, 2, 0.0)[:, 0], [0, 1, 1, 1, 0])


def test_an_oblique_volume_is_sampled_in_the_world():
    turn = np.array([[0.8, -0.6, 0, 5], [0.6, 0.8, 0, -3], [0, 0, 2, 1], [0, 0, 0, 1.0]])
    voxels = np.zeros((9, 9, 9), np.float32)
    voxels[4, 5, 6] = 1
    volume = Volume(voxels, turn)
    x, y, z = volume.grid.world(np.array([4, 5, 6]))[0]
    affine = np.eye(4)
    affine[:3, 3] = [x - 3, y - 3, z - 3]
    found = sample_slice(volume, Grid((7, 7, 7), affine), 2, z)
    assert found[3, 3] == pytest.approx(1.0)
    assert found.argmax() == 3 * 7 + 3


def test_a_mask_takes_the_nearest_voxel():
    mask = Mask(np.arange(27).reshape(3, 3, 3) == 13, np.diag([4.0, 4, 4, 1]))
    found = sample_slice(mask, _grid((6, 6, 6), 2.0, (-1, -1, -1)), 2, 4.9)
    assert found.dtype == np.bool_
    assert np.argwhere(found).tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]


def test_cells_must_be_aligned_with_the_world():
    oblique = Grid((3, 3, 3), np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    with pytest.raises(GeometryError, match="cells must run along the world's axes"):
        sample_slice(Volume(np.ones((3, 3, 3), np.float32), np.eye(4)), oblique, 0, 0.0)
