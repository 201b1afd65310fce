"""MIPs of the patient turned a little about the long axis: further views of one scan to learn from.

Shape letters: X, Y, Z voxels; N points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, Grid, MipPair, TurnedMips, Volume
from pointpet.project.coarsen import coarsen
from pointpet.project.grid import axis_indices, nearest_indices, projection_grid, squared_up
from pointpet.project.mips import project


def turned_mips(volume: Volume, turns_deg: Sequence[float], *, pixel_mm: float, factor: int) -> list[TurnedMips]:
    """Project the patient as seen after each turn, in coarse pixels.

    Each is, to the last bit, `coarsen(project(turned volume, pixel_mm), factor)`, the turned volume being the same
    voxels on a turned grid. On a grid along the world's axes a column of voxels stays one under a turn about z, so that
    whole columns are compared and the turned volume is never made.

    Args:
        volume: (X, Y, Z), any affine.
        turns_deg: counter-clockwise as seen from the head, about the middle of the grid.
        pixel_mm: edge of a pixel before it is made coarser.
        factor: pixels along the edge of a coarse one.

    Raises:
        GeometryError: `pixel_mm` is not over 0 or `factor` is below 1.
    """
    if factor < 1:
        raise GeometryError("PP-MIP-FACTOR", "MIP", f"the factor must be 1 or more, got {factor}", "Correct it")
    centre = volume.grid.world((np.array(volume.voxels.shape) - 1) / 2)[0]
    made, columns = [], None
    for turn in turns_deg:
        matrix = _turn(turn, centre)
        grid = Grid(volume.grid.shape, matrix @ volume.affine)
        if volume.grid.is_axis_aligned and not grid.is_axis_aligned:
            columns = _coarse_heights(volume, pixel_mm, factor) if columns is None else columns
            mips = _project_columns(volume, columns, matrix, projection_grid(grid, pixel_mm), factor)
        else:
            mips = coarsen(project(Volume(volume.voxels, grid.affine, volume.unit), pixel_mm=pixel_mm), factor)
        made.append(TurnedMips(mips, matrix))
    return made


def _turn(degrees: float, centre: NDArray) -> NDArray[np.float64]:
    """(4, 4) world to turned world: a turn about the vertical line through `centre`."""
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:2, 3] = centre[:2] - matrix[:2, :2] @ centre[:2]
    return matrix


def _coarse_heights(volume: Volume, pixel_mm: float, factor: int) -> NDArray[np.float32]:
    """(X * Y, coarse heights): each column of voxels as the block maxima of the heights that its cells show.

    The same for every turn, since none moves a height.
    """
    upright = squared_up(volume.grid)
    z = axis_indices(upright, projection_grid(upright, pixel_mm))[2]
    columns = volume.voxels.reshape(-1, volume.voxels.shape[2])
    blocks = [np.unique(z[start : start + factor]) for start in range(0, len(z), factor)]
    highest = np.empty((len(columns), len(blocks)), np.float32)
    for number, shown in enumerate(blocks):
        incomplete = shown[0] < 0 or (number + 1) * factor > len(z)
        inside = shown[shown >= 0]
        highest[:, number] = columns[:, inside].max(axis=1, initial=0.0 if incomplete else -np.inf)
    return highest


def _project_columns(
    volume: Volume, columns: NDArray[np.float32], matrix: NDArray, cells: Grid, factor: int
) -> MipPair:
    """Coarse MIPs of the turned patient on `cells`, a grid of the turned world; `columns` as of `_coarse_heights`."""
    upright = squared_up(volume.grid)
    nx, ny, _ = upright.shape
    places = np.stack(np.meshgrid(*(np.arange(n) for n in cells.shape[:2]), [0], indexing="ij"), axis=-1)
    back = np.linalg.inv(matrix)
    world = cells.world(places.reshape(-1, 3)) @ back[:3, :3].T + back[:3, 3]
    x, y, _ = nearest_indices(upright, world).T.reshape(3, *cells.shape[:2])
    shown = np.where((x >= 0) & (x < nx) & (y >= 0) & (y < ny), x * ny + y, -1)
    coronal, sagittal = (_coarse_maxima(columns, rays, factor) for rays in (shown, shown.T))
    origin = cells.affine[:3, 3] + (factor - 1) / 2 * cells.affine[0, 0]
    return MipPair(coronal, sagittal, float(cells.affine[0, 0] * factor), origin)


def _coarse_maxima(columns: NDArray[np.float32], rays: NDArray[np.intp], factor: int) -> NDArray[np.float32]:
    """Block maxima (U, Z) of a view.

    Args:
        columns: (X * Y, Z).
        rays: (cells across, cells along the ray) the column that each cell shows, -1 for none.
        factor: cells along the edge of a block.
    """
    blocks = [np.unique(rays[start : start + factor]) for start in range(0, len(rays), factor)]
    highest = np.empty((len(blocks), columns.shape[1]), np.float32)
    for number, shown in enumerate(blocks):
        incomplete = shown[0] < 0 or (number + 1) * factor > len(rays)
        inside = shown[shown >= 0]
        highest[number] = columns[inside].max(axis=0, initial=0.0 if incomplete else -np.inf)
    return highest
