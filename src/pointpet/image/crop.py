"""Cutting a box out of an image, and putting an image into a larger one, with the geometry kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, Mask, Volume

Image = TypeVar("Image", Volume, Mask)


def crop(image: Image, lo: Sequence[int], hi: Sequence[int]) -> Image:
    """Cut out voxels `lo` to `hi` (half-open, per axis); world coordinates stay what they were.

    Raises:
        GeometryError: the box is empty or reaches outside.
    """
    low, high = np.asarray(lo, int), np.asarray(hi, int)
    shape = np.array(image.voxels.shape)
    if (low < 0).any() or (high > shape).any() or (low >= high).any():
        raise GeometryError(
            "PP-GEO-BOX",
            "crop",
            f"the box must hold a voxel and lie in {tuple(shape.tolist())}, got {low.tolist()} to {high.tolist()}",
            "Clip it to the image",
        )
    return _moved(image, image.voxels[tuple(map(slice, low, high))], low)


def bounding_box(region: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """Slices that just hold what is true of `region`, one an axis; None where nothing is."""
    box: list[slice] = []
    left = region
    for axis in range(region.ndim):
        held = np.flatnonzero(left.any(axis=tuple(other for other in range(region.ndim) if other != axis)))
        if not len(held):
            return None
        box.append(slice(int(held[0]), int(held[-1]) + 1))
        left = left[(slice(None),) * axis + (box[-1],)]
    return tuple(box)


def embed(image: Image, shape: Sequence[int], offset: Sequence[int], fill: float = 0.0) -> Image:
    """Put `image` into a larger one of `shape` with its first voxel at index `offset`; the rest is `fill`.

    Raises:
        GeometryError: it does not fit.
    """
    low, size = np.asarray(offset, int), np.asarray(shape, int)
    high = low + image.voxels.shape
    if (low < 0).any() or (high > size).any():
        raise GeometryError(
            "PP-GEO-BOX",
            "embed",
            f"voxels {low.tolist()} to {high.tolist()} must lie in {size.tolist()}",
            "Give a larger shape or another offset",
        )
    whole = np.full(size, fill, image.voxels.dtype)
    whole[tuple(map(slice, low, high))] = image.voxels
    return _moved(image, whole, -low)


def _moved(image: Image, voxels: NDArray, first: NDArray[np.int_]) -> Image:
    """`voxels` with their first one at index `first` of `image`."""
    affine = image.affine.copy()
    affine[:3, 3] = image.grid.world(first)[0]
    if isinstance(image, Volume):
        return Volume(voxels, affine, image.unit)
    return replace(image, voxels=voxels, affine=affine)
