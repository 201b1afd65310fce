"""Everything about the step from maps or a click to a mask that a user can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ConfigError, option, raise_faults
from pointpet.localise.outline import RULES

HULL_OUTLINES = {
    "hull": "The back-projected hull itself, without any SUV rule",
    "hull_suv": "Component at the share of the maximum inside the hull, the same map threshold for seed and growth",
}
"""Outlines that need maps; a click alone has no hull."""


CAP_SUV = 8.0
"""About seven times the level of the body (`BODY_LEVEL_SUV`): lesions reach it, and what is hotter may be anything."""

SEPARATION_MM = 12.0
"""Of many lesions two are often near to each other, and a map's cell is then 16 mm wide."""

FURTHER_SHARE = 0.15
"""No lesion but the largest was clicked: what the map covers at all may be one."""

MANY_LESIONS = 60
"""Most lesions drawn where controls stand against disease: more than a reader would count."""


def outline_names() -> tuple[str, ...]:
    """Names that `LocaliseSettings.outline` accepts."""
    return (*HULL_OUTLINES, *RULES)


@dataclass(frozen=True)
class LocaliseSettings:
    """How maps or a click become a mask; checked when built, every fault reported together."""

    outline: str = option(
        "contrast", "Rule that draws the mask once the seed is found: hull, hull_suv, or a one-click rule"
    )
    point_rule: str = option("by_size", "Rule of one-click segmentation")
    agree: bool = option(
        True,
        "Ask both maps and the uptake for each voxel and project the answer: what one view alone shows loses; false "
        "asks for candidates.enabled: false",
    )
    uptake_power: float = option(0.5, "Weight the maps by SUV to this power, under their root; 0: the maps alone")
    uptake_cap: float = option(
        0.0,
        f"SUV above which more uptake adds no weight: brain and bladder are the hottest of all; 0: {CAP_SUV:g} where a "
        "class is free of lesions, none elsewhere",
    )
    hull_threshold: float = option(0.5, "Share of a map's maximum above which a pixel belongs to the hull")
    loose_threshold: float = option(0.15, "Share of a map's maximum that bounds the region a mask may grow in")
    share: float = option(0.41, "Share of the seed's SUV at which the rules `share` and `hull_suv` cut")
    contrast_share: float = option(0.35, "Share of the way from local background to peak at which `contrast` cuts")
    ray_ml: float = option(
        100.0, "Volume in mL above which `by_size` takes the outline of `ray`, made for masses, unless it has leaked"
    )
    snap_mm: float = option(10.0, "A click moves to the hottest voxel this near before a rule grows from it")
    extent_mm: float = option(180.0, "A mask reaches no farther from its seed than this along any voxel axis")
    max_lesions: int = option(
        0, f"Most lesions to draw; 1: the main lesion alone; 0: 1, or {MANY_LESIONS} where a class is free of lesions"
    )
    peak_threshold: float = option(
        0.3,
        "Least value of a map's local maximum that may be a further lesion; left at its default, "
        f"{FURTHER_SHARE:g} where a class is free of lesions",
    )
    peak_separation_mm: float = option(
        24.0,
        "Local maxima of a map nearer to each other than this are one; left at its default, "
        f"{SEPARATION_MM:g} where a class is free of lesions",
    )
    peak_suv_share: float = option(
        0.5,
        "A further lesion's SUV must reach this share of what both MIPs show there, else it is a ghost; in ready-made "
        "pictures this share of the main lesion's, else it is background",
    )
    z_disagreement_mm: float = option(
        32.0, "Peaks of the two views farther apart in z than this do not belong together"
    )
    min_probability: float = option(0.6, "Probability of the predicted class under which a case is flagged")
    border_margin_mm: float = option(
        0.0, "A hull this near to the edge of the scan is flagged; 0: only one that touches it"
    )
    large_ml: float = option(1000.0, "Mask volume in mL above which a case is flagged")
    cold_suv: float = option(1.0, "SUV at the click under which it is flagged as cold")
    cold_share: float = option(0.1, "Share of the hottest voxel within 20 mm under which a click is flagged as cold")

    def __post_init__(self) -> None:
        faults = [*self._name_faults(), *self._share_faults(), *self._positive_faults()]
        raise_faults("localise", faults)

    def for_cohort(self, lesion_free: Sequence[str]) -> LocaliseSettings:
        """Settle what depends on the cohort: how many lesions to draw, and how much uptake counts.

        Args:
            lesion_free: the cohort's classes without lesions.
        """
        if not lesion_free:
            return replace(self, max_lesions=self.max_lesions or 1)
        chosen = {"peak_separation_mm": SEPARATION_MM, "peak_threshold": FURTHER_SHARE}
        left = {name: value for name, value in chosen.items() if getattr(self, name) == getattr(type(self), name)}
        return replace(
            self, max_lesions=self.max_lesions or MANY_LESIONS, uptake_cap=self.uptake_cap or CAP_SUV, **left
        )

    def uptake_weight(self, suv: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a map is weighted by at each SUV, under its root: SUV up to `uptake_cap` to the `uptake_power`."""
        return np.maximum(self.capped(suv), 0) ** np.float32(self.uptake_power)

    def capped(self, suv: NDArray[np.float32]) -> NDArray[np.float32]:
        """SUV as far as they count: up to `uptake_cap`, where there is one."""
        return np.minimum(suv, np.float32(self.uptake_cap)) if self.uptake_cap else suv

    def _name_faults(self) -> list[ConfigError]:
        allowed = {"outline": outline_names(), "point_rule": tuple(RULES)}
        return [
            _fault(name, f"must be one of {', '.join(names)}, got {getattr(self, name)!r}")
            for name, names in allowed.items()
            if getattr(self, name) not in names
        ]

    def _share_faults(self) -> list[ConfigError]:
        names = ("hull_threshold", "loose_threshold", "share", "contrast_share", "peak_threshold", "peak_suv_share")
        faults = [
            _fault(name, f"must lie over 0 and under 1, got {getattr(self, name)}")
            for name in names
            if not 0 < getattr(self, name) < 1
        ]
        faults += [
            _fault(name, f"must lie from 0 to 1, got {getattr(self, name)}")
            for name in ("min_probability", "cold_share")
            if not 0 <= getattr(self, name) <= 1
        ]
        if not faults and self.loose_threshold > self.hull_threshold:
            faults.append(
                _fault(
                    "loose_threshold",
                    f"must not exceed hull_threshold {self.hull_threshold}, got {self.loose_threshold}",
                )
            )
        return faults

    def _positive_faults(self) -> list[ConfigError]:
        faults = [
            _fault(name, f"must be over 0, got {getattr(self, name)}")
            for name in ("extent_mm", "ray_ml", "peak_separation_mm", "large_ml")
            if not getattr(self, name) > 0
        ]
        faults += [
            _fault(name, f"must not be negative, got {getattr(self, name)}")
            for name in ("snap_mm", "z_disagreement_mm", "border_margin_mm", "cold_suv", "uptake_power", "uptake_cap")
            if not getattr(self, name) >= 0
        ]
        if self.max_lesions < 0:
            faults.append(_fault("max_lesions", f"must be 0 or more, got {self.max_lesions}"))
        return faults


def _fault(name: str, problem: str) -> ConfigError:
    return ConfigError("PP-CONFIG-LOCALISE", f"localise.{name}", problem, "Correct the configuration")
