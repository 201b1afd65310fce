"""Local maxima of both maps, paired at one height: candidates for several lesions.

Source: peak response mapping, Zhou et al., CVPR 2018 (class peak responses tell instances apart).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from skimage.feature import peak_local_max

from pointpet.core import ActivationMap, Plane
from pointpet.localise.settings import LocaliseSettings


def peak_cells(activation: ActivationMap, settings: LocaliseSettings) -> NDArray[np.int64]:
    """Cells (N, 2) of the map's local maxima over `peak_threshold`, the highest first."""
    distance = max(1, round(settings.peak_separation_mm / activation.pixel_mm))
    return peak_local_max(
        np.asarray(activation.values),
        min_distance=distance,
        threshold_abs=settings.peak_threshold,
        exclude_border=False,
    )


def pair_centres(maps: Mapping[Plane, ActivationMap], settings: LocaliseSettings) -> NDArray[np.float64]:
    """World points (N, 3) where a coronal and a sagittal peak agree on z within `z_disagreement_mm`.

    z is the mean of the two. Best product of values first. Pairs of two lesions at one height include ghosts.
    """
    coronal, sagittal = maps[Plane.CORONAL], maps[Plane.SAGITTAL]
    pairs: list[tuple[float, tuple[float, float, float]]] = []
    sides = [(side, _world(side, peak_cells(side, settings))) for side in (coronal, sagittal)]
    (_, first), (_, second) = sides
    for x, z_coronal, height in first:
        for y, z_sagittal, other_height in second:
            if abs(z_coronal - z_sagittal) <= settings.z_disagreement_mm:
                pairs.append((height * other_height, (x, y, (z_coronal + z_sagittal) / 2)))
    pairs.sort(key=lambda pair: -pair[0])
    return np.array([point for _, point in pairs]).reshape(-1, 3)


def _world(activation: ActivationMap, cells: NDArray) -> list[tuple[float, float, float]]:
    """(world coordinate across, world z, value) of each cell."""
    origin = np.asarray(activation.origin_mm)
    axis = activation.plane.axis
    return [
        (
            float(origin[axis] + u * activation.pixel_mm),
            float(origin[2] + z * activation.pixel_mm),
            float(activation.values[u, z]),
        )
        for u, z in cells
    ]
