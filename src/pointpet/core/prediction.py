"""What a method says of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pointpet.core.mip import ActivationMap, Plane
from pointpet.core.volume import Mask


class Flag(StrEnum):
    """Quality-control flags: each is a reason for a human to look."""

    EMPTY = "empty"
    """No voxel was selected."""
    MAP_EMPTY = "map_empty"
    """A view's activation map has no positive value."""
    MAPS_DISAGREE = "maps_disagree_on_z"
    """The two views' peaks lie at different heights."""
    LOW_PROBABILITY = "low_class_probability"
    """The predicted class is hardly likelier than the others."""
    HULL_AT_BORDER = "hull_touches_border"
    """The hull reaches the edge of the field of view."""
    COLD_POINT = "cold_point"
    """The click lies on low uptake: it may mark a necrotic core, a second click is wanted."""
    LARGE = "large_mask"
    """The mask is larger than tumours usually are; it may have leaked into an organ."""
    MAPS_BLIND = "maps_blind"
    """Neither view's activation map shows a lesion that was outlined: uptake and candidates alone speak for it."""
    UNLIKE_TRAINING = "unlike_training"
    """What was outlined looks less like a lesion than those of nearly all training cases: another disease, perhaps."""
    PHANTOM_MODEL = "phantom_trained_model"
    """The model was trained on digital phantoms: to try the tool, not for patients."""


@dataclass(frozen=True)
class Lesion:
    """One connected component of a mask.

    Args:
        number: 1 for the main lesion, then by TLG.
        centroid_mm, peak_mm: world RAS+ mm: centre of mass of the component, its hottest voxel.
        mtv_ml: metabolic tumour volume. tlg_g: total lesion glycolysis, SUVmean x MTV.
        suv_max, suv_mean, suv_peak: g/mL; SUVpeak is the highest mean in a 1 mL sphere.
    """

    number: int
    centroid_mm: tuple[float, float, float]
    peak_mm: tuple[float, float, float]
    mtv_ml: float
    tlg_g: float
    suv_max: float
    suv_mean: float
    suv_peak: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """A method's answer for one case.

    Args:
        case_id: the case.
        probabilities: class name to probability; empty for methods that do not classify.
        predicted: the likeliest class, None for methods that do not classify.
        maps: plane to activation map of the predicted class; empty for methods without maps.
        mask: final 3D mask on the PET's grid; None for ready-made pictures.
        hull: back-projected hull without any SUV rule; None for methods without maps.
        picture_masks: plane to (U, Z) bool, the 2D segmentation; for ready-made pictures.
        seeds_mm: (N, 3) world RAS+ mm of the voxels the mask was grown from.
        flags: quality-control flags, in the order of `Flag`.
    """

    case_id: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
    predicted: str | None = None
    maps: Mapping[Plane, ActivationMap] = field(default_factory=dict)
    mask: Mask | None = None
    hull: Mask | None = None
    picture_masks: Mapping[Plane, NDArray[np.bool_]] = field(default_factory=dict)
    seeds_mm: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    flags: tuple[Flag, ...] = ()
