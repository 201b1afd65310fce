"""Features by pictologics (Apache-2.0), for Python 3.12 and later."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from pointpet.quantify.radiomics.region import Region

FAILURES = (ValueError, IndexError, KeyError, ArithmeticError, RuntimeError, np.linalg.LinAlgError)

OTHER_CODES = {
    "P001": "5QRC",
    "BC2M_10": "NK6P",
    "BC2M_90": "4279",
    "DDTU": "WITY",
    "GBPN_10": "PWN1",
    "GBPN_90": "BOHI",
    "CNV2": "JXJA",
}
"""Codes that pictologics spells in its own way: the general code of the histogram's features, where IBSI lists each
under its own (reference manual, tables of the digital phantom)."""


VOLUME_FRACTIONS = ("BC2M_10", "BC2M_90", "DDTU")


def compute(region: Region, wanted: frozenset[str]) -> dict[str, float]:
    """Values by IBSI code, of `wanted` those pictologics knows; a family that a region is too small for is absent."""
    values: dict[str, float] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for family in _families(region):
            try:
                values |= _by_code(family())
            except FAILURES:
                continue
    values |= _percentiles(region)
    return {code: value for code, value in values.items() if code in wanted}


def _percentiles(region: Region) -> dict[str, float]:
    """What follows from percentiles, interpolated between ranks, as most teams of IBSI and MIRP have it.

    pictologics takes the nearest rank, which differs by up to 0.5 % in small tumours, and gives one percentile of the
    grey levels only.
    """
    suv, levels = region.suv[region.inside], region.levels[region.inside]
    p10, p25, p75, p90 = (float(value) for value in np.percentile(suv, (10, 25, 75, 90)))
    middle = suv[(suv >= p10) & (suv <= p90)]
    low, high = (float(value) for value in np.percentile(levels, (10, 90)))
    return {
        "QG58": p10,
        "8DWT": p90,
        "SALO": p75 - p25,
        "9S40": (p75 - p25) / (p75 + p25) if p75 + p25 > 0 else np.nan,
        "1128": float(np.abs(middle - middle.mean()).mean()) if middle.size else np.nan,
        "GPMT": low,
        "OZ0C": high,
    }


def _families(region: Region) -> list[Callable[[], Mapping[str, float]]]:
    with _no_warm_up():
        from pictologics.features import (  # pyright: ignore[reportMissingImports]
            intensity,
            morphology,
            texture,
        )
        from pictologics.loader import Image  # pyright: ignore[reportMissingImports]

    grid: dict[str, Any] = {"spacing": region.spacing_mm, "origin": (0.0, 0.0, 0.0)}
    image = Image(array=region.suv, **grid)
    shape = Image(array=region.shape.astype(np.uint8), **grid)
    inside = Image(array=region.inside.astype(np.uint8), **grid)
    levels = region.levels[region.inside].astype(np.float64)
    top = int(levels.max())
    return [
        lambda: morphology.calculate_morphology_features(shape, image, inside),
        lambda: intensity.calculate_intensity_features(region.suv[region.inside]),
        lambda: intensity.calculate_intensity_histogram_features(levels, top),
        # Half a level lower, the intensities at a volume fraction are levels and not the middles between them. The
        # volume fractions come from the second call: with a bin width their thresholds are rounded down to a level.
        lambda: intensity.calculate_ivh_features(levels, bin_width=1.0, min_val=0.5),
        lambda: {
            name: value
            for name, value in intensity.calculate_ivh_features(levels).items()
            if name.endswith(VOLUME_FRACTIONS)
        },
        lambda: texture.calculate_all_texture_features(region.levels, inside.array, top, shape.array),
    ]


@contextmanager
def _no_warm_up() -> Iterator[None]:
    """Keep pictologics from compiling everything it has, minutes of work on its first import, filters included."""
    name = "PICTOLOGICS_DISABLE_WARMUP"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _by_code(values: Mapping[str, float]) -> dict[str, float]:
    """Values by IBSI code: what follows the last underscore, or the last two before a percentage."""
    found = {}
    for name, value in values.items():
        parts = name.split("_")
        code = "_".join(parts[-2:]) if parts[-1] in ("10", "90") else parts[-1]
        found[OTHER_CODES.get(code, code)] = float(value)
    return found
