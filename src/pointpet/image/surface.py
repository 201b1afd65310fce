"""The surface of a mask, as triangles in the world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from pointpet.core import Mask


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles: `corners_mm` (N, 3) float32 world RAS+, `normals` (N, 3) float32 outward, `triangles` (M, 3) int32."""

    corners_mm: NDArray[np.float32]
    normals: NDArray[np.float32]
    triangles: NDArray[np.int32]


EMPTY = Surface(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))


def mask_surface(mask: Mask, *, smooth_voxels: float = 0.7) -> Surface:
    """The border of a mask, its steps rounded off for the eye; empty for an empty mask.

    Args:
        mask: (X, Y, Z).
        smooth_voxels: standard deviation of the Gaussian that rounds it, in voxels. For display only: volumes are
            counted in voxels, never measured on a surface.
    """
    occupied = np.argwhere(mask.voxels)
    if not len(occupied):
        return EMPTY
    margin = 3
    low = np.maximum(occupied.min(axis=0) - margin, 0)
    high = np.minimum(occupied.max(axis=0) + margin + 1, mask.voxels.shape)
    part = mask.voxels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    padded = np.pad(part.astype(np.float32), margin)
    smooth = ndimage.gaussian_filter(padded, smooth_voxels)
    # A lesion of a few voxels sinks below one half when it is smoothed; it keeps a surface at half of what is left.
    level = min(0.5, 0.5 * float(smooth.max()))
    return _triangles(smooth, level, mask.affine, low - margin)


def _triangles(values: NDArray, level: float, affine: NDArray, first_index: NDArray) -> Surface:
    corners, triangles, normals, _ = measure.marching_cubes(values, level, gradient_direction="descent")
    axes = affine[:3, :3]
    world = (corners + first_index) @ axes.T + affine[:3, 3]
    # Normals turn by the inverse transpose: voxels need not be cubes.
    turned = normals @ np.linalg.inv(axes)
    turned /= np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
    return Surface(world.astype(np.float32), turned.astype(np.float32), triangles.astype(np.int32))
