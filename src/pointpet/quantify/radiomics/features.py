"""The radiomic features of a mask, whatever library computes them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np

from pointpet.core import FeatureTable, Mask, MissingExtraError, Volume
from pointpet.quantify.radiomics.catalogue import FEATURES
from pointpet.quantify.radiomics.region import Region, prepare_region
from pointpet.quantify.radiomics.settings import RadiomicsSettings
from pointpet.quantify.radiomics.spatial import SPATIAL_CODES, autocorrelation_features, peak_features

BACKENDS = ("pictologics", "mirp")
"""In the order of preference; pictologics needs Python 3.12."""


@dataclass(frozen=True)
class Backend:
    """The library that computes the features, and its version."""

    name: str
    version: str


def radiomics_backend() -> Backend:
    """The library that `radiomic_features` takes here.

    Raises:
        MissingExtraError: none is installed.
    """
    for name in BACKENDS:
        if find_spec(name) is not None:
            try:
                return Backend(name, version(name))
            except PackageNotFoundError:
                continue
    raise MissingExtraError(
        "PP-EXTRA-RADIOMICS",
        "radiomics",
        f"needs {' or '.join(BACKENDS)}, and Python {sys.version_info[0]}.{sys.version_info[1]} has none",
        "Install pointpet[radiomics]",
    )


def radiomic_features(volume: Volume, mask: Mask, settings: RadiomicsSettings, case_id: str = "") -> FeatureTable:
    """All features of `catalogue.FEATURES` for one mask, one row.

    NaN stands where a feature is undefined: all of an empty mask or of one that resampling leaves empty, and of a
    very small one those that need more voxels (autocorrelation of one voxel, correlation of one grey level).

    Args:
        volume: SUV (X, Y, Z). mask: on the volume's grid. settings: of resampling and grey levels.
        case_id: the row's name.

    Raises:
        GeometryError: the mask lies on another grid. MissingExtraError: no library is installed.
    """
    backend = radiomics_backend()
    region = prepare_region(volume, mask, settings)
    values = {} if region is None else region_values(region, backend.name)
    return FeatureTable(
        case_ids=(case_id,),
        names=tuple(feature.name for feature in FEATURES),
        units=tuple(feature.unit for feature in FEATURES),
        ibsi_codes=tuple(feature.code for feature in FEATURES),
        values=np.array([[values.get(feature.code, np.nan) for feature in FEATURES]]),
    )


def region_values(region: Region, backend: str) -> dict[str, float]:
    """Values by IBSI code of a region that is resampled and discretised already; an infinite one is NaN."""
    compute: Callable[[Region, frozenset[str]], dict[str, float]] = import_module(
        f"pointpet.quantify.radiomics.{backend}_backend"
    ).compute
    wanted = frozenset(feature.code for feature in FEATURES) - SPATIAL_CODES
    values = compute(region, wanted) | peak_features(region) | autocorrelation_features(region)
    return {code: value if np.isfinite(value) else np.nan for code, value in values.items()}
