"""A trained model on ready-made MIP images: everything is two-dimensional, and no SUV is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from pointpet._version import __version__
from pointpet.core import Case, MipPair, OutputError, Plane, Prediction, to_picture
from pointpet.io.mip_pictures import read_mip_pictures
from pointpet.methods.base import CaseInput, FittedMethod
from pointpet.pipeline.confidence import Calibration, case_confidence
from pointpet.pipeline.config import PrepareSettings


def require_picture_formats(case: Case, formats: Sequence[str]) -> None:
    """Stop where a format is asked for that needs a volume.

    Raises:
        OutputError: any but `nifti`, in whose place a picture has PNG masks.
    """
    wanted = [name for name in formats if name != "nifti"]
    if wanted:
        raise OutputError(
            "PP-FORMAT-PICTURE",
            f"case {case.case_id}",
            f"has ready-made MIP images, which cannot be written as {', '.join(wanted)}",
            "Leave out --formats, or give the PET",
        )


def predict_pictures(
    fitted: FittedMethod, record: Mapping[str, Any], case: Case, *, calibration: Calibration | None = None
) -> tuple[dict[str, Any], Prediction, MipPair]:
    """Predict a case with ready-made pictures.

    Args:
        record: model.json's. calibration: the model's, which gives the answer its confidence.

    Returns:
        What result.json holds, the prediction itself, and the MIPs it was made from.

    Raises:
        ImageReadError: a picture cannot be read.
        GeometryError: the model needs a volume, or cannot see pictures of that pixel size.
    """
    settings = PrepareSettings(**record["preprocessing"])
    reading = read_mip_pictures(case, by_body=settings.picture_suv == "body")
    prediction = fitted.predict(CaseInput(case.case_id, case.case_id, mips=reading.mips))
    result = {
        "case_id": case.case_id,
        "pointpet_version": __version__,
        "method": record["method"],
        "model_sha256": record["weights_sha256"],
        "predicted": prediction.predicted,
        "probabilities": dict(prediction.probabilities),
        **case_confidence(calibration, prediction),
        "flags": [flag.value for flag in prediction.flags],
        "lesions": [],
        "views": {plane.value: view_facts(prediction, plane, reading.mips.pixel_mm) for plane in reading.mips.planes},
        "warnings": [str(warning) for warning in reading.warnings],
        "suv_notes": [],
    }
    return result, prediction, reading.mips


def view_facts(prediction: Prediction, plane: Plane, pixel_mm: float) -> dict[str, Any]:
    """A view's mask in figures: components, area, and where the map's peak lies in the picture (None: no map)."""
    mask = prediction.picture_masks[plane]
    _, count = cc3d.connected_components(mask, connectivity=8, return_N=True)
    peak = _peak_pixel(prediction, plane)
    return {
        "lesions": int(count),
        "area_cm2": round(float(np.count_nonzero(mask)) * pixel_mm**2 / 100, 3),
        "peak_row": None if peak is None else peak[0],
        "peak_col": None if peak is None else peak[1],
    }


def _peak_pixel(prediction: Prediction, plane: Plane) -> tuple[int, int] | None:
    activation = prediction.maps.get(plane)
    if activation is None or activation.values.max() <= 0:
        return None
    picture: NDArray = to_picture(activation.values)
    row, column = np.unravel_index(int(np.argmax(picture)), picture.shape)
    return int(row), int(column)


def input_cells(result: Mapping[str, Any]) -> dict[str, Any]:
    """Which input a case comes from, as summary.csv says it; blank in what an earlier version left."""
    given = result.get("input", {})
    return {"input": given.get("number"), "input_name": given.get("name")}


def picture_summary_row(result: Mapping[str, Any]) -> dict[str, Any]:
    """One row of summary.csv: class, number of components in the view that shows most, flags; no volume and no SUV."""
    blank = ("suv_max", "suv_mean", "suv_peak", "mtv_ml", "tlg_g", "x_mm", "y_mm", "z_mm")
    return {
        "case_id": result["case_id"],
        **input_cells(result),
        "predicted": result["predicted"],
        **{f"probability_{name}": value for name, value in result["probabilities"].items()},
        "confidence": result.get("confidence"),
        "lesions": max(view["lesions"] for view in result["views"].values()),
        **dict.fromkeys(blank),
        "flags": " ".join(result["flags"]),
        "warnings": len(result["warnings"]),
    }
