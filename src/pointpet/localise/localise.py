"""Two activation maps to a 3D mask: hull, seed, outline, flags.

Source of hull and seed: the coronal map says (x, z), the sagittal one (y, z); with P the product of both on the voxels,
the seed is argmax(SUV x P²), moved uphill to the local maximum. P² keeps a hot organ at the map's rim from winning.
Shape letters: X, Y, Z voxels; N seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, Flag, Mask, MipPair, Plane, Volume
from pointpet.localise.agreement import agreed_maps, weighted_maps
from pointpet.localise.backproject import BackProjection, back_project
from pointpet.localise.candidates import WeightedCandidates
from pointpet.localise.neighbourhood import climb, cut
from pointpet.localise.outline import RULES
from pointpet.localise.peaks import pair_centres
from pointpet.localise.quality import NO_SEEDS, mask_flags
from pointpet.localise.settings import LocaliseSettings


@dataclass(frozen=True, eq=False)
class Localisation:
    """Where the maps say the lesion is.

    Args:
        mask: the outlined lesions, on the volume's grid.
        hull: voxels where both maps reach the hull threshold, no SUV rule (holes and parts as they come).
        maps: plane to the map that hull and seeds were taken from.
        seeds_mm: (N, 3) world RAS+ mm, the main lesion's first; (0, 3) where no voxel qualifies.
        flags: reasons for a human to look, in the order of `Flag`.
    """

    mask: Mask
    hull: Mask
    maps: Mapping[Plane, ActivationMap]
    seeds_mm: NDArray[np.float64]
    flags: tuple[Flag, ...]


def localise(
    volume: Volume,
    maps: Mapping[Plane, ActivationMap],
    settings: LocaliseSettings,
    *,
    mips: MipPair | None = None,
    probabilities: Mapping[str, float] | None = None,
    candidates: WeightedCandidates | None = None,
) -> Localisation:
    """Find the lesion that both maps point at and outline it.

    Args:
        volume: SUV, any orientation.
        maps: both planes, on world-aligned grids.
        settings: thresholds and the outline's name.
        mips: the MIPs the maps were made from; without them the maps are taken as they are.
        probabilities: class name to probability, for the flag of an unsure class; none where unknown.
        candidates: places where uptake stands out, with their weights; they count where the views are made to agree.

    Raises:
        GeometryError: a plane is missing, or a map has no world coordinates.
    """
    agreed = _cleaned(volume, maps, settings, mips, candidates)
    projected = back_project(volume.grid, agreed, threshold=settings.loose_threshold)
    hull = np.zeros_like(volume.voxels, bool)
    mask = np.zeros_like(volume.voxels, bool)
    seeds: list[tuple[int, ...]] = []
    if projected is not None:
        hull[projected.box] = projected.both_over(settings.hull_threshold)
        seeds, mask = _lesions(volume, agreed, projected, settings)
        mask = hull if settings.outline == "hull" else mask
    answer, hull_mask = Mask(mask, volume.affine), Mask(hull, volume.affine)
    seeds_mm = volume.grid.world(np.array(seeds)) if seeds else NO_SEEDS
    return Localisation(
        mask=answer,
        hull=hull_mask,
        maps=agreed,
        seeds_mm=seeds_mm,
        flags=mask_flags(
            answer, settings, hull=hull_mask, maps=maps, probabilities=probabilities or {}, seeds_mm=seeds_mm
        ),
    )


def _cleaned(
    volume: Volume,
    maps: Mapping[Plane, ActivationMap],
    settings: LocaliseSettings,
    mips: MipPair | None,
    candidates: WeightedCandidates | None,
) -> dict[Plane, ActivationMap]:
    if mips is None:
        return dict(maps)
    return agreed_maps(volume, maps, settings, candidates) if settings.agree else weighted_maps(maps, mips, settings)


def _lesions(
    volume: Volume, maps: Mapping[Plane, ActivationMap], projected: BackProjection, settings: LocaliseSettings
) -> tuple[list[tuple[int, ...]], NDArray[np.bool_]]:
    """Seeds (voxel indices) and the union of their outlines."""
    tight = settings.outline in ("hull", "hull_suv")
    region = projected.both_over(settings.hull_threshold if tight else settings.loose_threshold)
    suv = settings.capped(volume.voxels[projected.box])
    score = np.where(region, suv * projected.product**2, -np.inf).astype(np.float32)
    seeds: list[tuple[int, ...]] = []
    union = np.zeros_like(volume.voxels, bool)
    allowed = np.zeros_like(volume.voxels, bool)
    allowed[projected.box] = region
    scan_max = float(volume.voxels.max())
    for start in _starts(volume, maps, score, projected, settings):
        seed = climb(volume.voxels, start, allowed)
        if union[seed] or (seeds and not _is_no_ghost(volume, seed, allowed, settings)):
            continue
        seeds.append(seed)
        union |= _outline(volume, seed, allowed, scan_max=scan_max, settings=settings)
        if len(seeds) >= settings.max_lesions:
            break
    return seeds, union


def _starts(
    volume: Volume,
    maps: Mapping[Plane, ActivationMap],
    score: NDArray[np.float32],
    projected: BackProjection,
    settings: LocaliseSettings,
) -> list[tuple[int, ...]]:
    """Voxels to climb from: the best of all, then the best near each pair of map peaks, best score first."""
    offset = np.array([part.start for part in projected.box])
    main = np.array(np.unravel_index(int(np.argmax(score)), score.shape))
    if not score[tuple(main)] > 0:
        return []
    starts = [tuple(main + offset)]
    if settings.max_lesions <= 1:
        return starts
    found: list[tuple[float, tuple[int, ...]]] = []
    for centre in volume.grid.indices(pair_centres(maps, settings)):
        near = _window(
            np.rint(centre).astype(int) - offset, volume.spacing_mm, score.shape, settings.peak_separation_mm
        )
        if near is None:
            continue
        best = np.array(np.unravel_index(int(np.argmax(score[near])), score[near].shape))
        best = best + [part.start for part in near]
        if score[tuple(best)] > 0:
            found.append((float(score[tuple(best)]), tuple(best + offset)))
    return starts + [start for _, start in sorted(found, reverse=True)]


def _window(centre: NDArray, spacing_mm: NDArray, shape: tuple[int, ...], radius_mm: float) -> tuple[slice, ...] | None:
    """Slices of `shape` within `radius_mm` of `centre` along each axis; None where they miss it."""
    reach = np.ceil(radius_mm / spacing_mm).astype(int)
    low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, np.array(shape))
    if (low >= high).any():
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _is_no_ghost(volume: Volume, seed: tuple[int, ...], allowed: NDArray[np.bool_], settings: LocaliseSettings) -> bool:
    """True where the seed itself can be what both views show; two lesions at one height cross at two cold ghosts."""
    x, y, z = seed
    along_y = volume.voxels[x, :, z][allowed[x, :, z]].max()
    along_x = volume.voxels[:, y, z][allowed[:, y, z]].max()
    return bool(volume.voxels[seed] >= settings.peak_suv_share * min(along_x, along_y))


def _outline(
    volume: Volume, seed: tuple[int, ...], allowed: NDArray[np.bool_], *, scan_max: float, settings: LocaliseSettings
) -> NDArray[np.bool_]:
    """The lesion at `seed` by the outline of the settings, on the whole grid."""
    name = settings.outline if settings.outline in RULES else "share"
    around = cut(
        volume.voxels,
        volume.affine[:3, :3],
        seed,
        extent_mm=settings.extent_mm,
        allowed=allowed,
        scan_max=scan_max,
    )
    return around.paste(RULES[name].draw(around, settings).region, volume.voxels.shape)
