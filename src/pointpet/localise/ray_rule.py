"""A logistic rule of four features that see the lesion from the click.

A voxel belongs to the lesion while its blurred SUV keeps up with the mean SUV on the straight way from the click, the
more so the farther it lies off, and while it stays joined to the peak at a high SUV. So the threshold differs by
direction: it is low behind a cold core and high behind a hot rim.

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

FEATURES = ("ray mean", "reach", "blurred", "distance")
"""Natural logarithms of SUV (at least 0.05), and the distance from the click in units of 50 mm."""

WEIGHTS = (-3.146, 0.923, 3.284, -3.256)
INTERCEPT = 3.067
"""Fitted values, in the order of `FEATURES`."""

LOWEST_SUV = 0.05
"""SUVs are raised to this before the logarithm: air has none."""

FAR_MM = 180.0
"""No voxel farther from the click belongs to the lesion; the farthest of the 34 tumours is 164 mm."""

RAY_SAMPLES = 24
"""Samples on the way from click to voxel: at most 7.5 mm apart, the blur of a scanner."""

RAY_GRID_MM = 12.0
"""The mean along rays varies slowly, so it is computed on this lattice and interpolated."""


def ray_mean(around: Neighbourhood) -> NDArray[np.float32]:
    """Mean SUV on the straight way from the point to each voxel (S), of the image blurred by 2 mm."""
    suv = ndimage.gaussian_filter(around.suv, 2.0 / around.spacing_mm, mode="constant", truncate=3.0)
    steps = np.maximum(np.rint(RAY_GRID_MM / around.spacing_mm), 1)
    # A lattice through the point itself, so that the value there is exact.
    axes = [
        np.arange(-np.ceil(at / step), np.ceil((n - 1 - at) / step) + 1) * step
        for at, n, step in zip(around.point, suv.shape, steps, strict=True)
    ]
    offsets = np.meshgrid(*axes, indexing="ij")
    total = np.zeros(offsets[0].shape, np.float32)
    for fraction in (np.arange(RAY_SAMPLES) + 0.5) / RAY_SAMPLES:
        places = [at + fraction * offset for at, offset in zip(around.point, offsets, strict=True)]
        total += ndimage.map_coordinates(suv, places, order=1, mode="constant", prefilter=False)
    voxels = [
        (np.arange(n) - at) / step - axis[0] / step
        for n, at, step, axis in zip(suv.shape, around.point, steps, axes, strict=True)
    ]
    return _interpolate(np.asarray(total / np.float32(RAY_SAMPLES)), voxels)


def _interpolate(coarse: NDArray, places: list[NDArray]) -> NDArray[np.float32]:
    """`coarse` at fractional places, one array an axis: linear, one axis after the other."""
    fine = coarse
    for axis, place in enumerate(places):
        low = np.clip(np.floor(place).astype(int), 0, fine.shape[axis] - 2)
        weight = (place - low).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(fine.ndim)])
        fine = np.asarray(np.take(fine, low, axis) * (1 - weight) + np.take(fine, low + 1, axis) * weight)
    return np.asarray(fine, np.float32)


def ray_features(around: Neighbourhood) -> tuple[NDArray, ...]:
    """The four features of each voxel (S), in the order of `FEATURES`."""
    blurred = ndimage.gaussian_filter(around.suv, 6.0 / around.spacing_mm, mode="constant", truncate=3.0)
    logarithms = (np.log(np.maximum(suv, LOWEST_SUV)) for suv in (ray_mean(around), reach(around), blurred))
    return (*logarithms, around.distance_mm / np.float32(50.0))


def ray_region(around: Neighbourhood) -> NDArray[np.bool_]:
    """The region (S) that the fitted weights give."""
    return probable_region(around, WEIGHTS, intercept=INTERCEPT)


def probable_region(around: Neighbourhood, weights: Sequence[float], *, intercept: float) -> NDArray[np.bool_]:
    """Voxels whose probability, smoothed by 3 mm, is at least one half; the part of them that is nearest to the point.

    Args:
        around: the neighbourhood.
        weights: of `FEATURES`, in their order.
        intercept: added to the weighted sum.
    """
    score = np.full(around.suv.shape, intercept, np.float32)
    for weight, feature in zip(weights, ray_features(around), strict=True):
        score += np.float32(weight) * feature
    probability = np.where(around.distance_mm <= FAR_MM, 1 / (1 + np.exp(-score)), np.float32(0))
    smooth = ndimage.gaussian_filter(probability, 3.0 / around.spacing_mm, mode="constant", truncate=3.0)
    return around.finish(around.nearest_component(np.asarray(smooth >= 0.5)))
