"""Rules that draw a lesion's outline about a seed. Each sees a neighbourhood of the seed and nothing else.

A rule takes a `Neighbourhood` and the settings, and returns an `Outline`. The same rules serve one click and the seed
that two maps give, in three dimensions and in two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pointpet.localise.neighbourhood import Neighbourhood
from pointpet.localise.ray_rule import ray_region
from pointpet.localise.reach_rule import reach_region
from pointpet.localise.threshold_rules import clipped_region, contrast_threshold

if TYPE_CHECKING:
    from pointpet.localise.settings import LocaliseSettings


LEAST_ROUNDNESS = 0.5
"""A mass lies about its click; a leak runs along an organ to one side. A mass clicked near its rim is not round either:
hence the next constant."""

LEAK_RATIO = 2.5
"""How many times as much as `contrast` a leak finds at least."""


@dataclass(frozen=True, eq=False)
class Outline:
    """A rule's answer.

    Args:
        region: (S) bool on the neighbourhood.
        threshold_suv: the SUV threshold used; None where a rule has no single one.
    """

    region: NDArray[np.bool_]
    threshold_suv: float | None


@dataclass(frozen=True)
class OutlineRule:
    """A named rule.

    Args:
        name, summary: as the command line shows them.
        draw: neighbourhood and settings to outline.
    """

    name: str
    summary: str
    draw: Callable[[Neighbourhood, LocaliseSettings], Outline]


def _at_threshold(around: Neighbourhood, threshold_suv: float) -> Outline:
    """The component of SUV >= `threshold_suv` that holds the seed."""
    return Outline(around.grow(around.suv >= threshold_suv), threshold_suv)


def _contrast(around: Neighbourhood, settings: LocaliseSettings) -> Outline:
    return _at_threshold(around, contrast_threshold(around, settings.contrast_share))


def _clipped(around: Neighbourhood, _: LocaliseSettings) -> Outline:
    region, threshold_suv = clipped_region(around)
    return Outline(region, threshold_suv)


def choose_by_size(around: Neighbourhood, large: NDArray[np.bool_], settings: LocaliseSettings) -> Outline:
    """`large` (S), the region of `ray`, where it is a mass; the outline of `contrast` where it is small or a leak."""
    size_ml = around.sphere_ml(large)
    if size_ml <= settings.ray_ml:
        return _contrast(around, settings)
    if around.roundness(large) >= LEAST_ROUNDNESS:
        return Outline(large, None)
    small = _contrast(around, settings)
    leaked = size_ml > LEAK_RATIO * around.sphere_ml(small.region)
    return small if leaked else Outline(large, None)


_ALL = (
    OutlineRule("suv25", "SUV 2.5, component at the seed", lambda around, _: _at_threshold(around, 2.5)),
    OutlineRule("suv40", "SUV 4.0, component at the seed", lambda around, _: _at_threshold(around, 4.0)),
    OutlineRule(
        "fixed41",
        "41 % of the whole scan's maximum, component at the seed",
        lambda around, _: _at_threshold(around, 0.41 * around.scan_max),
    ),
    OutlineRule(
        "click41", "41 % of the seed's SUV, component", lambda around, _: _at_threshold(around, 0.41 * around.seed_suv)
    ),
    OutlineRule(
        "share",
        "The settings' share of the seed's SUV, component",
        lambda around, settings: _at_threshold(around, settings.share * around.seed_suv),
    ),
    OutlineRule(
        "share20",
        "40 % of the maximum within 20 mm, component",
        lambda around, _: _at_threshold(around, 0.4 * around.near_maximum(20.0)),
    ),
    OutlineRule(
        "contrast",
        "The settings' contrast_share of the way from the local background to the seed's SUV, component",
        _contrast,
    ),
    OutlineRule("clipped", "30 % of the maximum within 20 mm, kept between SUV 1 and 3; opened and closed", _clipped),
    OutlineRule(
        "reach",
        "A threshold that rises with the distance from the click, on the SUV at which a voxel joins the peak",
        lambda around, _: Outline(reach_region(around), None),
    ),
    OutlineRule(
        "ray",
        "Logistic rule of six features, fitted on soft-tissue sarcomas: highest SUV on the way from the click, reach, "
        "SUV blurred by 6 and 16 mm, distance, outward slope",
        lambda around, _: Outline(ray_region(around), None),
    ),
    OutlineRule(
        "by_size",
        "`ray` where it finds more than the settings' ray_ml and has not leaked, else `contrast`",
        lambda around, settings: choose_by_size(around, ray_region(around), settings),
    ),
)

RULES: Mapping[str, OutlineRule] = MappingProxyType({rule.name: rule for rule in _ALL})
"""Name to rule."""
