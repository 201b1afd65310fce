"""The proposed method: joint training of the class label and of one point per patient (Amyar et al. 2020)."""

from __future__ import annotations

from pointpet.learn.candidate_settings import CandidateSettings
from pointpet.learn.settings import TrainingSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.weak import WeakMethod


def build(
    training: TrainingSettings, localising: LocaliseSettings, candidates: CandidateSettings | None = None
) -> WeakMethod:
    """Classification and distance loss together, as the training settings say; candidates by default."""
    candidates = candidates or CandidateSettings()
    losses = "classification and distance loss" if training.localises else "classification loss alone"
    seen = "maps and candidates" if candidates.enabled else "maps"
    return WeakMethod(
        "proposed",
        f"class label and one point: {losses}, {seen} to a 3D mask",
        training,
        localising,
        candidates=candidates,
    )
