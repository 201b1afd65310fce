"""Single slices of a volume along the world's planes: what a viewer shows about a point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointpet.core import GeometryError, Grid, Mask, Volume


def sample_slice(
    image: Volume | Mask, cells: Grid, axis: int, position_mm: float
) -> NDArray[np.float32] | NDArray[np.bool_]:
    """Sample `image` on the plane where world axis `axis` is `position_mm`.

    Args:
        image: (X, Y, Z), any orientation. A volume is interpolated linearly, a mask takes the voxel a cell lies in.
        cells: axis-aligned grid whose cell centres give the other two coordinates.
        axis: 0, 1 or 2: the world axis across the plane.
        position_mm: where on that axis.

    Returns:
        (A, B) over the two remaining axes of `cells`, in order; 0 or false outside the field of view.

    Raises:
        GeometryError: `cells` is not aligned with the world's axes.
    """
    if not cells.is_axis_aligned:
        raise GeometryError("PP-GEO-SLICE", "slice", "its cells must run along the world's axes", "Correct the grid")
    centres = [cells.affine[k, 3] + cells.affine[k, k] * np.arange(cells.shape[k]) for k in range(3)]
    centres[axis] = np.array([position_mm])
    # Index = M p + t is separable in p, so that three outer sums replace a product over every cell.
    inverse = np.linalg.inv(image.affine)
    shape = tuple(len(values) for values in centres)
    indices = np.empty((3, *shape))
    for row in range(3):
        parts = [inverse[row, k] * centres[k] for k in range(3)]
        indices[row] = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :] + inverse[row, 3]
    flat = indices.reshape(3, -1)
    if isinstance(image, Mask):
        found = ndimage.map_coordinates(image.voxels.view(np.uint8), flat, order=0, prefilter=False) > 0
    else:
        # `nearest` beyond the outermost centres, and 0 beyond the outer faces: half a voxel of the border is image too.
        found = ndimage.map_coordinates(image.voxels, flat, order=1, mode="nearest", prefilter=False)
        limits = np.array(image.grid.shape)[:, None] - 0.5
        found[((flat < -0.5) | (flat > limits)).any(axis=0)] = 0
    return np.squeeze(found.reshape(shape), axis=axis)  # type: ignore[return-value]
