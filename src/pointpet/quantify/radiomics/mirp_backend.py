"""Features by MIRP (EUPL-1.2): its formulas, called below its workflow, texture on matrices that are counted here.

That workflow reads files, loads ITK and takes arrays as 1 mm voxels only; and its own matrices go through a table of
every voxel of the box once a direction, which takes seconds for a mask that spans the body.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pointpet.image.crop import bounding_box
from pointpet.quantify.radiomics.region import Region
from pointpet.quantify.radiomics.texture import DIRECTIONS, Texture

ON_SUV = ["statistics"]
ON_LEVELS = ["intensity_histogram", "intensity_volume_histogram"]
ON_SHAPE = ["morphological"]
ON_MATRICES = ["glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm"]

FAILURES = (ValueError, IndexError, KeyError, ArithmeticError, RuntimeError, np.linalg.LinAlgError)
"""What MIRP, SciPy and scikit-image raise where a region is too small for a feature (SciPy's QhullError is a
RuntimeError): the feature is then undefined."""

OTHER_CODES = {"P6QZ1": "P6QZ"}
"""Codes that MIRP spells in its own way."""


def compute(region: Region, wanted: frozenset[str]) -> dict[str, float]:
    """Values by IBSI code, of `wanted` those that MIRP knows; a feature that a region is too small for is absent."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        values: dict[str, float] = {}
        for families, image, mask in _images(region):
            features = _features(families, wanted)
            try:
                values |= _values(features, lambda one, i=image, m=mask: _computed(one, i, m))
            finally:
                for feature in features:
                    feature.clear_cache()
        features, matrices = _features(ON_MATRICES, wanted), _matrices(region)
        return values | _values(features, lambda one: _from_matrix(one, matrices))


def _features(families: list[str], wanted: frozenset[str]) -> list[Any]:
    from mirp._features.feature_generator import generate_features  # pyright: ignore[reportMissingImports]
    from mirp.settings.feature_parameters import FeatureExtractionSettingsClass  # pyright: ignore[reportMissingImports]

    settings = FeatureExtractionSettingsClass(
        by_slice=False,
        no_approximation=True,
        ibsi_compliant=True,
        base_feature_families=families,
        base_discretisation_method="none",
    )
    return [one for one in generate_features(settings=settings) if _code(one) in wanted]


def _values(features: Iterable[Any], compute_one: Callable[[Any], float | None]) -> dict[str, float]:
    values = {}
    for feature in features:
        try:
            value = compute_one(feature)
        except FAILURES:
            continue
        if value is not None:
            values[_code(feature)] = float(value)
    return values


def _code(feature: Any) -> str:
    code = getattr(feature, "ibsi_id", None) or ""
    return OTHER_CODES.get(code, code)


def _computed(feature: Any, image: Any, mask: Any) -> float | None:
    feature.compute(image=image, mask=mask)
    return feature.value


def _images(region: Region) -> Iterator[tuple[list[str], Any, Any]]:
    """Families of features, and the image and mask of MIRP's that they are computed from."""
    from mirp._images.ct_image import CTImage  # pyright: ignore[reportMissingImports]
    from mirp._images.generic_image import GenericImage  # pyright: ignore[reportMissingImports]

    box = bounding_box(region.shape)
    assert box is not None
    shape, inside = region.shape[box], region.inside[box]
    yield ON_SHAPE, *_pair(GenericImage, region.suv[box], shape, inside, region)
    # Statistics and histograms ask for values alone: a row of them saves MIRP a table of every voxel of the box.
    suv, levels = (values[region.inside].astype(np.float64)[None, None] for values in (region.suv, region.levels))
    everywhere = np.ones(suv.shape, bool)
    yield ON_SUV, *_pair(GenericImage, suv, everywhere, everywhere, region)
    # MIRP's PET class would bin by itself; its CT class takes whole numbers as the levels they are.
    yield ON_LEVELS, *_pair(CTImage, levels, everywhere, everywhere, region)


def _pair(
    kind: Any, values: NDArray[np.float64], shape: NDArray[np.bool_], inside: NDArray[np.bool_], region: Region
) -> tuple[Any, Any]:
    from mirp._masks.base_mask import BaseMask  # pyright: ignore[reportMissingImports]

    grid = {
        "image_spacing": region.spacing_mm,
        "image_origin": (0.0, 0.0, 0.0),
        "image_orientation": np.eye(3),
        "image_dimensions": shape.shape,
        "separate_slices": False,
    }
    mask = BaseMask(roi_name="region", image_data=shape, **grid)
    mask.generate_masks()
    assert mask.roi_intensity is not None
    mask.roi_intensity.set_voxel_grid(voxel_grid=inside)
    return kind(image_data=values, **grid), mask


def _matrices(region: Region) -> dict[type, Any]:
    """MIRP's matrices by the class of the features over them, filled with the counts of `Texture`."""
    from mirp._features import cm_features as cm  # pyright: ignore[reportMissingImports]
    from mirp._features import dzm_features as dzm  # pyright: ignore[reportMissingImports]
    from mirp._features import ngldm_features as ngl  # pyright: ignore[reportMissingImports]
    from mirp._features import ngtdm_features as ngt  # pyright: ignore[reportMissingImports]
    from mirp._features import rlm_features as rlm  # pyright: ignore[reportMissingImports]
    from mirp._features import szm_features as szm  # pyright: ignore[reportMissingImports]

    texture = Texture(region)
    pairs, (sizes, distances), (tones, dependences) = (
        texture.co_occurrences(),
        texture.zones(),
        texture.neighbourhoods(),
    )
    merged, whole = {"spatial_method": "3d_volume_merge"}, {"spatial_method": "3d"}
    filled = {
        cm.FeatureCM: (cm.MatrixCM(distance=1, **merged), "ijn", pairs, pairs.times.sum()),
        rlm.FeatureRLM: (rlm.MatrixRLM(**merged), ("i", "j", "rij"), texture.runs(), len(DIRECTIONS) * texture.voxels),
        szm.FeatureSZM: (szm.MatrixSZM(**whole), ("i", "j", "sij"), sizes, texture.voxels),
        dzm.FeatureDZM: (dzm.MatrixDZM(**whole), ("i", "j", "dij"), distances, texture.voxels),
        ngt.FeatureNGTDM: (ngt.MatrixNGTDM(**whole), "isn", tones, tones.times.sum()),
        ngl.FeatureNGLDM: (
            ngl.MatrixNGLDM(distance=1, coarseness=0.0, **whole),
            ("i", "j", "sij"),
            dependences,
            texture.voxels,
        ),
    }
    for matrix, columns, counts, voxels in filled.values():
        matrix.matrix, matrix.n_voxels = pd.DataFrame(dict(zip(columns, counts, strict=True))), voxels
        matrix.set_values_from_matrix(intensity_range=(1, texture.highest_level))
    return {kind: matrix for kind, (matrix, *_) in filled.items()}


def _from_matrix(feature: Any, matrices: Mapping[type, Any]) -> float | None:
    return feature._compute(matrix=next(one for kind, one in matrices.items() if isinstance(feature, kind)))
