"""Coarser pictures by block maximum: a hot spot keeps its value, and a mask its smallest part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, MipPair, Plane


def coarsen(mips: MipPair, factor: int) -> MipPair:
    """Take the maximum of blocks of `factor` x `factor` pixels; incomplete blocks at the far ends are filled with 0.

    Returns:
        Pixels of `factor` times the size; the origin is the centre of the first block.

    Raises:
        GeometryError: `factor` is below 1.
    """
    coronal, sagittal = (
        None if values is None else coarsen_plane(values, factor) for values in (mips.coronal, mips.sagittal)
    )
    origin = None if mips.origin_mm is None else mips.origin_mm + (factor - 1) / 2 * mips.pixel_mm
    return MipPair(coronal, sagittal, mips.pixel_mm * factor, origin)


def coarsen_plane(values: NDArray, factor: int) -> NDArray:
    """Block maximum of one plane (U, Z), numbers or bool; incomplete blocks at the far ends are filled with 0.

    Raises:
        GeometryError: `factor` is below 1.
    """
    if factor < 1:
        raise GeometryError("PP-MIP-FACTOR", "MIP", f"the factor must be 1 or more, got {factor}", "Correct it")
    padded = np.pad(values, [(0, -n % factor) for n in values.shape])
    rows, columns = (n // factor for n in padded.shape)
    return padded.reshape(rows, factor, columns, factor).max(axis=(1, 3))


def resample_plane(values: NDArray, ratio: float) -> NDArray:
    """Maximum of one plane (H, W) over pixels of `ratio` times the edge, any ratio over 0.

    A new pixel holds the maximum of the old ones that begin in it, or, where it is the finer one, the old one that its
    centre lies in: no value is invented and none over half a pixel wide is lost. For whole ratios that is
    `coarsen_plane`.

    Raises:
        GeometryError: `ratio` is not over 0.
    """
    if not ratio > 0:
        raise GeometryError("PP-MIP-FACTOR", "MIP", f"the ratio must be over 0, got {ratio:g}", "Correct it")
    if float(ratio).is_integer():
        return coarsen_plane(values, int(ratio))
    resampled = values
    for axis, length in enumerate(values.shape):
        count = max(1, round(length / ratio))
        if ratio > 1:
            starts = np.ceil(np.arange(count) * ratio - 0.5).astype(np.intp)
            resampled = np.maximum.reduceat(resampled, starts, axis=axis)
        else:
            centres = np.floor((np.arange(count) + 0.5) * ratio).astype(np.intp)
            resampled = np.take(resampled, np.minimum(centres, length - 1), axis=axis)
    return resampled


def coarse_pixels(mips: MipPair, plane: Plane, pixels: NDArray, factor: int) -> NDArray[np.float64]:
    """Where picture points (N, 2) of `mips` (fractional row, column) fall in the picture of `coarsen(mips, factor)`."""
    views = [mips.values(view) if view is plane else None for view in Plane]
    # A picture without a world is given one for the while: the way between pixels and cells is then that of `MipPair`.
    fine = MipPair(*views, pixel_mm=1.0, origin_mm=np.zeros(3))
    first, second = fine.pixels(plane, np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    up, across = ((np.atleast_2d(np.asarray(pixels, np.float64)) - first) / (second - first)).T
    points = np.zeros((len(up), 3))
    points[:, plane.axis], points[:, 2] = across, up
    return coarsen(fine, factor).pixels(plane, points)
