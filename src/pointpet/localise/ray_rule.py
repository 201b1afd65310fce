"""A logistic rule of six features that see the lesion from the click.

A voxel belongs to the lesion while its blurred SUV keeps up with the highest SUV on the straight way from the click,
the more so the farther it lies off. So the threshold differs by direction: low behind a cold core, high behind a hot
rim.

Fitted on 34 soft-tissue sarcomas (collection Soft-tissue-Sarcoma of The Cancer Imaging Archive, CC BY 3.0, contours
drawn on MRI), by `experiments/sts_fit.py`. Untested on any other tumour; small lesions of the lung are none of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointpet.localise.neighbourhood import Neighbourhood
from pointpet.localise.reach_rule import reach

FEATURES = ("ray maximum", "reach", "blurred by 6 mm", "blurred by 16 mm", "distance", "outward slope")
"""Natural logarithms of SUV (at least 0.05), the distance from the click in units of 50 mm, and the change of the
logarithm of the SUV blurred by 6 mm over 10 mm, straight away from the click."""

WEIGHTS = (-3.784, 1.431, 1.821, 2.198, -3.064, 2.419)
INTERCEPT = 5.150
"""Fitted values, in the order of `FEATURES`."""

THRESHOLD = 0.45
"""Probability that a voxel needs: of 0.4, 0.45 and 0.5 the one that leaves the fewest tumours under a Dice of 0.5."""

LOWEST_SUV = 0.05
"""SUVs are raised to this before the logarithm: air has none."""

FAR_MM = 180.0
"""No voxel farther from the click belongs to the lesion; the farthest of the 34 tumours is 164 mm."""

RAY_SAMPLES = 24
"""Samples on the way from click to voxel: at most 7.8 mm apart, the blur of a scanner."""

RAY_GRID_MM = 12.0
"""The maximum along rays varies slowly, so it is computed on this lattice and interpolated."""


def ray_maximum(around: Neighbourhood, suv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Highest of `suv` (S) on the straight way from the point to each voxel (S)."""
    steps = np.maximum(np.rint(RAY_GRID_MM / around.spacing_mm), 1)
    # A lattice through the point itself, so that the value there is exact.
    axes = [
        np.arange(-np.ceil(at / step), np.ceil((n - 1 - at) / step) + 1) * step
        for at, n, step in zip(around.point, suv.shape, steps, strict=True)
    ]
    offsets = np.meshgrid(*axes, indexing="ij")
    highest = np.zeros(offsets[0].shape, np.float32)
    for fraction in np.linspace(0.0, 1.0, RAY_SAMPLES):
        places = [at + fraction * offset for at, offset in zip(around.point, offsets, strict=True)]
        sampled = ndimage.map_coordinates(suv, places, order=1, mode="constant", prefilter=False)
        highest = np.maximum(highest, sampled)
    voxels = [
        (np.arange(n) - at) / step - axis[0] / step
        for n, at, step, axis in zip(suv.shape, around.point, steps, axes, strict=True)
    ]
    return _interpolate(highest, voxels)


def outward_slope(around: Neighbourhood, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change of `values` (S) over 10 mm, straight away from the point; 0 at the point itself."""
    total = np.zeros(values.shape, np.float32)
    for axis, at in enumerate(around.point):
        offset = np.arange(values.shape[axis], dtype=np.float32) - np.float32(at)
        # The way outward is the offset in voxels whatever the voxels' axes are, so no direction in mm is needed.
        total += np.gradient(values, axis=axis) * offset.reshape([-1 if n == axis else 1 for n in range(values.ndim)])
    return np.asarray(10.0 * total / np.maximum(around.distance_mm, 1.0), np.float32)


def _interpolate(coarse: NDArray, places: list[NDArray]) -> NDArray[np.float32]:
    """`coarse` at fractional places, one array an axis: linear, one axis after the other."""
    fine = coarse
    for axis, place in enumerate(places):
        low = np.clip(np.floor(place).astype(int), 0, fine.shape[axis] - 2)
        weight = (place - low).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(fine.ndim)])
        fine = np.asarray(np.take(fine, low, axis) * (1 - weight) + np.take(fine, low + 1, axis) * weight)
    return np.asarray(fine, np.float32)


def ray_features(around: Neighbourhood) -> tuple[NDArray, ...]:
    """The six features of each voxel (S), in the order of `FEATURES`."""
    fine, coarse = (
        np.asarray(
            ndimage.gaussian_filter(around.suv, sigma_mm / around.spacing_mm, mode="constant", truncate=3.0), np.float32
        )
        for sigma_mm in (6.0, 16.0)
    )
    highest, joined, near, wide = (
        np.log(np.maximum(suv, np.float32(LOWEST_SUV)))
        for suv in (ray_maximum(around, fine), reach(around), fine, coarse)
    )
    return highest, joined, near, wide, around.distance_mm / np.float32(50.0), outward_slope(around, near)


def ray_region(around: Neighbourhood) -> NDArray[np.bool_]:
    """The region (S) that the fitted weights give."""
    probability = ray_probability(around, ray_features(around), WEIGHTS, intercept=INTERCEPT)
    return probable_region(around, probability, THRESHOLD)


def ray_probability(
    around: Neighbourhood, features: Sequence[NDArray], weights: Sequence[float], *, intercept: float
) -> NDArray[np.float32]:
    """Probability (S) that a voxel belongs to the lesion, smoothed by 3 mm; 0 beyond `FAR_MM`.

    Args:
        around: the neighbourhood.
        features: each (S), of which `weights` are the weights.
        weights: one a feature, in the same order.
        intercept: added to the weighted sum.
    """
    score = np.full(around.suv.shape, intercept, np.float32)
    for weight, feature in zip(weights, features, strict=True):
        score += np.float32(weight) * feature
    probability = np.where(around.distance_mm <= FAR_MM, 1 / (1 + np.exp(-score)), np.float32(0))
    smooth = ndimage.gaussian_filter(probability, 3.0 / around.spacing_mm, mode="constant", truncate=3.0)
    return np.asarray(smooth, np.float32)


def probable_region(around: Neighbourhood, probability: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Voxels whose `probability` (S) is at least `threshold`: their part that is nearest to the point, holes filled."""
    return around.finish(around.nearest_component(np.asarray(probability >= threshold)))
