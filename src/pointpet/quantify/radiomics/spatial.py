"""Features of where intensities lie, by convolution: exact at any size, the same beside every library."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pointpet.quantify.radiomics.region import Region
from pointpet.quantify.suv_statistics import sphere_means

SPATIAL_CODES = frozenset({"VJGA", "0F91", "N365", "NPT7"})


def peak_features(region: Region) -> dict[str, float]:
    """Local (VJGA) and global (0F91) intensity peak by IBSI code: means of a 1 mL sphere, as for SUVpeak.

    Source: IBSI 1, sections 3.2.1 and 3.2.2. Of several hottest voxels the one with the highest mean counts.
    """
    means = sphere_means(region.suv, np.diag(region.spacing_mm))
    hottest = region.inside & (region.suv == region.suv[region.inside].max())
    return {"VJGA": float(means[hottest].max()), "0F91": float(means[region.inside].max())}


def autocorrelation_features(region: Region) -> dict[str, float]:
    """Spatial autocorrelation of SUV with weights of 1 / distance over all pairs of different voxels, by IBSI code.

    Source: IBSI 1, sections 3.1.22 (Moran's I, N365) and 3.1.23 (Geary's C, NPT7). Undefined for one voxel or a
    constant SUV. The sums over pairs are convolutions, so that the time follows the box and not the pairs.
    """
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(region.inside))
    inside = region.inside[box].astype(np.float64)
    count = inside.sum()
    centred = (region.suv[box] - region.suv[region.inside].mean()) * inside
    square = centred**2
    if count < 2 or square.sum() <= np.finfo(float).eps * count * (region.suv[region.inside] ** 2).max():
        return {"N365": np.nan, "NPT7": np.nan}
    weights = _InverseDistances(inside.shape, region.spacing_mm)
    ones, values, squares = (weights.spectrum(one) for one in (inside, centred, square))
    total, products = weights.sum_over_pairs(ones, ones), weights.sum_over_pairs(values, values)
    # Over pairs, (a - b)^2 = a^2 + b^2 - 2ab.
    differences = 2 * weights.sum_over_pairs(squares, ones) - 2 * products
    moran = count / total * products / square.sum()
    geary = (count - 1) / (2 * total) * differences / square.sum()
    return {"N365": float(moran), "NPT7": float(geary)}


class _InverseDistances:
    """Sums over pairs of voxels of a box with weights of 1 / distance, none for a voxel and itself.

    A sum over pairs is one over frequencies (Parseval), of spectra of images that zeros double: no transform back.

    Args:
        shape: of the box. spacing_mm: voxel edges.
    """

    def __init__(self, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> None:
        self._half = tuple(_fast_length(n) for n in shape)
        axes = [np.arange(n + 1) * edge for n, edge in zip(self._half, spacing_mm, strict=True)]
        distance = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))
        weights = np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)
        # The weights are the same on either side of a voxel: an eighth of them tells their spectrum, which is real.
        self._weights = np.asarray(fft.dctn(weights, type=1, overwrite_x=True))
        # The last axis of a real image's spectrum has every frequency once, but stands for both signs.
        self._weights[:, :, 1:-1] *= 2

    def spectrum(self, values: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Transform (X, Y, Z) with zeros behind, one axis after another: lines of zeros are left out."""
        x, y, z = (2 * n for n in self._half)
        found = fft.rfft(values, z, axis=2)
        return np.asarray(fft.fft(fft.fft(found, y, axis=1, overwrite_x=True), x, axis=0, overwrite_x=True))

    def sum_over_pairs(self, first: NDArray[np.complex128], second: NDArray[np.complex128]) -> float:
        """Sum over ordered pairs of weight x value of the first image x value of the second, from their spectra."""
        power = first.real * second.real + first.imag * second.imag
        for axis, n in enumerate(self._half[:2]):
            power = np.moveaxis(power, axis, 0)
            folded = power[: n + 1].copy()
            folded[1:n] += power[:n:-1]
            power = np.moveaxis(folded, 0, axis)
        return float(np.vdot(power, self._weights)) / math.prod(2 * n for n in self._half)


def _fast_length(least: int) -> int:
    """The next length that a Fourier transform is quick at."""
    length = fft.next_fast_len(least)
    assert length is not None
    return length
