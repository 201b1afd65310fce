"""Quality-control flags: what tells a human to look at a case."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, Flag, Mask, Plane
from pointpet.localise.candidates import MAP_FLOOR
from pointpet.localise.certainty import value_at
from pointpet.localise.settings import LocaliseSettings

NO_SEEDS = np.zeros((0, 3))


def mask_flags(
    mask: Mask,
    settings: LocaliseSettings,
    *,
    hull: Mask | None = None,
    maps: Mapping[Plane, ActivationMap] | None = None,
    probabilities: Mapping[str, float] | None = None,
    seeds_mm: NDArray[np.float64] = NO_SEEDS,
) -> tuple[Flag, ...]:
    """Flags of a mask and, where there are any, of the hull, maps, class probabilities and seeds (N, 3) behind it.

    Args:
        maps: as the network gave them, before the views were made to agree.
    """
    raised = {
        Flag.EMPTY: not mask.voxels.any(),
        Flag.HULL_AT_BORDER: hull is not None and touches_border(hull, settings.border_margin_mm),
        Flag.LARGE: mask.volume_ml > settings.large_ml,
        Flag.MAPS_BLIND: any(are_blind(maps or {}, seed) for seed in seeds_mm),
    }
    raised |= map_findings(maps or {}, settings) | probability_findings(probabilities or {}, settings)
    return in_order(raised)


def in_order(raised: Mapping[Flag, bool]) -> tuple[Flag, ...]:
    """The flags that are raised, in the order of `Flag`."""
    return tuple(flag for flag in Flag if raised.get(flag))


def map_findings(maps: Mapping[Plane, ActivationMap], settings: LocaliseSettings) -> dict[Flag, bool]:
    """What the maps alone show: an empty one, peaks at different heights."""
    empty = any(not activation.values.any() for activation in maps.values())
    heights = [_peak_z_mm(activation) for activation in maps.values()]
    apart = len(heights) == 2 and abs(heights[0] - heights[1]) > settings.z_disagreement_mm
    return {Flag.MAP_EMPTY: empty, Flag.MAPS_DISAGREE: apart and not empty}


def are_blind(maps: Mapping[Plane, ActivationMap], point_mm: NDArray[np.float64]) -> bool:
    """True where every map's value at a world point, as a share of its peak, is under `MAP_FLOOR`.

    More than half of what each view then says of the place is the floor, which every place is given.
    """
    return bool(maps) and all(value_at(activation, point_mm) < MAP_FLOOR for activation in maps.values())


def probability_findings(probabilities: Mapping[str, float], settings: LocaliseSettings) -> dict[Flag, bool]:
    """Whether the likeliest class is hardly likelier than the others."""
    return {Flag.LOW_PROBABILITY: bool(probabilities) and max(probabilities.values()) < settings.min_probability}


def _peak_z_mm(activation: ActivationMap) -> float:
    """Height of the map's peak; from the lowest row where the map has no world, as both views of a pair share z."""
    base = 0.0 if activation.origin_mm is None else float(activation.origin_mm[2])
    return base + activation.peak_cell[1] * activation.pixel_mm


def touches_border(mask: Mask, margin_mm: float) -> bool:
    """True where a voxel of the mask lies in the outermost layer or within `margin_mm` of it."""
    layers = 1 + np.floor(margin_mm / mask.grid.spacing_mm).astype(int)
    for axis, layer in enumerate(layers):
        along = np.moveaxis(mask.voxels, axis, 0)
        if along[:layer].any() or along[-layer:].any():
            return True
    return False
