"""Features of where intensities lie, by convolution: exact at any size, the same beside every library."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

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
    size = tuple(_fast_length(2 * n - 1) for n in inside.shape)
    weights = np.fft.rfftn(_inverse_distances(size, region.spacing_mm))

    def sum_over_others(values: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = np.fft.irfftn(np.fft.rfftn(values, size, axes=(0, 1, 2)) * weights, size, axes=(0, 1, 2))
        return whole[tuple(slice(n) for n in values.shape)]

    neighbours = sum_over_others(inside)
    products = float((centred * sum_over_others(centred)).sum())
    total = float((inside * neighbours).sum())
    # Over pairs, (a - b)^2 = a^2 + b^2 - 2ab.
    differences = 2 * float((square * neighbours).sum()) - 2 * products
    moran = count / total * products / square.sum()
    geary = (count - 1) / (2 * total) * differences / square.sum()
    return {"N365": float(moran), "NPT7": float(geary)}


def _fast_length(least: int) -> int:
    """The next length that a Fourier transform is quick at."""
    length = next_fast_len(least, real=True)
    assert length is not None
    return length


def _inverse_distances(size: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """1 / distance in mm from the first voxel of a box whose sides meet; 0 at that voxel."""
    axes = [np.minimum(np.arange(n), n - np.arange(n)) * edge for n, edge in zip(size, spacing_mm, strict=True)]
    distance = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))
    return np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)
