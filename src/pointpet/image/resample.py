"""Volumes and masks on another grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, Grid, Mask, Volume

if TYPE_CHECKING:
    import SimpleITK as sitk  # noqa: N813

Interpolation = Literal["nearest", "linear", "cubic"]

MASK_SHARE = 0.5
"""A voxel belongs to a linearly interpolated mask from this share on (IBSI 1, section 2.5, partial volume cut-off)."""


def resample_volume(volume: Volume, grid: Grid, interpolation: Interpolation = "linear") -> Volume:
    """Sample `volume` at the voxel centres of `grid`; 0 outside its field of view.

    Args:
        volume: (X, Y, Z), any affine.
        grid: where the values are wanted.
        interpolation: `nearest`, `linear`, or `cubic` (third-order B-spline).

    Raises:
        GeometryError: the interpolation is unknown.
    """
    if grid.matches(volume.grid):
        return Volume(volume.voxels, grid.affine, volume.unit)
    return Volume(_resample(volume.voxels, volume.grid, grid, interpolation), grid.affine, volume.unit)


def resample_mask(mask: Mask, grid: Grid, interpolation: Interpolation = "nearest") -> Mask:
    """Bring a mask to `grid`; nothing lies outside its field of view.

    Args:
        mask: (X, Y, Z), any affine.
        grid: where it is wanted.
        interpolation: `nearest`, or another one, of which `MASK_SHARE` and more is inside.

    Raises:
        GeometryError: the interpolation is unknown.
    """
    if grid.matches(mask.grid):
        return Mask(mask.voxels, grid.affine)
    share = _resample(mask.voxels.astype(np.float32), mask.grid, grid, interpolation)
    return Mask(share >= MASK_SHARE, grid.affine)


def isotropic_grid(grid: Grid, spacing_mm: float) -> Grid:
    """The grid of cubes over the same field of view, its centre and its axes' directions kept.

    Source: IBSI 1, section 2.4 (n = ceil(n0 x s0 / s), grids aligned at their centres).

    Raises:
        GeometryError: `spacing_mm` is not over 0.
    """
    if not (np.isfinite(spacing_mm) and spacing_mm > 0):
        raise GeometryError("PP-GEO-SPACING", "grid", f"spacing_mm must be over 0, got {spacing_mm}", "Correct it")
    # A millionth of a voxel keeps rounding from adding an empty layer.
    shape = np.maximum(np.ceil(np.array(grid.shape) * grid.spacing_mm / spacing_mm - 1e-6), 1).astype(int)
    axes = grid.affine[:3, :3] / grid.spacing_mm * spacing_mm
    centre = grid.world((np.array(grid.shape) - 1) / 2)[0]
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = centre - axes @ ((shape - 1) / 2)
    return Grid(tuple(shape), affine)


def _resample(voxels: NDArray, source: Grid, target: Grid, interpolation: str) -> NDArray[np.float32]:
    import SimpleITK as sitk  # noqa: N813

    methods = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}
    if interpolation not in methods:
        raise GeometryError(
            "PP-GEO-INTERPOLATION",
            "resampling",
            f"interpolation must be one of {', '.join(get_args(Interpolation))}, got {interpolation!r}",
            "Choose one of them",
        )
    origin, spacing, direction = _frame(target)
    moved = sitk.Resample(
        _image(voxels, source),
        target.shape,
        sitk.Transform(),
        methods[interpolation],
        origin,
        spacing,
        direction,
        0.0,
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(moved).T


def _image(voxels: NDArray, grid: Grid) -> sitk.Image:
    """The same array and affine as a SimpleITK image; its space is ours, whatever the axes are called."""
    import SimpleITK as sitk  # noqa: N813

    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T))
    origin, spacing, direction = _frame(grid)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    return image


def _frame(grid: Grid) -> tuple[list[float], list[float], list[float]]:
    """Origin, spacing and direction of `grid` as SimpleITK wants them."""
    direction = (grid.affine[:3, :3] / grid.spacing_mm).ravel().tolist()
    return grid.affine[:3, 3].tolist(), grid.spacing_mm.tolist(), direction
