"""When a value agrees with what IBSI published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pointpet.core import Mask, Volume
from pointpet.quantify.radiomics.catalogue import FEATURES
from pointpet.quantify.radiomics.region import Region, prepare_region
from pointpet.quantify.radiomics.settings import RadiomicsSettings

CONSENSUS_SHARE = 0.75
"""From this share of teams within 1 % of the median on, a value must be within 1 % of it too."""

CONSENSUS_TOLERANCE = 0.01

ROUNDING = 1e-6
"""A range's end is one team's value; in float32 ours may differ from it by a millionth where both are right."""


@dataclass(frozen=True)
class Consensus:
    """What the teams found: median, their number, how many lie within 1 % of the median, smallest and largest."""

    median: float
    teams: int
    within: int
    low: float
    high: float

    @property
    def is_strong(self) -> bool:
        """True where at least three quarters of the teams agree within 1 %."""
        return self.within >= CONSENSUS_SHARE * self.teams

    def accepts(self, value: float) -> bool:
        """True within 1 % of the median where most teams are, inside the teams' range elsewhere."""
        if self.is_strong:
            return abs(value - self.median) <= CONSENSUS_TOLERANCE * abs(self.median)
        slack = ROUNDING * max(abs(self.low), abs(self.high))
        return self.low - slack <= value <= self.high + slack


def matches_reference(value: float, reference: str, tolerance: float) -> bool:
    """True where `value` lies within `tolerance` of a reference value, as far as that one's digits tell.

    Args:
        value: ours. reference: as printed, three digits: 0.0397, 556, 1200. tolerance: IBSI's.
    """
    decimals = len(reference.partition(".")[2])
    rounded = max(len(reference.lstrip("-")) - 3, 0) if not decimals else 0  # 1200 is rounded to tens
    half_digit = 0.5 * 10.0 ** (rounded - decimals)
    return abs(value - float(reference)) <= (tolerance + half_digit) * (1 + 1e-9)


def reference_tag(family: str, tag: str) -> str | None:
    """The catalogue's tag of a row of the digital phantom's table; None for another aggregation than ours."""
    if "matrix" not in family:
        return tag
    if not family.endswith(("(3D)", "(3D, merged)")):
        return None
    return re.sub(r"_3D(_comb)?$", "", tag)


def phantom_region(volume: Volume, mask: Mask) -> Region:
    """The digital phantom as IBSI has it: not resampled, its values the grey levels."""
    region = prepare_region(volume, mask, RadiomicsSettings(spacing_mm=None))
    assert region is not None
    return replace(region, levels=np.rint(region.suv).astype(np.int32))


def by_tag(values: Mapping[str, float]) -> dict[str, float]:
    """Values by IBSI code as values by the catalogue's tag."""
    return {feature.tag: values.get(feature.code, np.nan) for feature in FEATURES}
