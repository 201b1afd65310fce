"""SUV statistics and radiomics of masks."""

from __future__ import annotations

from dataclasses import asdict, fields

from pointpet.core import Mask, Volume
from pointpet.quantify.radiomics import RadiomicsSettings
from pointpet.quantify.suv_statistics import SuvSummary, suv_summary

SUV_COLUMNS = tuple(item.name for item in fields(SuvSummary))


def feature_columns() -> tuple[str, ...]:
    """Names of the features of `mask_features`, in order."""
    return SUV_COLUMNS


def mask_features(volume: Volume, mask: Mask, settings: RadiomicsSettings) -> dict[str, float]:  # noqa: ARG001
    """SUV statistics and radiomics of one mask, by column name; NaN where undefined.

    Args:
        volume: SUV (X, Y, Z). mask: on the volume's grid, may be empty. settings: of the radiomics.

    Raises:
        GeometryError: the mask lies on another grid.
    """
    return {name: float(value) for name, value in asdict(suv_summary(volume, mask)).items()}
