"""Whether a method's maps point at the tumour.

Per view the peak is the centre of the hottest pixel of the predicted class's map; its distance is taken to the centre
of the nearest pixel of the projected truth, 0 inside it. A map without any positive value has no peak: it counts as a
miss at the worst distance, the view's diagonal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, Plane
from pointpet.evaluate.overlap import require_shapes_match

HIT_TOLERANCE_MM = 16.0
"""How far from the truth a peak may lie and still count: half a cell of the published map, 32 mm wide."""


@dataclass(frozen=True)
class Detection:
    """Where the peaks lie.

    Args:
        hit: the peak lies within 16 mm of the truth in every view.
        hit_strict: the peak lies inside the truth in every view.
        distance_mm: from the peak to the nearest pixel of truth, the larger of the views.
    """

    hit: bool
    hit_strict: bool
    distance_mm: float


def detect(maps: Mapping[Plane, ActivationMap], truth_pictures: Mapping[Plane, NDArray[np.bool_]]) -> Detection | None:
    """Judge the peaks of `maps` against the projected truth (U, Z) of each view.

    Views that have a map and a truth that is not empty are judged; None where there is none (methods without maps,
    cases without lesions).

    Raises:
        GeometryError: a map and its truth differ in shape.
    """
    distances = [
        peak_distance_mm(maps[plane], truth_pictures[plane])
        for plane in Plane
        if plane in maps and plane in truth_pictures and np.any(truth_pictures[plane])
    ]
    if not distances:
        return None
    worst = max(distances)
    return Detection(hit=worst <= HIT_TOLERANCE_MM, hit_strict=worst == 0.0, distance_mm=worst)


def peak_distance_mm(activation: ActivationMap, truth: NDArray[np.bool_]) -> float:
    """Distance in mm from the map's peak to the nearest pixel of `truth` (U, Z), which is not empty.

    Raises:
        GeometryError: the shapes differ.
    """
    require_shapes_match(f"{activation.plane} activation map", activation.values.shape, truth.shape)
    if activation.values.max() <= 0:
        return float(np.linalg.norm(truth.shape) * activation.pixel_mm)
    offsets = np.argwhere(truth) - np.array(activation.peak_cell)
    return float(np.sqrt((offsets**2).sum(axis=1).min()) * activation.pixel_mm)
