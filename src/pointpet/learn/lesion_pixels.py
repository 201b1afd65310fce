"""A true mask as what a network learns: the share of each input cell that it, or its projection, covers.

A mask is held as points that fill it, so that it follows any turn of the patient without being resampled.
Shape letters: N points; D sides of an input.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Mask

FINE = 3
"""Fine cells along the edge of an input cell, in which coverage is counted."""


def filling_points(mask: Mask, *, spacing_mm: float) -> NDArray[np.float64]:
    """World points (N, 3), mm, that fill the mask's voxels evenly, neighbours no farther than `spacing_mm` apart."""
    voxels = np.argwhere(mask.voxels)
    counts = np.maximum(np.ceil(mask.grid.spacing_mm / spacing_mm - 1e-6).astype(int), 1)
    offsets = [(np.arange(count) + 0.5) / count - 0.5 for count in counts]
    inside = np.stack(np.meshgrid(*offsets, indexing="ij"), axis=-1).reshape(-1, 3)
    return mask.grid.world((voxels[:, None] + inside[None]).reshape(-1, 3))


def filling_pixels(mask: NDArray[np.bool_], *, spacing: float) -> NDArray[np.float64]:
    """Picture points (N, 2), fractional (row, column), that fill the pixels of a 2D mask evenly.

    Args:
        mask: (H, W), a picture's own.
        spacing: farthest that neighbours may lie apart, in pixels.
    """
    count = max(1, int(np.ceil(1 / spacing - 1e-6)))
    offsets = (np.arange(count) + 0.5) / count - 0.5
    inside = np.stack(np.meshgrid(offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 2)
    return (np.argwhere(mask)[:, None] + inside[None]).reshape(-1, 2)


def filling_spacing_mm(cell_mm: float) -> float:
    """Spacing of points that leave no fine cell of a covered region empty, at any turn in two dimensions."""
    return cell_mm / FINE / 1.5


def coverage(cells: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Share in [0, 1] of each cell of an input that points cover.

    Args:
        cells: (N, D) fractional indices of the points, 0 at a cell's centre; those outside the input are left out.
        shape: of the input, D sides.
    """
    places = np.floor((cells + 0.5) * FINE).astype(np.intp)
    places = np.unique(places[((places >= 0) & (places < np.array(shape) * FINE)).all(axis=1)], axis=0)
    share = np.zeros(shape, np.float32)
    np.add.at(share, tuple((places // FINE).T), np.float32(FINE ** -len(shape)))
    return np.minimum(share, 1)
