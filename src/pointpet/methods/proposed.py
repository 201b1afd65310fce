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
    return WeakMethod(
        "proposed",
        "class label and one point: classification and distance loss, maps and candidates to a 3D mask",
        training,
        localising,
        candidates=candidates or CandidateSettings(),
    )
