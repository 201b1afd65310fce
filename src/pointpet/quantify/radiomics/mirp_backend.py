"""Features by MIRP (EUPL-1.2). Its classes are called below its workflow: that one reads files, loads ITK and takes
arrays as 1 mm voxels only."""

from __future__ import annotations

import warnings

import numpy as np

from pointpet.quantify.radiomics.region import Region

ON_SUV = ["morphological", "statistics"]
ON_LEVELS = [
    "intensity_histogram",
    "intensity_volume_histogram",
    "glcm",
    "glrlm",
    "glszm",
    "gldzm",
    "ngtdm",
    "ngldm",
]

FAILURES = (ValueError, IndexError, KeyError, ArithmeticError, RuntimeError, np.linalg.LinAlgError)
"""What MIRP, SciPy and scikit-image raise where a region is too small for a feature (SciPy's QhullError is a
RuntimeError): the feature is then undefined."""

OTHER_CODES = {"P6QZ1": "P6QZ"}
"""Codes that MIRP spells in its own way."""


def compute(region: Region, wanted: frozenset[str]) -> dict[str, float]:
    """Values by IBSI code, of `wanted` those that MIRP knows; a feature that a region is too small for is absent."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return _family_values(region, ON_SUV, wanted) | _family_values(region, ON_LEVELS, wanted)


def _family_values(region: Region, families: list[str], wanted: frozenset[str]) -> dict[str, float]:
    from mirp._features.feature_generator import generate_features  # pyright: ignore[reportMissingImports]
    from mirp._images.ct_image import CTImage  # pyright: ignore[reportMissingImports]
    from mirp._images.generic_image import GenericImage  # pyright: ignore[reportMissingImports]
    from mirp._masks.base_mask import BaseMask  # pyright: ignore[reportMissingImports]
    from mirp.settings.feature_parameters import FeatureExtractionSettingsClass  # pyright: ignore[reportMissingImports]

    grid = {
        "image_spacing": region.spacing_mm,
        "image_origin": (0.0, 0.0, 0.0),
        "image_orientation": np.eye(3),
        "image_dimensions": region.shape.shape,
        "separate_slices": False,
    }
    # MIRP's PET class would bin by itself; its CT class takes whole numbers as the levels they are.
    image = (
        GenericImage(image_data=region.suv, **grid)
        if families is ON_SUV
        else CTImage(image_data=region.levels.astype(np.float64), **grid)
    )
    mask = BaseMask(roi_name="region", image_data=region.shape, **grid)
    mask.generate_masks()
    assert mask.roi_intensity is not None
    mask.roi_intensity.set_voxel_grid(voxel_grid=region.inside)
    settings = FeatureExtractionSettingsClass(
        by_slice=False,
        no_approximation=True,
        ibsi_compliant=True,
        base_feature_families=families,
        base_discretisation_method="none",
    )
    features = [one for one in generate_features(settings=settings) if _code(one) in wanted]
    values = {}
    previous = None
    try:
        for feature in features:
            if previous is not None:
                previous.clear_local_cache(other=feature)
            previous = feature
            try:
                feature.compute(image=image, mask=mask)
            except FAILURES:
                continue
            if feature.value is not None:
                values[_code(feature)] = float(feature.value)
    finally:
        for feature in features:
            feature.clear_cache()
    return values


def _code(feature: object) -> str:
    code = getattr(feature, "ibsi_id", None) or ""
    return OTHER_CODES.get(code, code)
