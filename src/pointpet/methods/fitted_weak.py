"""A trained network at work: its activation maps, with the forest of candidates where there is one, become a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pointpet.core import Flag, Mask, ModelError, Prediction
from pointpet.io.model_folder import read_onnx
from pointpet.localise.agreement import weighted_maps
from pointpet.localise.localise import localise
from pointpet.localise.pictures import localise_pictures, picture_flags
from pointpet.localise.quality import in_order
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import CaseInput
from pointpet.methods.evidence import Evidence, mapped_with_lesions, with_candidates
from pointpet.methods.stored import CORRECTION, NO_FOREST, FittedForest, StorableNetwork, read_stored, store

if TYPE_CHECKING:
    from pointpet.core import MipPair
    from pointpet.learn.activation import Activation


def corrected(mips: MipPair, correction: float) -> MipPair:
    """Ready-made pictures with their pixel size corrected; MIPs of a volume as they are."""
    if correction == 1.0 or mips.origin_mm is not None:
        return mips
    return replace(mips, pixel_mm=mips.pixel_mm * correction)


def require_mips(case: CaseInput) -> MipPair:
    """The case's MIPs.

    Raises:
        ModelError: it has none.
    """
    if case.mips is None:
        raise ModelError("PP-MODEL-INPUT", case.case_id, "needs MIPs, got none", "Prepare the case first")
    return case.mips


class MappingNetwork(StorableNetwork, Protocol):
    """A trained network that sees MIPs: class probabilities and a map a view."""

    def activate(self, mips: MipPair) -> Activation:
        """Classify and map a scan."""
        ...


class FittedWeakMethod:
    """A trained network with the rule that turns its maps into a mask.

    Args:
        method: name of the method that trained it.
        network: the network.
        localising: from maps to a mask.
        context: what `fit_record` gives.
        forest: weighs the maps by what the clicks say of candidates; None: the maps stand alone.
    """

    def __init__(
        self,
        method: str,
        network: MappingNetwork,
        localising: LocaliseSettings,
        context: Mapping[str, Any],
        forest: FittedForest | None = None,
    ) -> None:
        self.method = method
        self.network = network
        self.localising = localising
        self.context = context
        self.forest = forest

    @property
    def training_record(self) -> Mapping[str, Any]:
        """Parameters, epochs, seconds, losses by epoch; `forest_trees` of the forest of candidates, 0 without one, and
        `no_forest`, why there is none, empty for methods that never have one."""
        trees = 0 if self.forest is None else self.forest.forest.trees
        forest = {"forest_trees": trees, NO_FOREST: self.context.get(NO_FOREST, "")}
        return {**self.network.record.get("training", {}), **forest}

    def predict(self, case: CaseInput) -> Prediction:
        """Class probabilities, maps of the predicted class and, where a volume is there, the 3D masks."""
        mips = corrected(require_mips(case), self.context.get(CORRECTION, 1.0))
        evidence = self._evidence(case, mips)
        predict = self._predict_pictures if case.load_volume is None else self._predict_volume
        prediction = predict(case, mips, evidence)
        return without_lesion(prediction) if evidence.predicted in self.context["lesion_free"] else prediction

    def _predict_volume(self, case: CaseInput, mips: MipPair, evidence: Evidence) -> Prediction:
        """Outline in 3D."""
        assert case.load_volume is not None
        found = localise(
            case.load_volume(),
            evidence.maps,
            self.localising,
            mips=mips,
            probabilities=evidence.probabilities,
            candidates=evidence.candidates,
        )
        return Prediction(
            case_id=case.case_id,
            probabilities=evidence.probabilities,
            predicted=evidence.predicted,
            maps=found.maps,
            mask=found.mask,
            hull=found.hull,
            seeds_mm=found.seeds_mm,
            flags=in_order(dict.fromkeys(found.flags, True) | {Flag.UNLIKE_TRAINING: self._is_unlike(evidence)}),
        )

    def _is_unlike(self, evidence: Evidence) -> bool:
        """Whether the lesion looks like none that the forest knows; False where nobody knows what that means."""
        if self.forest is None or self.forest.forest.unlike_below is None or evidence.lesion_like is None:
            return False
        return evidence.lesion_like < self.forest.forest.unlike_below

    def _evidence(self, case: CaseInput, mips: MipPair) -> Evidence:
        activation, free = self.network.activate(mips), self.context["lesion_free"]
        alone = Evidence(activation.probabilities, mapped_with_lesions(activation, free))
        if self.forest is None or case.load_candidates is None:
            return alone
        candidates = case.load_candidates()
        if not len(candidates):
            return alone
        return with_candidates(
            activation,
            candidates,
            self.forest.forest,
            self.forest.settings,
            uptake_power=self.localising.uptake_power,
            lesion_free=free,
        )

    def _predict_pictures(self, case: CaseInput, mips: MipPair, evidence: Evidence) -> Prediction:
        """Outline each ready-made picture by itself; the maps come back at the pixel size that the case states."""
        maps = weighted_maps(evidence.maps, mips, self.localising)
        pictures = localise_pictures(mips, maps, self.localising)
        flags = picture_flags(pictures, evidence.maps, self.localising, probabilities=evidence.probabilities)
        stated = {plane: replace(found, pixel_mm=require_mips(case).pixel_mm) for plane, found in maps.items()}
        return Prediction(
            case.case_id,
            evidence.probabilities,
            evidence.predicted,
            stated,
            picture_masks=pictures,
            flags=flags,
        )

    def save(self, folder: Path) -> None:
        """Write weights.safetensors, model.json and MODEL_CARD.md."""
        store(folder, self.method, self.network, self.localising, self.context, self.forest)


OF_LESIONS = {Flag.HULL_AT_BORDER, Flag.LARGE, Flag.MAPS_BLIND, Flag.UNLIKE_TRAINING}
"""Flags that say something of a lesion, and nothing where there is none."""


def without_lesion(prediction: Prediction) -> Prediction:
    """The answer for a case that is called free of lesions: its masks are empty.

    The maps stay, of the likeliest class with lesions: where to look for one if the class is doubted.
    """
    mask, flags = prediction.mask, {Flag.EMPTY, *prediction.flags} - OF_LESIONS
    empty = None if mask is None else Mask(np.zeros(mask.voxels.shape, bool), mask.affine)
    return replace(
        prediction,
        mask=empty,
        hull=empty,
        picture_masks={plane: np.zeros_like(found) for plane, found in prediction.picture_masks.items()},
        seeds_mm=np.zeros((0, 3)),
        flags=tuple(flag for flag in Flag if flag in flags),
    )


def load_onnx(folder: Path, method: str) -> FittedWeakMethod:
    """Read a model folder with its model.onnx, which needs no torch, in place of the weights.

    Raises:
        ModelError: missing, damaged, of another method, or without a model.onnx of its own.
        MissingExtraError: onnxruntime is not installed.
    """
    from pointpet.learn.onnx_network import OnnxNetwork

    stored = read_stored(folder, method)
    network = OnnxNetwork(read_onnx(folder), stored.tensors, stored.network)
    return FittedWeakMethod(method, network, stored.localising, stored.context, stored.forest)
