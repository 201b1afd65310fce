"""What a model folder of a trained network holds: weights, record, card, and the forest of candidates beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from pointpet.core import ModelError, PointpetError
from pointpet.image.candidates import FEATURES, SOUGHT
from pointpet.io.model_folder import read_model, write_model
from pointpet.learn.candidate_settings import CandidateSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.model_card import model_card

if TYPE_CHECKING:
    from pointpet.learn.candidate_forest import CandidateForest

FOREST = "candidates."
"""Start of the names of the forest's arrays among a model's tensors."""

NO_LESION_NAME = "no lesion"
"""Of the forest's first column, in model.json and on the card."""

NO_FOREST = "no_forest"
"""Key of a model's record: why a method that may have a forest of candidates has none."""

CORRECTION = "pixel_correction"
"""Key of a model's record: what the stated pixel size of ready-made pictures is multiplied by."""


@dataclass(frozen=True, eq=False)
class FittedForest:
    """What the clicks say of candidates, and how it is used."""

    forest: CandidateForest
    settings: CandidateSettings


class StorableNetwork(Protocol):
    """A trained network that a model folder can hold. `record` is for JSON."""

    @property
    def record(self) -> dict[str, Any]:
        """Architecture, classes, settings, training."""
        ...

    def tensors(self) -> dict[str, NDArray]:
        """The weights by name."""
        ...


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
        context |= {name: record[name] for name in ("cohort", "evaluation", NO_FOREST) if name in record}
        context[CORRECTION] = float(record.get(CORRECTION, 1.0))
        return StoredMethod(
            network_tensors(tensors), dict(record["network"]), localising, context, _stored_forest(tensors, record)
        )
    except ModelError:
        raise
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
        raise ModelError(
            "PP-MODEL-FOREST",
            "the forest of candidates",
            f"was learned from {len(kept['features'])} features of another version, this one has {len(FEATURES)}",
            "Train the model again, or read it with the version that wrote it",
        )
    if kept.get("sought") != SOUGHT:
        raise ModelError(
            "PP-MODEL-FOREST",
            "the forest of candidates",
            f"was learned from candidates sought as {kept.get('sought')}, this version seeks them as {SOUGHT}",
            "Train the model again, or read it with the version that wrote it",
        )
    arrays = {name.removeprefix(FOREST): array for name, array in tensors.items() if name.startswith(FOREST)}
    classes = len(record["network"]["classes"])
    numbers = [number for _, number in kept.get("learned_from", ())]
    forest = CandidateForest.from_tensors(
        arrays,
        classes=classes,
        features=len(FEATURES),
        learned_from=numbers,
        unlike_below=kept.get("unlike_below"),
    )
    return FittedForest(forest, CandidateSettings(**kept["settings"]))


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
    columns = {"features": list(FEATURES), "sought": SOUGHT}
    record = {"settings": asdict(fitted.settings), **columns, "trees": fitted.forest.trees}
    if fitted.forest.unlike_below is not None:
        record["unlike_below"] = fitted.forest.unlike_below
    counts = fitted.forest.learned_from
    named = zip((NO_LESION_NAME, *classes), counts, strict=True) if counts else ()
    return {**record, "learned_from": [[name, number] for name, number in named]}
