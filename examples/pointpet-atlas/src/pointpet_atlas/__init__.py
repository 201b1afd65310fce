"""An example method: where do the tumours of each class lie, and what is hot there?

Training averages the places of the points in the field of view, by class. A new scan's uptake is weighted by each
class's place; the highest weighted voxel names the class and is the seed that pointpet's one-click rule outlines.

Shape letters: C classes, N voxels looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Grid, ModelError, Prediction, TrainingError, Volume
from pointpet.io.model_folder import read_model, write_model
from pointpet.learn.settings import TrainingSettings
from pointpet.localise import LocaliseSettings, segment_point
from pointpet.methods.base import CaseInput, FitContext, Given, Supervision
from pointpet.methods.model_card import model_card

NAME = "atlas"
LEAST_SPREAD = 0.03
"""Share of the field of view: what a few training points must not fall below."""
STEP_MM = 8.0
"""Voxels about this far apart are looked at: fine enough to meet every tumour of a centimetre or more."""


def build(training: TrainingSettings, localising: LocaliseSettings) -> AtlasMethod:  # noqa: ARG001 - no network here
    """What the entry point names."""
    return AtlasMethod(localising)


def places(points_mm: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Where points (N, 3), mm, lie in the field of view: (N, 3), 0 at its first voxel and 1 at its last."""
    return grid.indices(points_mm) / (np.array(grid.shape) - 1)


class AtlasMethod:
    """The method before training. `localising`: settings of the outline."""

    name = NAME
    summary = "example of a plug-in: high uptake where the tumours of a class lie, outlined from there"
    supervision = Supervision(training=frozenset({Given.LABEL, Given.POINT}))

    def __init__(self, localising: LocaliseSettings) -> None:
        self.localising = localising

    def fit(self, training: Sequence[CaseInput], context: FitContext) -> FittedAtlas:
        """Average the places of the first points, by class.

        Raises:
            TrainingError: a class without a pointed scan.
        """
        means, spreads = [], []
        for name in context.classes:
            cases = [case for case in training if case.label == name and len(case.points_mm) and case.load_volume]
            if not cases:
                raise TrainingError("ATLAS-POINTS", f"class {name}", "needs a case with a point", "Click one")
            found = np.concatenate([places(case.points_mm[:1], _volume(case).grid) for case in cases])
            means.append(found.mean(axis=0))
            spreads.append(np.maximum(found.std(axis=0), LEAST_SPREAD))
        record = {"classes": list(context.classes), "training": {"cases": len(training), "parameters": 6 * len(means)}}
        return FittedAtlas(np.array(means), np.array(spreads), record, context.record, self.localising)

    def load(self, folder: Path) -> FittedAtlas:
        """Read back what `FittedAtlas.save` wrote.

        Raises:
            ModelError: it is the model of another method.
        """
        tensors, record = read_model(folder)
        if record.get("method") != NAME:
            raise ModelError("ATLAS-MODEL", "model.json", f"holds no {NAME} model", "Give another folder")
        context = {name: record[name] for name in ("lesion_free", "preprocessing", "cohort")}
        return FittedAtlas(tensors["means"], tensors["spreads"], record["network"], context, self.localising)


@dataclass(frozen=True, eq=False)
class FittedAtlas:
    """The trained method.

    Args:
        means, spreads: (C, 3) place of each class's tumours, as a share of the field of view.
        network: classes and training record. context: `FitContext.record`. localising: settings of the outline.
    """

    means: NDArray[np.float64]
    spreads: NDArray[np.float64]
    network: Mapping[str, Any]
    context: Mapping[str, Any]
    localising: LocaliseSettings

    @property
    def training_record(self) -> Mapping[str, Any]:
        """Cases and parameters."""
        return self.network["training"]

    def predict(self, case: CaseInput) -> Prediction:
        """Class, and the outline from the highest weighted voxel."""
        volume = _volume(case)
        steps = np.maximum(1, np.round(STEP_MM / volume.spacing_mm)).astype(int)
        indices = np.stack(np.meshgrid(*map(np.arange, [0, 0, 0], volume.voxels.shape, steps), indexing="ij"), axis=-1)
        indices = indices.reshape(-1, 3)
        points_mm = volume.grid.world(indices)
        suv = volume.voxels[tuple(indices.T)].clip(0)
        away = (places(points_mm, volume.grid)[None] - self.means[:, None]) / self.spreads[:, None]
        scores = suv * np.exp(-0.5 * (away**2).sum(axis=-1))
        best = scores.max(axis=1)
        total = best.sum()
        shares = best / total if total > 0 else np.full(len(best), 1 / len(best))
        seed = points_mm[scores[best.argmax()].argmax()]
        found = segment_point(volume, seed, settings=self.localising)
        probabilities = dict(zip(self.network["classes"], shares.tolist(), strict=True))
        predicted = self.network["classes"][int(best.argmax())]
        return Prediction(
            case_id=case.case_id,
            probabilities=probabilities,
            predicted=predicted,
            mask=found.mask,
            seeds_mm=found.seed_mm[None],
            flags=found.flags,
        )

    def save(self, folder: Path) -> None:
        """Write weights.safetensors, model.json and MODEL_CARD.md."""
        record = {"method": NAME, "network": dict(self.network), **self.context}
        write_model(folder, {"means": self.means, "spreads": self.spreads}, record, model_card(record))


def _volume(case: CaseInput) -> Volume:
    if case.load_volume is None:
        raise ModelError("ATLAS-VOLUME", case.case_id, "has ready-made pictures only, a volume is needed", "Give `pet`")
    return case.load_volume()
