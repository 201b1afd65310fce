"""Back-projection of maps onto voxels: what a map says of each voxel is its value where the voxel's ray meets it.

Shape letters: U, Z cells of a map; X, Y, Z voxels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointpet.core import ActivationMap, GeometryError, Grid, Plane


@dataclass(frozen=True, eq=False)
class BackProjection:
    """Both maps on the voxels of a box of a grid.

    Args:
        box: (x, y, z) slices into the grid; every voxel outside has a map value under the threshold asked for.
        coronal, sagittal: float32, each broadcasts to the box's shape: a map does not vary along its own ray.
    """

    box: tuple[slice, slice, slice]
    coronal: NDArray[np.float32]
    sagittal: NDArray[np.float32]

    @property
    def product(self) -> NDArray[np.float32]:
        """P (X, Y, Z) of the box: the product of both maps."""
        return self.coronal * self.sagittal

    def both_over(self, threshold: float) -> NDArray[np.bool_]:
        """Voxels (X, Y, Z) of the box where each map reaches `threshold`."""
        return (self.coronal >= threshold) & (self.sagittal >= threshold)


def back_project(
    grid: Grid,
    maps: Mapping[Plane, ActivationMap],
    *,
    threshold: float,
    within: tuple[slice, slice, slice] | None = None,
) -> BackProjection | None:
    """Read both maps at the voxel centres of `grid`, bilinear, inside the box where both can reach `threshold`.

    Voxels whose centre lies outside a map's cells read 0.

    Args:
        grid: any orientation; oblique grids are read voxel by voxel.
        maps: both planes, with world coordinates.
        threshold: over 0; what lies outside the box is under it.
        within: a box of `grid` that is not left.

    Returns:
        None where no voxel reaches the threshold in both.

    Raises:
        GeometryError: a plane is missing, or a map has no world coordinates.
    """
    _require_both(maps)
    low, high = _world_bounds(maps, threshold)
    if (low > high).any():
        return None
    box = _voxel_box(grid, low, high)
    if box is not None and within is not None:
        box = _overlap(box, within)
    if box is None:
        return None
    read = [_read(maps[plane], grid, box) for plane in (Plane.CORONAL, Plane.SAGITTAL)]
    return BackProjection(box, *read)


def _require_both(maps: Mapping[Plane, ActivationMap]) -> None:
    for plane in Plane:
        if plane not in maps:
            raise GeometryError(
                "PP-LOC-VIEW", f"{plane} activation map", "is needed for a 3D mask, got none", "Give both views"
            )
        if maps[plane].origin_mm is None:
            raise GeometryError(
                "PP-LOC-WORLD",
                f"{plane} activation map",
                "has no world coordinates (ready-made picture)",
                "Segment pictures in 2D",
            )


def _world_bounds(maps: Mapping[Plane, ActivationMap], threshold: float) -> tuple[NDArray, NDArray]:
    """World box, (3,) low and (3,) high, outside which one of the maps is under `threshold`."""
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    for plane, activation in maps.items():
        origin = np.asarray(activation.origin_mm)
        over = activation.values >= threshold
        for map_axis, world_axis in ((0, plane.axis), (1, 2)):
            cells = np.flatnonzero(over.any(axis=1 - map_axis))
            if not cells.size:
                return np.full(3, np.inf), np.full(3, -np.inf)
            # Between two cells the map is interpolated, so a voxel one cell beyond may still reach the threshold.
            edges = origin[world_axis] + activation.pixel_mm * np.array([cells[0] - 1, cells[-1] + 1])
            low[world_axis], high[world_axis] = max(low[world_axis], edges[0]), min(high[world_axis], edges[1])
    return low, high


def _voxel_box(grid: Grid, low: NDArray, high: NDArray) -> tuple[slice, slice, slice] | None:
    """The voxels whose centres may lie between the world corners `low` and `high`; None where there is none."""
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T
    indices = grid.indices(corners)
    first = np.maximum(np.floor(indices.min(axis=0)).astype(int), 0)
    last = np.minimum(np.ceil(indices.max(axis=0)).astype(int), np.array(grid.shape) - 1)
    if (first > last).any():
        return None
    x, y, z = (slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
    return x, y, z


def _overlap(box: Sequence[slice], other: Sequence[slice]) -> tuple[slice, slice, slice] | None:
    x, y, z = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, other, strict=True))
    return None if any(part.start >= part.stop for part in (x, y, z)) else (x, y, z)


def _read(activation: ActivationMap, grid: Grid, box: Sequence[slice]) -> NDArray[np.float32]:
    """The map's value at each voxel centre of the box, as an array that broadcasts to the box's shape."""
    steps = [
        np.arange(part.start, part.stop, dtype=np.float64).reshape([-1 if n == axis else 1 for n in range(3)])
        for axis, part in enumerate(box)
    ]
    origin = np.asarray(activation.origin_mm)
    cells = []
    for world_axis in (activation.plane.axis, 2):
        world = grid.affine[world_axis, 3] - origin[world_axis]
        for weight, step in zip(grid.affine[world_axis, :3], steps, strict=True):
            # A component that moves no voxel of the grid by a thousandth of a cell is rounding of the header.
            if abs(weight) * max(grid.shape) > 1e-3 * activation.pixel_mm:
                world = world + weight * step
        cells.append(np.asarray(world, np.float64).reshape(np.shape(world) or (1, 1, 1)) / activation.pixel_mm)
    return _bilinear(activation.values, *np.broadcast_arrays(*cells))


def _bilinear(values: NDArray[np.float32], u: NDArray, z: NDArray) -> NDArray[np.float32]:
    """`values` (U, Z) at fractional cells; half a cell beyond the outermost centres still belongs to them."""
    inside = (u >= -0.5) & (u <= values.shape[0] - 0.5) & (z >= -0.5) & (z <= values.shape[1] - 0.5)
    clipped = [np.clip(u, 0, values.shape[0] - 1), np.clip(z, 0, values.shape[1] - 1)]
    read = ndimage.map_coordinates(values, clipped, order=1, output=np.float32, mode="nearest", prefilter=False)
    return np.where(inside, read, np.float32(0))
