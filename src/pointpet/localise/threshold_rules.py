"""Thresholds that follow a lesion's surroundings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointpet.localise.neighbourhood import Neighbourhood, box_around, closed, component_at, fill_holes, opened

SHELL_MM = (6.0, 18.0)
"""Where the local background is read: beyond the scanner's blur at the lesion's edge, nearer than the next organ."""

CONTRAST_STEPS = 6
"""Steps of the fixed point of `contrast_threshold`; it moves by under 1 % after four on real tumours."""


def contrast_threshold(around: Neighbourhood, share: float) -> float:
    """Threshold at `share` of the way from the local background to the seed's SUV.

    The background is the median SUV in a shell about the component that the threshold before it gives, beginning at
    `share` of the seed's SUV. Source: contrast-oriented thresholding, Schaefer et al., Eur J Nucl Med Mol Imaging
    2008;35:1989-1999, with the background read anew at each step.
    """
    peak = around.seed_suv
    threshold = share * peak
    region = around.grow(around.suv >= threshold)
    # No background lifts the threshold below the first one, so all later components lie inside the first.
    box = box_around(region, around.spacing_mm, SHELL_MM[1])
    if box is None:
        return threshold
    seed = tuple(at - part.start for at, part in zip(around.seed, box, strict=True))
    suv, region = around.suv[box], region[box]
    inside = region
    for _ in range(CONTRAST_STEPS):
        background = _shell_median(suv, region, around.spacing_mm)
        if background is None or background >= peak:
            return threshold
        threshold = background + share * (peak - background)
        region = fill_holes(component_at(inside & (suv >= threshold), seed))
    return threshold


def _shell_median(suv: NDArray[np.float32], region: NDArray[np.bool_], spacing_mm: NDArray) -> float | None:
    """Median SUV between 6 and 18 mm outside `region`; None where the region or the shell is empty."""
    box = box_around(region, spacing_mm, SHELL_MM[1])
    if box is None:
        return None
    outside = np.asarray(ndimage.distance_transform_edt(~region[box], sampling=spacing_mm))
    # Air beyond the body, or beyond the scan, is no tissue.
    shell = suv[box][(outside > SHELL_MM[0]) & (outside <= SHELL_MM[1]) & (suv[box] > 0)]
    return float(np.median(shell)) if shell.size else None


def clipped_region(around: Neighbourhood) -> tuple[NDArray[np.bool_], float]:
    """30 % of the maximum within 20 mm, kept between SUV 1 and 3; bridges under 6 mm cut, gaps under 8 mm closed."""
    threshold = float(np.clip(0.3 * around.near_maximum(20.0), 1.0, 3.0))
    wanted = around.suv >= threshold
    region = around.nearest_component(opened(wanted, around.axes_mm, 6.0))
    if not region.any():
        region = around.grow(wanted)
    return around.finish(closed(region, around.axes_mm, 8.0)), threshold
