"""Rules that draw a lesion's outline about a seed. Each sees a neighbourhood of the seed and nothing else.

A rule takes a `Neighbourhood` and the share of the settings, and returns an `Outline`. The same rules serve one click
and the seed that two maps give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pointpet.localise.neighbourhood import Neighbourhood


@dataclass(frozen=True, eq=False)
class Outline:
    """A rule's answer: `region` (S) bool on the neighbourhood and the SUV threshold at the seed that it used."""

    region: NDArray[np.bool_]
    threshold_suv: float


@dataclass(frozen=True)
class OutlineRule:
    """A named rule with its one-line description."""

    name: str
    summary: str
    draw: Callable[[Neighbourhood, float], Outline]


def at_threshold(around: Neighbourhood, threshold_suv: float) -> Outline:
    """The component of SUV >= `threshold_suv` that holds the seed."""
    return Outline(around.grow(around.suv >= threshold_suv), threshold_suv)


def at_seed_share(around: Neighbourhood, share: float) -> Outline:
    """The component at `share` of the seed's SUV."""
    return at_threshold(around, share * around.seed_suv)


def _rules(*rules: OutlineRule) -> Mapping[str, OutlineRule]:
    return MappingProxyType({rule.name: rule for rule in rules})


RULES: Mapping[str, OutlineRule] = _rules(
    OutlineRule("suv25", "Component at the seed above SUV 2.5", lambda around, _: at_threshold(around, 2.5)),
    OutlineRule("suv40", "Component at the seed above SUV 4.0", lambda around, _: at_threshold(around, 4.0)),
    OutlineRule(
        "fixed41",
        "Component at the seed above 41 % of the whole scan's maximum",
        lambda around, _: at_threshold(around, 0.41 * around.scan_max),
    ),
    OutlineRule(
        "click41", "Component at the seed above 41 % of the seed's SUV", lambda around, _: at_seed_share(around, 0.41)
    ),
    OutlineRule("share", "Component at the seed above `share` of the seed's SUV", at_seed_share),
)
"""Name to rule."""
