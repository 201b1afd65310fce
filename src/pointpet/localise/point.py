"""One click to a 3D mask, without any model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointpet.core import ConfigError, Flag, GeometryError, Mask, Volume
from pointpet.localise.neighbourhood import Neighbourhood, cut, hottest_within
from pointpet.localise.outline import RULES
from pointpet.localise.quality import in_order, mask_flags
from pointpet.localise.settings import LocaliseSettings

COLD_RADIUS_MM = 20.0
"""A tumour's rim lies within this distance of a click into its core, mostly; the hottest voxel there is compared."""


@dataclass(frozen=True, eq=False)
class PointSegmentation:
    """What one click gives.

    Args:
        mask: on the volume's grid; empty where the rule finds nothing at the seed.
        seed_mm: (3,) world RAS+ mm of the voxel it was grown from.
        rule: the rule's name.
        threshold_suv: the SUV threshold used; None where the rule has no single one.
        flags: reasons for a human to look.
    """

    mask: Mask
    seed_mm: NDArray[np.float64]
    rule: str
    threshold_suv: float | None
    flags: tuple[Flag, ...]


def segment_point(
    volume: Volume, point_mm: ArrayLike, *, rule: str | None = None, settings: LocaliseSettings | None = None
) -> PointSegmentation:
    """Outline the lesion at a click.

    The result depends on the voxels about the click alone, never on the image's extent.

    Args:
        volume: SUV, any orientation.
        point_mm: (3,) world RAS+ mm.
        rule: a name in `RULES`; the settings' `point_rule` where absent.
        settings: defaults where absent.

    Raises:
        ConfigError: no rule of that name.
        GeometryError: the point is not three finite numbers, or lies outside the volume.
    """
    settings = settings or LocaliseSettings()
    name = settings.point_rule if rule is None else rule
    if name not in RULES:
        raise ConfigError("PP-CONFIG-RULE", "rule", f"must be one of {', '.join(RULES)}, got {name!r}", "Name one")
    around = neighbourhood_at(volume, point_mm, settings)
    outline = RULES[name].draw(around, settings)
    mask = Mask(around.paste(outline.region, volume.voxels.shape), volume.affine)
    raised = dict.fromkeys(mask_flags(mask, settings), True) | {Flag.COLD_POINT: is_cold(around, settings)}
    seed = np.array(around.seed) - [part.start for part in around.inner] + [part.start for part in around.window]
    return PointSegmentation(mask, volume.grid.world(seed)[0], name, outline.threshold_suv, in_order(raised))


def is_cold(around: Neighbourhood, settings: LocaliseSettings) -> bool:
    """True where the click's SUV is low by itself or beside the hottest voxel within 20 mm: a necrotic core, a miss."""
    clicked = float(around.suv[around.point])
    return clicked < settings.cold_suv or clicked < settings.cold_share * around.near_maximum(COLD_RADIUS_MM)


def _voxel(volume: Volume, point_mm: ArrayLike) -> tuple[int, int, int]:
    """The voxel that holds the point."""
    point = np.asarray(point_mm, np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise GeometryError(
            "PP-POINT-SHAPE", "point", f"must be three finite numbers in mm, got {point.tolist()}", "Give X,Y,Z"
        )
    if not volume.grid.contains(point)[0]:
        raise GeometryError(
            "PP-POINT-OUTSIDE",
            "point",
            f"must lie inside the volume, got {point.round(2).tolist()} mm RAS+",
            "Check the coordinates' sign convention (RAS+) and units (mm)",
        )
    x, y, z = (int(n) for n in np.rint(volume.grid.indices(point)[0]))
    return x, y, z


def neighbourhood_at(volume: Volume, point_mm: ArrayLike, settings: LocaliseSettings) -> Neighbourhood:
    """The surroundings of a click, the seed moved to the hottest voxel within `snap_mm`.

    Raises:
        GeometryError: the point is not three finite numbers, or lies outside the volume.
    """
    axes, voxel = volume.affine[:3, :3], _voxel(volume, point_mm)
    return cut(
        volume.voxels,
        axes,
        voxel,
        extent_mm=settings.extent_mm,
        seed=hottest_within(volume.voxels, axes, voxel, settings.snap_mm),
    )
