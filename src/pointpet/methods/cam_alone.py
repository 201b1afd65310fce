"""CAMs alone: the proposed method's network and localisation without the distance loss."""

from __future__ import annotations

from dataclasses import replace

from pointpet.learn.settings import TrainingSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.weak import WeakMethod


def build(training: TrainingSettings, localising: LocaliseSettings) -> WeakMethod:
    """Classification only; everything else as in `proposed`, so that the two differ by the distance loss alone."""
    return WeakMethod(
        "cam_alone",
        "class label only: the same network without the distance loss",
        replace(training, distance="none"),
        localising,
        candidates=None,
    )
