"""Confidence of answers: calibrated on the part of the training cases that no weight was learnt from.

What a method says of those cases is held against what its training may know of them: the class, and where it is given
points or masks, whether the lesion was found. No test case, and nothing a method is not given, enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Lesion, ModelError, OutputError, Prediction, to_picture
from pointpet.evaluate.confidence import Scaling, fit_scaling, fit_temperature, tempered
from pointpet.evaluate.detection import HIT_TOLERANCE_MM
from pointpet.io.artefacts import read_json, write_json
from pointpet.localise.certainty import case_certainty, lesion_certainties
from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Method
from pointpet.methods.held_out import HoldsOut

FILE = "confidence.json"
"""Beside the model that it belongs to."""

FOUND, NAMED = "class right and lesion found", "class right"


@dataclass(frozen=True)
class Calibration:
    """How a model's certainties become probabilities.

    Args:
        scaling: certainty to confidence. temperature: of its class probabilities.
        event: what the confidence is the probability of: `FOUND`, or `NAMED` where training knows no place.
    """

    scaling: Scaling
    temperature: float
    event: str

    def case_entries(self, prediction: Prediction) -> dict[str, Any]:
        """`confidence` and the calibrated class probabilities, for result.json."""
        certainty = case_certainty(prediction)
        return {
            "confidence": None if certainty is None else float(self.scaling(certainty)),
            "probabilities_calibrated": tempered(prediction.probabilities, self.temperature),
        }

    def lesion_confidences(self, lesions: Sequence[Any], prediction: Prediction) -> list[float | None]:
        """Confidence of each lesion, in their order."""
        raw = lesion_certainties(lesions, prediction.maps, case_certainty(prediction))
        return [None if value is None else float(self.scaling(value)) for value in raw]

    def save(self, folder: Path) -> None:
        """Write confidence.json."""
        write_json(folder / FILE, asdict(self))


def case_confidence(calibration: Calibration | None, prediction: Prediction) -> dict[str, Any]:
    """`Calibration.case_entries`; null and empty without a calibration."""
    if calibration is None:
        return {"confidence": None, "probabilities_calibrated": {}}
    return calibration.case_entries(prediction)


def lesions_with_confidence(
    calibration: Calibration | None, lesions: Sequence[Lesion], prediction: Prediction
) -> list[dict[str, Any]]:
    """The lesions as result.json holds them, each with its `confidence`; null without a calibration."""
    known = [None] * len(lesions) if calibration is None else calibration.lesion_confidences(lesions, prediction)
    return [asdict(lesion) | {"confidence": value} for lesion, value in zip(lesions, known, strict=True)]


def load_calibration(folder: Path) -> Calibration | None:
    """Read confidence.json of a model; None where it has none.

    Raises:
        ModelError: it is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        record = read_json(path)
        return Calibration(Scaling(**record["scaling"]), float(record["temperature"]), str(record["event"]))
    except (OutputError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            "PP-MODEL-CONFIDENCE",
            f"model {folder.name}",
            f"{FILE} must hold scaling, temperature and event, and does not",
            "Copy the whole folder again, or train the model again; without the file answers have no confidence",
        ) from error


def calibrate(
    method: Method, fitted: FittedMethod, training: Sequence[CaseInput], context: FitContext
) -> Calibration | None:
    """Fit on the training cases that `method` kept back to choose its epoch.

    None where it keeps none back, or cannot do without them.

    Args:
        fitted: what `method.fit(training, context)` gave.
    """
    if not isinstance(method, HoldsOut):
        return None
    held = method.held_out(training, context)
    blinded = method.blinded(fitted, training, context) if held else fitted
    return None if blinded is None else calibrate_on(blinded, [case for case in training if case.case_id in held])


def calibrate_on(fitted: FittedMethod, held_out: Sequence[CaseInput]) -> Calibration | None:
    """Fit on `held_out`, cases with what the method is given in training; None without cases that it classifies."""
    answers = [(fitted.predict(_unannotated(case)), case) for case in held_out]
    answers = [(prediction, case) for prediction, case in answers if prediction.probabilities]
    if not answers:
        return None
    classes = list(answers[0][0].probabilities)
    placed = [(prediction, case) for prediction, case in answers if _knows_place(case)]
    event, judged = (FOUND, placed) if placed else (NAMED, answers)
    scaling = fit_scaling(
        [case_certainty(prediction) or 0.0 for prediction, _ in judged],
        [prediction.predicted == case.label and _found(prediction, case) for prediction, case in judged],
    )
    temperature = fit_temperature(
        np.array([[prediction.probabilities[name] for name in classes] for prediction, _ in answers]),
        [classes.index(case.label) for _, case in answers if case.label is not None],
    )
    assert scaling is not None
    assert temperature is not None
    return Calibration(scaling, temperature, event)


def _unannotated(case: CaseInput) -> CaseInput:
    """A case as at test time."""
    return CaseInput(
        case.case_id,
        case.patient_id,
        mips=case.mips,
        load_volume=case.load_volume,
        load_candidates=case.load_candidates,
    )


def _knows_place(case: CaseInput) -> bool:
    return len(case.points_mm) > 0 or any(map(len, case.pixels.values())) or case.load_mask is not None


def _found(prediction: Prediction, case: CaseInput) -> bool:
    """True where the predicted mask meets the true one, or comes within a hit's tolerance of a click."""
    if not _knows_place(case):
        return True
    if prediction.mask is None:
        return _found_in_pictures(prediction, case)
    if not prediction.mask.voxels.any():
        return False
    if case.load_mask is not None:
        return bool((prediction.mask.voxels & case.load_mask().voxels).any())
    return _nearest(prediction.mask.grid.world(np.argwhere(prediction.mask.voxels)), case.points_mm) <= HIT_TOLERANCE_MM


def _found_in_pictures(prediction: Prediction, case: CaseInput) -> bool:
    """The same for ready-made pictures: in every view that has a click."""
    pixel_mm = case.mips.pixel_mm if case.mips is not None else 1.0
    seen = [
        (np.argwhere(to_picture(mask)), case.pixels[plane])
        for plane, mask in prediction.picture_masks.items()
        if len(case.pixels.get(plane, ()))
    ]
    return bool(seen) and all(
        len(inside) > 0 and _nearest(inside, clicks) * pixel_mm <= HIT_TOLERANCE_MM for inside, clicks in seen
    )


def _nearest(inside: NDArray, clicks: NDArray) -> float:
    """Shortest distance between two sets of points, (M, D) and (N, D)."""
    return min(float(np.linalg.norm(inside - click, axis=1).min()) for click in clicks)
