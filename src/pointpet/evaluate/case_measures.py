"""All measures of one prediction: a row of tables/segmentation.csv."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Mask, Plane, Prediction
from pointpet.evaluate.detection import detect
from pointpet.evaluate.overlap import Overlap, compare_masks, compare_pictures, dice, require_shapes_match

MEASURES = (
    "dice",
    "dice_hull",
    "nsd_2mm",
    "hd95_mm",
    "sensitivity",
    "fp_ml",
    "fn_ml",
    "hit",
    "hit_strict",
    "distance_mm",
    "mtv_ml",
    "mtv_true_ml",
    "dice_coronal",
    "dice_sagittal",
    "fp_cm2",
    "fn_cm2",
)
"""Names of the measures, in the order of the columns."""

Pictures = Mapping[Plane, NDArray[np.bool_]]


def measure_case(
    prediction: Prediction,
    truth: Mask | None,
    truth_pictures: Pictures,
    *,
    predicted_pictures: Pictures | None = None,
    lesion_free: bool = False,
    pixel_mm: float | None = None,
) -> dict[str, float | None]:
    """Measure one prediction; None where a measure is not defined.

    Args:
        prediction: the method's answer.
        truth: 3D reference mask on the prediction's grid; None where there is none.
        truth_pictures: plane to (U, Z) bool: the truth as projected, or the 2D truth of ready-made pictures.
        predicted_pictures: plane to (U, Z) bool: the predicted mask as projected; `prediction.picture_masks` if absent.
        lesion_free: the case belongs to a class without lesions: everything predicted is false positive, and `truth`
            may be None.
        pixel_mm: pixel size of the pictures; that of the prediction's maps if absent.

    Returns:
        `MEASURES` in their order. With a 3D truth, Dice to `fn_ml` are 3D. With 2D truth alone, Dice, NSD and
        sensitivity are the mean over the views, HD95 the larger one, volumes are None, and `fp_cm2` and `fn_cm2`, the
        area predicted outside the truth and the true area missed, sum the views. A truth without a voxel leaves all
        None but `fp_ml` (of pictures `fp_cm2`) and the volumes.

    Raises:
        GeometryError: prediction and truth differ in grid or shape.
    """
    measures: dict[str, float | None] = dict.fromkeys(MEASURES)
    pictures = prediction.picture_masks if predicted_pictures is None else predicted_pictures
    if prediction.mask is not None:
        measures["mtv_ml"] = prediction.mask.volume_ml
    edge_mm = pixel_mm or _map_pixel_mm(prediction)
    if lesion_free and prediction.mask is None:
        return measures | _areas(pictures, {plane: np.zeros_like(found) for plane, found in pictures.items()}, edge_mm)
    if lesion_free:
        return measures | {"fp_ml": measures["mtv_ml"], "fn_ml": _zero_if(prediction.mask), "mtv_true_ml": 0.0}
    if truth is not None:
        measures |= _solid_measures(prediction, truth)
    else:
        measures |= _flat_measures(pictures, truth_pictures, edge_mm)
    found = detect(prediction.maps, truth_pictures)
    if found is not None:
        measures["hit"] = float(found.hit)
        measures["hit_strict"] = float(found.hit_strict)
        measures["distance_mm"] = found.distance_mm
    return measures | {f"dice_{plane}": _picture_dice(pictures, truth_pictures, plane) for plane in Plane}


def _zero_if(mask: Mask | None) -> float | None:
    return None if mask is None else 0.0


def _solid_measures(prediction: Prediction, truth: Mask) -> dict[str, float | None]:
    measures: dict[str, float | None] = {"mtv_true_ml": truth.volume_ml}
    if prediction.hull is not None:
        measures["dice_hull"] = dice(prediction.hull, truth)
    if prediction.mask is not None:
        scores = compare_masks(prediction.mask, truth)
        measures |= _overlap_columns(scores) | {"fp_ml": scores.fp_ml, "fn_ml": scores.fn_ml}
    return measures


def _flat_measures(pictures: Pictures, truth_pictures: Pictures, pixel_mm: float | None) -> dict[str, float | None]:
    scores = [
        compare_pictures(pictures[plane], truth_pictures[plane], pixel_mm or 1.0)
        for plane in Plane
        if plane in pictures and plane in truth_pictures and np.any(truth_pictures[plane])
    ]
    if not scores:
        return {}
    measures: dict[str, float | None] = {
        "dice": float(np.mean([score.dice or 0.0 for score in scores])),
        "sensitivity": float(np.mean([score.sensitivity or 0.0 for score in scores])),
    }
    if pixel_mm is not None:
        measures["nsd_2mm"] = float(np.mean([score.nsd or 0.0 for score in scores]))
        measures["hd95_mm"] = max(score.hd95_mm or 0.0 for score in scores)
    return measures | _areas(pictures, truth_pictures, pixel_mm)


def _areas(pictures: Pictures, truth_pictures: Pictures, pixel_mm: float | None) -> dict[str, float | None]:
    """Area predicted outside the truth and true area missed, cm², over the views that have both."""
    planes = [plane for plane in Plane if plane in pictures and plane in truth_pictures]
    if not planes or pixel_mm is None:
        return {}
    pairs = [(pictures[plane], truth_pictures[plane]) for plane in planes]
    pixel_cm2 = pixel_mm**2 / 100
    excess = sum(np.count_nonzero(found & ~true) for found, true in pairs)
    missed = sum(np.count_nonzero(true & ~found) for found, true in pairs)
    return {"fp_cm2": excess * pixel_cm2, "fn_cm2": missed * pixel_cm2}


def _overlap_columns(scores: Overlap) -> dict[str, float | None]:
    return {
        "dice": scores.dice,
        "nsd_2mm": scores.nsd,
        "hd95_mm": scores.hd95_mm,
        "sensitivity": scores.sensitivity,
    }


def _picture_dice(pictures: Pictures, truth_pictures: Pictures, plane: Plane) -> float | None:
    if plane not in pictures or plane not in truth_pictures:
        return None
    found, true = pictures[plane], truth_pictures[plane]
    require_shapes_match(f"{plane} predicted picture mask", found.shape, true.shape)
    size = np.count_nonzero(true)
    return float(2.0 * np.count_nonzero(found & true) / (size + np.count_nonzero(found))) if size else None


def _map_pixel_mm(prediction: Prediction) -> float | None:
    return next((activation.pixel_mm for activation in prediction.maps.values()), None)
