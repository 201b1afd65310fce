"""The grid that pictures are made on."""

import numpy as np
import pytest

from pointpet.core import Grid
from pointpet.project.grid import axis_indices, nearest_indices, projection_grid, squared_up


def aligned(step: tuple, origin: tuple = (0.0, 0.0, 0.0)) -> np.ndarray:
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = origin
    return affine


def test_whole_body_has_the_size_that_2_mm_gives() -> None:
    """168 x 168 x 400 voxels of 4.07 x 4.07 x 3 mm are 342 x 342 x 600 cells: 683.76 / 2 = 341.88, 1200 / 2 = 600."""
    grid = projection_grid(Grid((168, 168, 400), aligned((4.07, 4.07, 3.0), (-340, -340, -900))), 2.0)
    assert grid.shape == (342, 342, 600)
    assert grid.affine[:3, 3].tolist() == pytest.approx([-340 - 2.035 + 1, -340 - 2.035 + 1, -900 - 1.5 + 1])
    assert grid.spacing_mm.tolist() == [2.0, 2.0, 2.0]


def test_float32_rounding_adds_no_layer() -> None:
    step = float(np.float32(4.1) * (1 + 1e-7))
    assert projection_grid(Grid((100, 100, 100), aligned((step, step, step))), 4.1).shape == (100, 100, 100)


def test_oblique_grid_is_covered() -> None:
    affine = aligned((4.0, 4.0, 3.0), (5.0, 6.0, 7.0))
    angle = np.deg2rad(30)
    affine[:2, :2] = [[4 * np.cos(angle), -4 * np.sin(angle)], [4 * np.sin(angle), 4 * np.cos(angle)]]
    source = Grid((10, 12, 8), affine)
    cells = projection_grid(source, 2.0)
    corners = np.array(np.meshgrid([0, 9], [0, 11], [0, 7])).reshape(3, -1).T
    assert cells.contains(source.world(corners)).all()
    # 40 x cos 30 + 48 x sin 30 = 58.64 mm across
    assert cells.shape[0] == 30


def test_nearest_index_on_a_border_is_the_upper_voxel() -> None:
    grid = Grid((4, 4, 4), aligned((2.0, 2.0, 2.0)))
    points = np.array([[1.0, 1.0 - 1e-6, 1.0 - 1e-2], [-1.0, -1.01, 7.0]])
    assert nearest_indices(grid, points).tolist() == [[1, 1, 0], [0, -1, 4]]


def test_axis_indices_follow_nearest_indices() -> None:
    source = Grid((5, 6, 7), aligned((2.7, 1.3, 4.0), (1.0, 2.0, 3.0)))
    cells = projection_grid(source, 2.0)
    for axis, found in enumerate(axis_indices(source, cells)):
        points = np.tile(source.affine[:3, 3], (cells.shape[axis], 1))
        points[:, axis] = cells.affine[axis, 3] + 2.0 * np.arange(cells.shape[axis])
        expected = nearest_indices(source, points)[:, axis]
        assert np.where(expected < source.shape[axis], expected, -1).tolist() == found.tolist()


def test_squared_up_drops_what_is_within_tolerance() -> None:
    affine = aligned((2.0, 3.0, 4.0), (1.0, 2.0, 3.0))
    affine[0, 1] = 1e-5
    assert np.array_equal(squared_up(Grid((5, 5, 5), affine)).affine, aligned((2.0, 3.0, 4.0), (1.0, 2.0, 3.0)))
