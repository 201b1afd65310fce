"""Resampling against linear functions, NumPy and SciPy."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from pointpet.core import GeometryError, Grid, Mask, Unit, Volume
from pointpet.image.resample import isotropic_grid, resample_mask, resample_volume


def aligned(step: tuple, origin: tuple = (0.0, 0.0, 0.0)) -> np.ndarray:
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = origin
    return affine


def centres(grid: Grid) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1).reshape(-1, 3)
    return grid.world(index)


def oblique() -> np.ndarray:
    affine = aligned((3.0, 2.5, 4.0), (5.0, -6.0, 7.0))
    affine[:3, :3] = Rotation.from_euler("xyz", [0.2, -0.3, 0.4]).as_matrix() @ affine[:3, :3]
    return affine


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_a_linear_function_of_the_world_survives_any_change_of_grid(interpolation: str) -> None:
    source = Grid((16, 17, 18), oblique())
    slopes = np.array([0.5, -1.0, 2.0])
    volume = Volume((centres(source) @ slopes).reshape(source.shape), source.affine, Unit.ACTIVITY)
    middle = source.world(np.array([8, 8, 9]))[0]
    target = Grid((4, 5, 3), aligned((2.0, 1.7, 2.2), tuple(middle - 3)))
    found = resample_volume(volume, target, interpolation)  # type: ignore[arg-type]
    assert found.unit is Unit.ACTIVITY
    assert found.grid.matches(target)
    # The spline's mirrored border bends a straight line a little, even at the middle of 16 voxels.
    tolerance = 1e-3 if interpolation == "linear" else 0.02
    assert np.allclose(found.voxels, (centres(target) @ slopes).reshape(target.shape), atol=tolerance)


def test_nearest_equals_explicit_indices() -> None:
    rng = np.random.default_rng(0)
    source, target = Grid((9, 8, 7), oblique()), Grid((11, 12, 13), aligned((2.1, 2.3, 2.2), (0.0, -10.0, 3.0)))
    voxels = rng.random(source.shape).astype(np.float32)
    index = np.floor(source.indices(centres(target)) + 0.5).astype(int)
    inside = ((index >= 0) & (index < source.shape)).all(axis=1)
    expected = np.zeros(len(index), np.float32)
    expected[inside] = voxels[tuple(index[inside].T)]
    found = resample_volume(Volume(voxels, source.affine), target, "nearest")
    assert 0 < inside.mean() < 1, "the grids overlap in part"
    assert np.array_equal(found.voxels, expected.reshape(target.shape))


def test_cubic_equals_scipys_spline() -> None:
    voxels = ndimage.gaussian_filter(np.random.default_rng(1).random((20, 20, 20)), 1).astype(np.float32)
    target = Grid((10, 10, 10), aligned((1.5, 1.5, 1.5), (2.2, 2.3, 2.4)))
    found = resample_volume(Volume(voxels, np.eye(4)), target, "cubic")
    expected = ndimage.map_coordinates(voxels, centres(target).T, order=3, mode="mirror").reshape(target.shape)
    assert np.allclose(found.voxels, expected, atol=1e-4)


def test_outside_is_0() -> None:
    volume = Volume(np.ones((3, 3, 3), np.float32), np.eye(4))
    found = resample_volume(volume, Grid((3, 3, 3), aligned((1.0, 1.0, 1.0), (2.0, 0.0, 0.0))))
    assert found.voxels[:, 1, 1].tolist() == [1.0, 0.0, 0.0]


def test_the_same_grid_is_returned_as_it_is() -> None:
    volume = Volume(np.ones((3, 3, 3), np.float32), np.eye(4), stored=Grid((3, 3, 3), np.eye(4)))
    again = resample_volume(volume, volume.grid)
    assert np.array_equal(again.voxels, volume.voxels)
    mask = Mask(np.eye(3, dtype=bool)[None].repeat(3, 0), np.eye(4))
    assert np.array_equal(resample_mask(mask, mask.grid).voxels, mask.voxels)


def test_mask_goes_there_and_back() -> None:
    ball = np.linalg.norm(np.indices((20, 20, 20)) - 9.5, axis=0) < 6
    mask = Mask(ball, aligned((2.0, 2.0, 2.0)))
    fine = isotropic_grid(mask.grid, 1.0)
    for interpolation in ("nearest", "linear"):
        finer = resample_mask(mask, fine, interpolation)  # type: ignore[arg-type]
        assert finer.volume_ml == pytest.approx(mask.volume_ml, rel=0.03)
    assert np.array_equal(resample_mask(resample_mask(mask, fine), mask.grid).voxels, ball)


def test_mask_belongs_from_half_on() -> None:
    """Between a voxel inside and one outside the share falls from 1 to 0: 0.5 itself is inside."""
    voxels = np.zeros((2, 1, 1), bool)
    voxels[0] = True
    target = Grid((5, 1, 1), aligned((0.25, 1.0, 1.0)))
    found = resample_mask(Mask(voxels, np.eye(4)), target, "linear")
    assert found.voxels[:, 0, 0].tolist() == [True, True, True, False, False]


def test_isotropic_grid_of_the_ibsi_phantom() -> None:
    """IBSI 1, section 2.4: 5 x 4 x 4 voxels of 2 mm at 3 mm are ceil(10/3) x ceil(8/3) x ceil(8/3), centres aligned."""
    source = Grid((5, 4, 4), aligned((2.0, 2.0, 2.0)))
    grid = isotropic_grid(source, 3.0)
    assert grid.shape == (4, 3, 3)
    assert grid.world(np.array([1.5, 1.0, 1.0]))[0].tolist() == pytest.approx([4.0, 3.0, 3.0])
    assert grid.spacing_mm.tolist() == pytest.approx([3.0, 3.0, 3.0])


def test_isotropic_grid_keeps_directions() -> None:
    source = Grid((9, 8, 7), oblique())
    grid = isotropic_grid(source, 2.0)
    assert np.allclose(grid.affine[:3, :3] / 2.0, source.affine[:3, :3] / source.spacing_mm)
    assert isotropic_grid(Grid((10, 10, 10), aligned((2.0,) * 3)), 2.0).shape == (10, 10, 10)


def test_refusals() -> None:
    volume = Volume(np.ones((3, 3, 3), np.float32), np.eye(4))
    with pytest.raises(GeometryError, match="interpolation must be one of nearest, linear, cubic, got 'sinc'"):
        resample_volume(volume, Grid((2, 2, 2), np.eye(4)), "sinc")  # type: ignore[arg-type]
    for spacing_mm in (0.0, -1.0, np.nan):
        with pytest.raises(GeometryError, match=f"spacing_mm must be over 0, got {spacing_mm}"):
            isotropic_grid(volume.grid, spacing_mm)
