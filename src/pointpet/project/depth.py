"""From a click on one view to a point in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, MipPair, Plane, Volume, to_picture
from pointpet.project.grid import nearest_indices, projection_grid


def ray_depth(volume: Volume, mips: MipPair, plane: Plane, picture_point: tuple[float, float]) -> NDArray[np.float64]:
    """Find the hottest point along the ray through a pixel.

    Args:
        volume: the PET that `mips` shows.
        mips: its pictures; they say where the pixel lies.
        plane: the view that was clicked.
        picture_point: (row, column), fractional; the pixel that it lies in is taken.

    Returns:
        (3,) world RAS+ mm, on the ray through the pixel's centre; of equal maxima the one with the lowest coordinate.

    Raises:
        GeometryError: the pictures have no world, the point lies outside the picture, or the ray misses the volume.
    """
    if mips.origin_mm is None:
        raise GeometryError("PP-MIP-WORLD", "MIP", "has no world coordinates (ready-made picture)", "Use pixels")
    values = mips.values(plane)
    assert values is not None
    across, up = values.shape
    row, column = (int(np.floor(place + 0.5)) for place in picture_point)
    if not (0 <= row < up and 0 <= column < across):
        raise GeometryError(
            "PP-MIP-POINT",
            f"{plane} point",
            f"must lie in the picture of {up} rows and {across} columns, got ({row}, {column})",
            "Click inside the picture",
        )
    # Which cell the pixel shows is asked of the picture itself.
    cell, height = divmod(int(to_picture(np.arange(values.size).reshape(values.shape))[row, column]), up)
    # No voxel may be stepped over, also where the picture is coarser than the volume.
    step = min(mips.pixel_mm, float(volume.spacing_mm.min()))
    ray = projection_grid(volume.grid, step)
    count = ray.shape[plane.ray_axis]
    points = np.tile(mips.origin_mm, (count, 1))
    points[:, plane.axis] += cell * mips.pixel_mm
    points[:, 2] += height * mips.pixel_mm
    points[:, plane.ray_axis] = ray.affine[plane.ray_axis, 3] + step * np.arange(count)
    indices = nearest_indices(volume.grid, points)
    inside = ((indices >= 0) & (indices < np.array(volume.voxels.shape))).all(axis=1)
    if not inside.any():
        raise GeometryError("PP-MIP-RAY", f"{plane} point", "its ray misses the volume", "Click on the patient")
    return points[inside][np.argmax(volume.voxels[tuple(indices[inside].T)])]
