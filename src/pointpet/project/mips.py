"""Maximum intensity projections of a volume or a mask.

Nearest-neighbour resampling of an axis-aligned volume picks voxels axis by axis, so it commutes with the maximum: the
projection of the resampled volume is the native volume's projection (over the voxels that are picked along the ray),
resampled in two dimensions. That is exact for every voxel size, and the isotropic volume never exists. Oblique volumes
and linear interpolation take the full way, slab by slab, so that it never exists as a whole either.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, Grid, Mask, MipPair, Plane, Volume
from pointpet.project.grid import TIE_TOLERANCE, axis_indices, projection_grid, squared_up

Interpolation = Literal["nearest", "linear"]

_SLAB_CELLS = 4_000_000
"""Cells resampled at a time: 16 MB, about what the processor's cache holds."""

_NO_TURN = 1e-12
"""In mm a voxel: what turns no grid by a billionth of a mm."""

_CACHED_BYTES = 500_000
"""Of a volume projected at a time: about half of what one core's own cache holds."""

_THREAD_BYTES = 8_000_000
"""Of a volume for each further thread: starting one takes a tenth of the time that projecting so much does."""

_MOST_THREADS = 4
"""By then memory sets the pace."""


def project(volume: Volume, *, pixel_mm: float = 2.0, interpolation: Interpolation = "nearest") -> MipPair:
    """Resample to cubes of edge `pixel_mm` along the world's axes and take the maximum along y and along x.

    Args:
        volume: (X, Y, Z), any affine.
        pixel_mm: edge of a pixel.
        interpolation: `nearest` (the voxel that a cell's centre lies in) or `linear`.

    Returns:
        Both views on the grid of `projection_grid`. Cells outside the field of view are 0.

    Raises:
        GeometryError: `pixel_mm` is not over 0, or the interpolation is unknown.
    """
    if interpolation not in get_args(Interpolation):
        raise GeometryError(
            "PP-MIP-INTERPOLATION",
            "projection",
            f"interpolation must be nearest or linear, got {interpolation!r}",
            "Choose one of them",
        )
    cells = projection_grid(volume.grid, pixel_mm)
    coronal, sagittal = _project(volume.voxels, volume.grid, cells, interpolation)
    return MipPair(coronal, sagittal, float(pixel_mm), cells.affine[:3, 3])


def project_mask(mask: Mask, *, pixel_mm: float = 2.0) -> dict[Plane, NDArray[np.bool_]]:
    """Project a mask onto the pixels that `project` makes of a volume on its grid.

    Returns:
        Plane to (U, Z) bool: true where any cell of the ray lies in the mask (nearest neighbour).
    """
    cells = projection_grid(mask.grid, pixel_mm)
    coronal, sagittal = _project(mask.voxels, mask.grid, cells, "nearest")
    return {Plane.CORONAL: coronal.astype(bool), Plane.SAGITTAL: sagittal.astype(bool)}


def _project(voxels: NDArray, grid: Grid, cells: Grid, interpolation: str) -> tuple[NDArray, NDArray]:
    """Coronal (X, Z) and sagittal (Y, Z) maxima on `cells`."""
    if interpolation == "nearest" and grid.is_axis_aligned:
        return _project_native(voxels, squared_up(grid), cells)
    return _project_resampled(voxels, grid, cells, interpolation)


def _project_native(voxels: NDArray, grid: Grid, cells: Grid) -> tuple[NDArray, NDArray]:
    """Maximum on the native grid, then two-dimensional selection.

    Some slices at a time: the second maximum then finds in the cache what the first one has read.
    """
    x, y, z = axis_indices(grid, cells)
    shown = [np.unique(indices[indices >= 0]) for indices in (x, y)]
    width, depth, height = voxels.shape
    coronal, sagittal = np.empty((width, height), voxels.dtype), np.empty((depth, height), voxels.dtype)
    step = max(1, _CACHED_BYTES // (width * depth * voxels.itemsize))

    def fill(first: int, end: int) -> None:
        for start in range(first, end, step):
            slices = slice(start, min(start + step, end))
            coronal[:, slices] = _ray_maximum(voxels[:, :, slices], shown[1], axis=1)
            sagittal[:, slices] = _ray_maximum(voxels[:, :, slices], shown[0], axis=0)

    _in_threads(fill, height, threads=min(_MOST_THREADS, 1 + voxels.nbytes // _THREAD_BYTES))
    if voxels.dtype != np.bool_:
        for view, indices in ((coronal, y), (sagittal, x)):
            if (indices < 0).any():  # a cell outside, which is 0, lies on every ray
                np.maximum(view, 0, out=view)
    return _select(coronal, x, z), _select(sagittal, y, z)


def _in_threads(fill: Callable[[int, int], None], length: int, *, threads: int) -> None:
    """Call `fill(first, end)` on parts of range(length), side by side where there are cores: NumPy lets threads run."""
    threads = min(threads, len(os.sched_getaffinity(0)), length)
    if threads < 2:
        fill(0, length)
        return
    edges = [length * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, edges[:-1], edges[1:]))


def _ray_maximum(voxels: NDArray, shown: NDArray[np.intp], *, axis: int) -> NDArray:
    """Maximum along `axis` over the voxels that the ray's cells show."""
    if not len(shown):
        return np.zeros(np.delete(voxels.shape, axis), voxels.dtype)
    picked = voxels if len(shown) == voxels.shape[axis] else np.take(voxels, shown, axis=axis)
    return picked.max(axis=axis)


def _select(values: NDArray, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray:
    """Pick rows and columns; 0 where an index is -1."""
    picked = values[rows[:, None], columns[None, :]]
    picked[rows < 0] = 0
    picked[:, columns < 0] = 0
    return picked


def _project_resampled(voxels: NDArray, grid: Grid, cells: Grid, interpolation: str) -> tuple[NDArray, NDArray]:
    """Resample slabs of the isotropic grid and take both maxima of each."""
    import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses

    plain = voxels.view(np.uint8) if voxels.dtype == np.bool_ else voxels
    image = sitk.GetImageFromArray(np.ascontiguousarray(plain.T))
    # SimpleITK's singular value decomposition gives up on numbers near the smallest ones that there are.
    axes = np.where(np.abs(grid.affine[:3, :3]) < _NO_TURN, 0.0, grid.affine[:3, :3])
    # SimpleITK rounds half up without tolerance: shifting the image by it makes its rule that of `nearest_indices`.
    shift = axes @ np.full(3, TIE_TOLERANCE if interpolation == "nearest" else 0.0)
    image.SetOrigin((grid.affine[:3, 3] - shift).tolist())
    image.SetSpacing(grid.spacing_mm.tolist())
    image.SetDirection((axes / grid.spacing_mm).ravel().tolist())
    method = sitk.sitkNearestNeighbor if interpolation == "nearest" else sitk.sitkLinear
    nx, ny, nz = cells.shape
    coronal, sagittal = np.empty((nz, nx), plain.dtype), np.empty((nz, ny), plain.dtype)
    step = max(1, _SLAB_CELLS // (nx * ny))
    for start in range(0, nz, step):
        depth = min(step, nz - start)
        origin = cells.world(np.array([0, 0, start]))[0].tolist()
        size, spacing, upright = (nx, ny, depth), cells.spacing_mm.tolist(), np.eye(3).ravel().tolist()
        slab = sitk.Resample(image, size, sitk.Transform(), method, origin, spacing, upright)
        values = sitk.GetArrayViewFromImage(slab)
        values.max(axis=1, out=coronal[start : start + depth])
        values.max(axis=2, out=sagittal[start : start + depth])
    return coronal.T, sagittal.T
