"""Two views of one lesion must agree on its height, and the lesion takes up tracer: both are used to clean the maps.

A peak that one view alone shows (a kidney on the sagittal MIP, a hot heart) has no counterpart at its height in the
other. Each map becomes the geometric mean of itself and of what the other view says of the same height, weighted by
the uptake that the MIP shows there. Shape letters: U, Z pixels of a view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, GeometryError, MipPair, Plane
from pointpet.localise.settings import LocaliseSettings


def agreed_maps(
    maps: Mapping[Plane, ActivationMap], mips: MipPair, settings: LocaliseSettings
) -> dict[Plane, ActivationMap]:
    """Weight each view's map by the other view's height profile and by its own uptake.

    M'(u, z) = sqrt(M(u, z) * max_v N(v, z) * SUV(u, z)^uptake_power), divided by its maximum; N is the other view's
    map. Without `agree`, with one view, or for ready-made pictures (whose heights are not tied) N is left out. A map
    that would vanish altogether is returned as it was.

    Args:
        maps: plane to map (U, Z) in [0, 1].
        mips: the MIPs the maps were made from, of the same shapes.
        settings: `agree` and `uptake_power`.

    Raises:
        GeometryError: a map has another shape than its MIP.
    """
    tied = settings.agree and len(maps) == len(Plane) and mips.origin_mm is not None
    agreed: dict[Plane, ActivationMap] = {}
    for plane, activation in maps.items():
        suv = mips.values(plane)
        assert suv is not None
        if suv.shape != activation.values.shape:
            raise GeometryError(
                "PP-LOC-SHAPE",
                f"{plane} activation map",
                f"must have its MIP's shape {suv.shape}, got {activation.values.shape}",
                "Give the MIPs that the maps were made from",
            )
        evidence = activation.values * np.maximum(suv, 0) ** np.float32(settings.uptake_power)
        if tied:
            other = maps[Plane.SAGITTAL if plane is Plane.CORONAL else Plane.CORONAL]
            evidence = evidence * other.values.max(axis=0)[None, :]
        agreed[plane] = _normalised(activation, evidence) if tied or settings.uptake_power > 0 else activation
    return agreed


def _normalised(activation: ActivationMap, evidence: NDArray[np.float32]) -> ActivationMap:
    highest = float(evidence.max())
    return replace(activation, values=np.sqrt(evidence / highest)) if highest > 0 else activation
