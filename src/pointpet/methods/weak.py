"""What `proposed`, `cam_alone` and `cam_fcn` share: a classifier on two MIPs whose activation maps become a 3D mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Flag, Mask, ModelError, Plane, PointpetError, Prediction, derive_seed
from pointpet.image.candidates import FEATURES
from pointpet.image.picture_body import pixel_correction, trunk_shares
from pointpet.io.model_folder import read_model, read_onnx, write_model
from pointpet.learn.candidate_settings import CandidateSettings
from pointpet.learn.example import Example
from pointpet.learn.settings import TrainingSettings
from pointpet.localise.agreement import weighted_maps
from pointpet.localise.localise import localise
from pointpet.localise.pictures import localise_pictures, picture_flags
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Given, Supervision
from pointpet.methods.evidence import Evidence, mapped_with_lesions, with_candidates
from pointpet.methods.held_out import held_out_cases
from pointpet.methods.model_card import model_card

if TYPE_CHECKING:
    from pointpet.core import MipPair
    from pointpet.learn.activation import Activation
    from pointpet.learn.candidate_forest import CandidateForest

FOREST = "candidates."
"""Start of the names of the forest's arrays among a model's tensors."""

NO_LESION_NAME = "no lesion"
"""Of the forest's first column, in model.json and on the card."""

NO_PIXELS: Mapping[Plane, np.ndarray] = {}


CORRECTION = "pixel_correction"
"""Key of a model's record: what the stated pixel size of ready-made pictures is multiplied by."""


def fit_record(training: Sequence[CaseInput], context: FitContext) -> dict[str, Any]:
    """What a model keeps beside its weights: `FitContext.record`, and the correction of the pixel size."""
    pictures = [mips for mips in map(require_mips, training) if mips.origin_mm is None]
    shares = [share for mips in pictures for share in trunk_shares(mips)]
    return {**context.record, CORRECTION: pixel_correction(shares)}


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


class WeakMethod:
    """Classification with activation maps; with points, the distance loss pulls each map to the lesion.

    Args:
        name, summary: as the registry lists them.
        training: network and loss settings.
        localising: from maps to a mask.
        candidates: how candidates are told from physiology by the one point per patient; None for a method that sees
            no point in training.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        training: TrainingSettings,
        localising: LocaliseSettings,
        *,
        candidates: CandidateSettings | None,
    ) -> None:
        self.name = name
        self.summary = summary
        self.training = training
        self.localising = localising
        self.candidates = candidates
        given = {Given.LABEL, Given.POINT} if candidates else {Given.LABEL}
        self.supervision = Supervision(training=frozenset(given))

    def fit(self, training: Sequence[CaseInput], context: FitContext) -> FittedWeakMethod:
        """Train one network on the labels (and points) of `training`."""
        from pointpet.learn.train import train

        record = fit_record(training, context)
        examples = [self._example(case, case.label, record[CORRECTION]) for case in training if case.label]
        network = train(
            examples,
            self.training.for_cohort(context.lesion_free),
            seed=context.seed,
            classes=context.classes,
            lesion_free=context.lesion_free,
            checkpoint_dir=context.checkpoint_dir,
            report=context.report,
        )
        forest = self._forest(training, context)
        return FittedWeakMethod(self.name, network, self.localising.for_cohort(context.lesion_free), record, forest)

    def _forest(self, training: Sequence[CaseInput], context: FitContext) -> FittedForest | None:
        """What the clicks say of candidates; None where it is not asked for, or too few clicks are there."""
        from pointpet.learn.candidate_forest import ClickedCandidates, fit_forest

        if self.candidates is None or not self.candidates.enabled or not self.localising.agree:
            return None
        clicked = [
            ClickedCandidates(case.load_candidates(), case.label, case.points_mm)
            for case in training
            if case.label and case.load_candidates is not None
        ]
        if not clicked:  # ready-made pictures alone
            return None
        forest = fit_forest(
            clicked,
            self.candidates,
            classes=context.classes,
            lesion_free=context.lesion_free,
            seed=derive_seed(context.seed, "candidates"),
        )
        return None if forest is None else FittedForest(forest, self.candidates)

    def held_out(self, training: Sequence[CaseInput], context: FitContext) -> frozenset[str]:
        """Cases that `fit` keeps back to choose the epoch."""
        return held_out_cases(training, self.training, context)

    def blinded(self, fitted: FittedMethod, training: Sequence[CaseInput], context: FitContext) -> FittedMethod:
        """`fitted` with a forest that knows no click of the cases held out; its network learnt from none of them."""
        if not isinstance(fitted, FittedWeakMethod) or fitted.forest is None:
            return fitted
        held = self.held_out(training, context)
        forest = self._forest([case for case in training if case.case_id not in held], context)
        return FittedWeakMethod(self.name, fitted.network, fitted.localising, fitted.context, forest)

    def _example(self, case: CaseInput, label: str, correction: float) -> Example:
        """A training case, with its views of the turned patient where the settings use them."""
        pointed = Given.POINT in self.supervision.training and len(case.points_mm) > 0
        turned = [
            Example(
                case_id=case.case_id,
                patient_id=case.patient_id,
                mips=view.mips,
                label=label,
                pixels={plane: view.pixels(plane, case.points_mm) for plane in view.mips.planes} if pointed else {},
            )
            for view in (case.load_turned() if self.training.turns else ())
        ]
        return Example(
            case_id=case.case_id,
            patient_id=case.patient_id,
            mips=corrected(require_mips(case), correction),
            label=label,
            pixels=case.pixels if Given.POINT in self.supervision.training else NO_PIXELS,
            turned=tuple(turned),
        )

    def load(self, folder: Path) -> FittedWeakMethod:
        """Read a model folder.

        Raises:
            ModelError: missing, damaged, or of another method.
        """
        from pointpet.learn.trained import TrainedNetwork

        stored = read_stored(folder, self.name)
        network = TrainedNetwork.from_tensors(stored.tensors, stored.network)
        return FittedWeakMethod(self.name, network, stored.localising, stored.context, stored.forest)


@dataclass(frozen=True, eq=False)
class FittedForest:
    """What the clicks say of candidates, and how it is used."""

    forest: CandidateForest
    settings: CandidateSettings


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


@dataclass(frozen=True, eq=False)
class StoredMethod:
    """What a model folder holds: tensors and record of the network, the rule, the context of `FittedWeakMethod`, and
    the forest where there is one."""

    tensors: Mapping[str, NDArray]
    network: Mapping[str, Any]
    localising: LocaliseSettings
    context: Mapping[str, Any]
    forest: FittedForest | None = None


def read_stored(folder: Path, method: str) -> StoredMethod:
    """Read what `store` wrote for `method`.

    Raises:
        ModelError: missing, damaged, or of another method.
    """
    tensors, record = read_model(folder)
    if record.get("method") != method:
        raise ModelError(
            "PP-MODEL-METHOD",
            "model.json",
            f"holds a model of method {record.get('method')!r}, expected {method!r}",
            "Give the folder of a model of this method",
        )
    try:
        localising = LocaliseSettings(**record["localise"])
        context = {name: record[name] for name in ("lesion_free", "preprocessing")}
        context |= {name: record[name] for name in ("cohort", "evaluation") if name in record}
        context[CORRECTION] = float(record.get(CORRECTION, 1.0))
        return StoredMethod(
            network_tensors(tensors), dict(record["network"]), localising, context, _stored_forest(tensors, record)
        )
    except (KeyError, TypeError, ValueError, PointpetError) as error:
        raise ModelError(
            "PP-MODEL-RECORD",
            "model.json",
            f"must hold network, localise, lesion_free and preprocessing of this version, got {error!r}",
            "Read the model with the version that wrote it, or train it again",
        ) from error


def network_tensors(tensors: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Of a model's tensors, those of its network."""
    return {name: array for name, array in tensors.items() if not name.startswith(FOREST)}


def _stored_forest(tensors: Mapping[str, NDArray], record: Mapping[str, Any]) -> FittedForest | None:
    from pointpet.learn.candidate_forest import CandidateForest

    kept = record.get("candidates")
    if kept is None:
        return None
    if kept["features"] != list(FEATURES):
        raise ValueError("other features of candidates")
    arrays = {name.removeprefix(FOREST): array for name, array in tensors.items() if name.startswith(FOREST)}
    classes = len(record["network"]["classes"])
    numbers = [number for _, number in kept.get("learned_from", ())]
    forest = CandidateForest.from_tensors(arrays, classes=classes, features=len(FEATURES), learned_from=numbers)
    return FittedForest(forest, CandidateSettings(**kept["settings"]))


class StorableNetwork(Protocol):
    """A trained network that a model folder can hold. `record` is for JSON."""

    @property
    def record(self) -> dict[str, Any]:
        """Architecture, classes, settings, training."""
        ...

    def tensors(self) -> dict[str, NDArray]:
        """The weights by name."""
        ...


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
        """Parameters, epochs, seconds, losses by epoch; `forest_trees` of the forest of candidates, 0 without one."""
        trees = 0 if self.forest is None else self.forest.forest.trees
        return {**self.network.record.get("training", {}), "forest_trees": trees}

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
            flags=found.flags,
        )

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


def without_lesion(prediction: Prediction) -> Prediction:
    """The answer for a case that is called free of lesions: its masks are empty.

    The maps stay, of the likeliest class with lesions: where to look for one if the class is doubted.
    """
    mask, flags = prediction.mask, {Flag.EMPTY, *prediction.flags} - {Flag.HULL_AT_BORDER, Flag.LARGE}
    empty = None if mask is None else Mask(np.zeros(mask.voxels.shape, bool), mask.affine)
    return replace(
        prediction,
        mask=empty,
        hull=empty,
        picture_masks={plane: np.zeros_like(found) for plane, found in prediction.picture_masks.items()},
        seeds_mm=np.zeros((0, 3)),
        flags=tuple(flag for flag in Flag if flag in flags),
    )


def store(
    folder: Path,
    method: str,
    network: StorableNetwork,
    localising: LocaliseSettings,
    context: Mapping[str, Any],
    forest: FittedForest | None = None,
) -> None:
    """Write a model folder: weights.safetensors, model.json and MODEL_CARD.md. `read_stored` reads it back."""
    record = {"method": method, "network": network.record, "localise": asdict(localising), **context}
    tensors = network.tensors()
    if forest is not None:
        record["candidates"] = _forest_record(forest, network.record["classes"])
        tensors |= {FOREST + name: array for name, array in forest.forest.tensors().items()}
    write_model(folder, tensors, record, model_card(record))


def _forest_record(fitted: FittedForest, classes: Sequence[str]) -> dict[str, Any]:
    """What model.json says of the forest. `learned_from` is in the order of the columns of its answer."""
    record = {"settings": asdict(fitted.settings), "features": list(FEATURES), "trees": fitted.forest.trees}
    counts = fitted.forest.learned_from
    named = zip((NO_LESION_NAME, *classes), counts, strict=True) if counts else ()
    return {**record, "learned_from": [[name, number] for name, number in named]}
