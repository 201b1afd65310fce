"""The isotropic, world-aligned grid that pictures are made on, and the one rule that says which voxel a cell shows."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, Grid

TIE_TOLERANCE = 1e-4
"""In voxels. A cell's centre on the border of two voxels belongs to the upper one; headers in float32 put it this far
below the border at most (1e-7 a voxel over a thousand voxels), and a thousandth of a millimetre means nothing."""


def squared_up(grid: Grid) -> Grid:
    """Drop the off-axis part of an axis-aligned grid, which is within its tolerance."""
    affine = np.diag(np.diag(grid.affine))
    affine[:3, 3] = grid.affine[:3, 3]
    return Grid(grid.shape, affine)


def projection_grid(grid: Grid, pixel_mm: float) -> Grid:
    """Cover the field of view of `grid` by cubes of edge `pixel_mm` whose axes are the world's.

    The box runs along the world's axes around the outer faces of the border voxels. The first cell's faces lie on the
    box's lower faces; the last cell may reach beyond the upper ones by less than its edge.

    Args:
        grid: of the PET, any orientation.
        pixel_mm: edge of a cell, over 0.

    Raises:
        GeometryError: `pixel_mm` is not over 0.
    """
    if not (np.isfinite(pixel_mm) and pixel_mm > 0):
        raise GeometryError("PP-MIP-PIXEL", "projection", f"pixel_mm must be over 0, got {pixel_mm}", "Correct it")
    source = squared_up(grid) if grid.is_axis_aligned else grid
    faces = np.array(list(product(*[(-0.5, n - 0.5) for n in source.shape])))
    corners = source.world(faces)
    low, high = corners.min(axis=0), corners.max(axis=0)
    cells = np.maximum(np.ceil((high - low) / pixel_mm - TIE_TOLERANCE), 1).astype(int)
    affine = np.diag([pixel_mm, pixel_mm, pixel_mm, 1.0])
    affine[:3, 3] = low + pixel_mm / 2
    return Grid(tuple(cells), affine)


def nearest_indices(grid: Grid, points_mm: NDArray) -> NDArray[np.intp]:
    """Index of the voxel that each world point (N, 3) lies in, (N, 3); below 0 or past the end where it lies in none.

    A point on a border belongs to the upper voxel (`TIE_TOLERANCE`).
    """
    return np.floor(grid.indices(points_mm) + 0.5 + TIE_TOLERANCE).astype(np.intp)


def axis_indices(grid: Grid, cells: Grid) -> list[NDArray[np.intp]]:
    """For an axis-aligned `grid`: per axis, the voxel index of each cell; -1 where the cell's centre lies in no voxel.

    `cells` comes from `projection_grid`; the rule is that of `nearest_indices`.
    """
    found = []
    for axis, (voxels, count) in enumerate(zip(grid.shape, cells.shape, strict=True)):
        centres = cells.affine[axis, 3] + cells.affine[axis, axis] * np.arange(count)
        position = (centres - grid.affine[axis, 3]) / grid.affine[axis, axis]
        index = np.floor(position + 0.5 + TIE_TOLERANCE).astype(np.intp)
        found.append(np.where((index >= 0) & (index < voxels), index, -1))
    return found
