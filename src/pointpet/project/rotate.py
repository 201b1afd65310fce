"""Maximum intensity projections from all around the body's long axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, Grid, Volume
from pointpet.project.grid import axis_indices, nearest_indices, projection_grid, squared_up


def rotating_mips(
    volume: Volume, *, frames: int = 36, pixel_mm: float = 4.0
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Project along horizontal rays from `frames` directions, a full turn in equal steps.

    Args:
        volume: (X, Y, Z), any orientation.
        frames: even; the view from behind is the mirror of the view from the front, so half of them are computed.
        pixel_mm: edge of a pixel.

    Returns:
        (frames, H, W) pictures, head first, the first one seen from the front (the patient's right at column 0), each
        next one from farther to the patient's left; and the world point (x, y) about which the body turns, mm.

    Raises:
        GeometryError: `frames` is odd or below 2, or `pixel_mm` is not over 0.
    """
    if frames < 2 or frames % 2:
        raise GeometryError("PP-MIP-FRAMES", "rotating MIP", f"needs an even number of frames, got {frames}", "Correct")
    columns, centre_mm = _columns(volume, pixel_mm)
    size = columns.shape[0]
    offsets = np.arange(size) - (size - 1) / 2
    flat = columns.reshape(size * size, -1)
    pictures = np.empty((frames, columns.shape[2], size), np.float32)
    for number in range(frames // 2):
        angle = 2 * np.pi * number / frames
        # u runs across the picture, t along the ray; at angle 0 u is x and t is y.
        x = np.rint(np.cos(angle) * offsets[:, None] - np.sin(angle) * offsets[None] + (size - 1) / 2).astype(np.intp)
        y = np.rint(np.sin(angle) * offsets[:, None] + np.cos(angle) * offsets[None] + (size - 1) / 2).astype(np.intp)
        outside = (x < 0) | (x >= size) | (y < 0) | (y >= size)
        places = np.where(outside, 0, x * size + y)
        highest = np.empty((size, columns.shape[2]), np.float32)
        for u in range(size):  # one picture column at a time: the rays of a column stay in the processor's cache
            rays = places[u][~outside[u]]
            highest[u] = flat[rays].max(axis=0) if len(rays) else 0
        picture = highest[::-1].T[::-1]
        pictures[number] = picture
        pictures[number + frames // 2] = picture[:, ::-1]
    return pictures, centre_mm


def _columns(volume: Volume, pixel_mm: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The volume on cubes, (S, S, Z) with a square base, and the base's centre (x, y) in mm.

    Voxels finer than a cube are not averaged but sampled: a viewer's picture, not a measurement.
    """
    cells = projection_grid(volume.grid, pixel_mm)
    nx, ny, nz = cells.shape
    size = max(nx, ny)
    found = np.zeros((size, size, nz), np.float32)
    start_x, start_y = (size - nx) // 2, (size - ny) // 2
    base = found[start_x : start_x + nx, start_y : start_y + ny]
    if volume.grid.is_axis_aligned:
        x, y, z = axis_indices(squared_up(volume.grid), cells)
        base[:] = volume.voxels[np.ix_(np.maximum(x, 0), np.maximum(y, 0), np.maximum(z, 0))]
        base[x < 0], base[:, y < 0], base[:, :, z < 0] = 0, 0, 0
    else:
        _sample_oblique(volume, cells, base)
    centre = cells.affine[:2, 3] + pixel_mm * ((size - 1) / 2 - np.array([start_x, start_y]))
    return found, centre


def _sample_oblique(volume: Volume, cells: Grid, found: NDArray[np.float32]) -> None:
    """Fill `found` (X, Y, Z of `cells`) slab by slab: the indices of a whole scan would take ten times the scan."""
    _, ny, nz = cells.shape
    plane = np.stack(np.meshgrid([0], np.arange(ny), np.arange(nz), indexing="ij"), axis=-1).reshape(-1, 3)
    for x in range(cells.shape[0]):
        indices = nearest_indices(volume.grid, cells.world(plane + np.array([x, 0, 0])))
        inside = ((indices >= 0) & (indices < np.array(volume.voxels.shape))).all(axis=1)
        values = np.zeros(ny * nz, np.float32)
        values[inside] = volume.voxels[tuple(indices[inside].T)]
        found[x] = values.reshape(ny, nz)
