"""The 2D counterpart for ready-made MIPs, one view or both: each view is outlined by itself.

Shape letters: U, Z cells of a plane.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, Flag, GeometryError, MipPair, Plane
from pointpet.localise.neighbourhood import climb, cut
from pointpet.localise.outline import RULES
from pointpet.localise.peaks import peak_cells
from pointpet.localise.quality import in_order, map_findings, probability_findings
from pointpet.localise.settings import LocaliseSettings


def localise_pictures(
    mips: MipPair, maps: Mapping[Plane, ActivationMap], settings: LocaliseSettings
) -> dict[Plane, NDArray[np.bool_]]:
    """Outline the lesions that each view's map points at, in that view.

    Args:
        mips: one view or both.
        maps: a map for each view of `mips`, of the view's shape.
        settings: as for 3D; the seed is argmax(SUV x map²).

    Returns:
        Plane to mask (U, Z), for each view of `mips`.

    Raises:
        GeometryError: a view has no map, or one of another shape.
    """
    masks = {}
    for plane in mips.planes:
        suv = mips.values(plane)
        assert suv is not None
        if plane not in maps or maps[plane].values.shape != suv.shape:
            got = maps[plane].values.shape if plane in maps else "none"
            raise GeometryError(
                "PP-LOC-PICTURE",
                f"{plane} activation map",
                f"must have its MIP's shape {suv.shape}, got {got}",
                "Bring the map to the MIP's size",
            )
        masks[plane] = _outline_view(suv, maps[plane], mips.pixel_mm, settings)
    return masks


def picture_flags(
    masks: Mapping[Plane, NDArray[np.bool_]],
    maps: Mapping[Plane, ActivationMap],
    settings: LocaliseSettings,
    *,
    probabilities: Mapping[str, float] | None = None,
) -> tuple[Flag, ...]:
    """Flags that make sense in 2D: empty, map empty, maps that disagree on z, low probability."""
    raised = {Flag.EMPTY: not any(mask.any() for mask in masks.values())}
    return in_order(raised | map_findings(maps, settings) | probability_findings(probabilities or {}, settings))


def _outline_view(
    suv: NDArray[np.float32], activation: ActivationMap, pixel_mm: float, settings: LocaliseSettings
) -> NDArray[np.bool_]:
    tight = settings.outline in ("hull", "hull_suv")
    allowed = activation.values >= (settings.hull_threshold if tight else settings.loose_threshold)
    if settings.outline == "hull":
        return allowed
    union = np.zeros(suv.shape, bool)
    score = np.where(allowed, settings.capped(suv) * activation.values**2, -np.inf)
    drawn, least = 0, -np.inf
    for start in _starts(score, activation, settings):
        seed = climb(suv, start, allowed)
        if union[seed] or suv[seed] < least:
            continue
        if not drawn:
            # What takes up far less than the main lesion is background that the map happens to cover.
            least = settings.peak_suv_share * settings.capped(suv[seed])
        union |= _outline(suv, seed, allowed, pixel_mm=pixel_mm, settings=settings)
        drawn += 1
        if drawn >= settings.max_lesions:
            break
    return union


def _starts(score: NDArray, activation: ActivationMap, settings: LocaliseSettings) -> list[tuple[int, ...]]:
    """The best pixel of all, then the map's peaks, each moved to the best score about it."""
    main = np.unravel_index(int(np.argmax(score)), score.shape)
    if not score[main] > 0:
        return []
    starts = [tuple(int(n) for n in main)]
    if settings.max_lesions > 1:
        reach = max(1, round(settings.peak_separation_mm / activation.pixel_mm / 2))
        for cell in peak_cells(activation, settings):
            low = np.maximum(cell - reach, 0)
            part = score[tuple(slice(int(a), int(b)) for a, b in zip(low, cell + reach + 1, strict=True))]
            best = np.unravel_index(int(np.argmax(part)), part.shape)
            if part[best] > 0:
                starts.append(tuple(int(n) for n in low + best))
    return starts


def _outline(
    suv: NDArray[np.float32],
    seed: tuple[int, ...],
    allowed: NDArray[np.bool_],
    *,
    pixel_mm: float,
    settings: LocaliseSettings,
) -> NDArray[np.bool_]:
    name = settings.outline if settings.outline in RULES else "share"
    around = cut(suv, np.eye(2) * pixel_mm, seed, extent_mm=settings.extent_mm, allowed=allowed)
    return around.paste(RULES[name].draw(around, settings).region, suv.shape)
