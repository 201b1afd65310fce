"""A trained model on scans in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointpet.core import ActivationMap, Flag, Lesion, Mask, MipPair, Plane, SuvError, Unit, Volume
from pointpet.methods.base import FittedMethod
from pointpet.pipeline import model_loading
from pointpet.pipeline.confidence import FILE as CONFIDENCE
from pointpet.pipeline.confidence import Calibration, case_confidence, load_calibration
from pointpet.pipeline.predict import predict_volume
from pointpet.pipeline.shipped import find_model


@dataclass(frozen=True, eq=False)
class ScanResult:
    """What a model says of a scan.

    Args:
        mask: (X, Y, Z) on the scan's grid.
        predicted: the likeliest class; None for methods that do not classify.
        probabilities: class name to probability.
        confidence: how probably class and place are right, calibrated on training cases; None where the model has no
            calibration. probabilities_calibrated: class name to calibrated probability; empty likewise.
        lesions: one a connected component, the main one first.
        flags: reasons for a human to look.
        maps: plane to activation map of the predicted class.
        mips: the projections that the model saw.
        hull: the back-projected hull without any SUV rule; None for methods without maps.
    """

    mask: Mask
    predicted: str | None
    probabilities: Mapping[str, float]
    lesions: tuple[Lesion, ...]
    flags: tuple[Flag, ...]
    maps: Mapping[Plane, ActivationMap]
    mips: MipPair
    hull: Mask | None
    confidence: float | None = None
    probabilities_calibrated: Mapping[str, float] = field(default_factory=dict)


class Model:
    """A trained model. `load_model` reads one; a fitted `WeakDetector` has one as `model_`.

    Args:
        fitted: the method, trained.
        record: what model.json holds; at least `method`, `preprocessing` and `cohort`.
        calibration: what gives its answers their confidence; None where it has none.
    """

    def __init__(self, fitted: FittedMethod, record: Mapping[str, Any], calibration: Calibration | None = None) -> None:
        self.fitted = fitted
        self.record = record
        self.calibration = calibration

    def __repr__(self) -> str:
        trained = " trained on phantoms" if model_loading.is_phantom_trained(self.record) else ""
        return f"<pointpet model: {self.method}{trained}>"

    @property
    def method(self) -> str:
        """Name of the method that trained it."""
        return str(self.record["method"])

    def predict(self, volume: Volume) -> ScanResult:
        """Class, 3D mask, lesions and flags of a scan.

        Args:
            volume: (X, Y, Z) in SUVbw, from `read_pet`.

        Raises:
            SuvError: the volume is not in SUV.
        """
        if volume.unit is not Unit.SUVBW:
            raise SuvError("PP-API-UNIT", "volume", f"must be in g/mL (SUVbw), got {volume.unit}", "Convert it first")
        found = predict_volume(self.fitted, self.record, volume)
        prediction = found.prediction
        assert prediction.mask is not None
        return ScanResult(
            mask=prediction.mask,
            predicted=prediction.predicted,
            probabilities=prediction.probabilities,
            lesions=found.lesions,
            flags=prediction.flags,
            maps=prediction.maps,
            mips=found.mips,
            hull=prediction.hull,
            **case_confidence(self.calibration, prediction),
        )

    def save(self, folder: str | Path) -> None:
        """Write the model folder: weights.safetensors, model.json, MODEL_CARD.md, and confidence.json where it has a
        calibration; one that is there is replaced."""
        (Path(folder) / CONFIDENCE).unlink(missing_ok=True)
        if self.calibration is not None:
            self.calibration.save(Path(folder))
        self.fitted.save(Path(folder))


def load_model(model: str | Path) -> Model:
    """Read a trained model.

    Args:
        model: the folder that `pointpet train` wrote, or `demo`, which comes with the package: trained on phantoms, to
            try the tool, not for patients.

    Raises:
        ModelError: missing, damaged, foreign. MissingExtraError: what runs it is not installed.
    """
    folder = find_model(model)
    return Model(*model_loading.load_model(folder), load_calibration(folder))
