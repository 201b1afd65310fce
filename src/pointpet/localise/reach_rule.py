"""Reach: the highest threshold at which a voxel is still joined to the peak, and a rule on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointpet.localise.neighbourhood import Neighbourhood, box_around, component_at

REACH_LEVELS = 48
"""Thresholds tried, evenly on a log scale from `REACH_FLOOR` to the peak: steps of about 8 % of SUV."""

REACH_FLOOR = 0.3
"""Lowest SUV of interest, g/mL: below it lie lung and air."""

SEED_RADIUS_MM = 20.0
"""A peak this near to the click is the tumour's."""


def reach(around: Neighbourhood) -> NDArray[np.float32]:
    """Minimax path SUV from each voxel (S) to the hottest voxel within 20 mm of the point; 0 below SUV 0.3.

    Morphological reconstruction by dilation, at 48 levels instead of every grey value: each level looks only inside
    the bounding box of the component one level lower, which makes it fast.
    """
    suv = around.suv if around.allowed is None else np.where(around.allowed, around.suv, np.float32(0))
    peak = around.hottest(SEED_RADIUS_MM)
    joined = np.zeros(suv.shape, np.float32)
    if suv[peak] < REACH_FLOOR:
        return joined
    box = tuple(slice(0, n) for n in suv.shape)
    for level in np.geomspace(REACH_FLOOR, suv[peak] * (1 - 1e-6), REACH_LEVELS).astype(np.float32):
        seed = tuple(n - part.start for n, part in zip(peak, box, strict=True))
        component = component_at(suv[box] >= level, seed)
        joined[box][component] = level
        inner = box_around(component, around.spacing_mm, 0.0)
        assert inner is not None
        box = tuple(
            slice(part.start + small.start, part.start + small.stop) for part, small in zip(box, inner, strict=True)
        )
    return joined


def reach_region(around: Neighbourhood) -> NDArray[np.bool_]:
    """Voxels whose reach is over 0.22 M^0.62 exp(R / 55 mm), M the maximum within 20 mm, R the distance; smoothed.

    The three constants were read off 34 soft-tissue sarcomas (STS of The Cancer Imaging Archive).
    """
    peak = max(around.near_maximum(SEED_RADIUS_MM), REACH_FLOOR)
    bar = np.log(0.22) + 0.62 * np.log(peak) + around.distance_mm / 55.0
    excess = np.clip(np.log(np.maximum(reach(around), 1e-3)) - bar, -3.0, 3.0)
    smooth = ndimage.gaussian_filter(excess, 5.0 / around.spacing_mm, mode="constant", cval=-3.0, truncate=3.0)
    return around.finish(around.nearest_component(smooth >= 0))
