"""A trained model on scans in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointpet.core import ActivationMap, Flag, Lesion, Mask, MipPair, Plane, SuvError, Unit, Volume
from pointpet.methods.base import FittedMethod
from pointpet.pipeline import predict as pipeline
from pointpet.pipeline.shipped import find_model


@dataclass(frozen=True, eq=False)
class ScanResult:
    """What a model says of a scan.

    Args:
        mask: (X, Y, Z) on the scan's grid.
        predicted: the likeliest class; None for methods that do not classify.
        probabilities: class name to probability.
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


class Model:
    """A trained model. `load_model` reads one; a fitted `WeakDetector` has one as `model_`.

    Args:
        fitted: the method, trained.
        record: what model.json holds; at least `method`, `preprocessing` and `cohort`.
    """

    def __init__(self, fitted: FittedMethod, record: Mapping[str, Any]) -> None:
        self.fitted = fitted
        self.record = record

    def __repr__(self) -> str:
        trained = " trained on phantoms" if pipeline.is_phantom_trained(self.record) else ""
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
        found = pipeline.predict_volume(self.fitted, self.record, volume)
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
        )

    def save(self, folder: str | Path) -> None:
        """Write the model folder: weights.safetensors, model.json, MODEL_CARD.md; one that is there is replaced."""
        self.fitted.save(Path(folder))


def load_model(model: str | Path) -> Model:
    """Read a trained model.

    Args:
        model: the folder that `pointpet train` wrote, or `demo`, which comes with the package: trained on phantoms, to
            try the tool, not for patients.

    Raises:
        ModelError: missing, damaged, foreign. MissingExtraError: what runs it is not installed.
    """
    return Model(*pipeline.load_model(find_model(model)))
