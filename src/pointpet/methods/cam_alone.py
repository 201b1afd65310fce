"""CAMs alone: the proposed method's network and localisation without what the clicks teach."""

from __future__ import annotations

from dataclasses import replace

from pointpet.learn.settings import TrainingSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.weak import WeakMethod


def build(training: TrainingSettings, localising: LocaliseSettings) -> WeakMethod:
    """Classification only; everything else as in `proposed`, so that the two differ by what the clicks bring.

    That is the distance loss and, unless `candidates.enabled` is false, the forest of candidates.
    """
    return WeakMethod(
        "cam_alone",
        "class label only: the same network, no click: neither distance loss nor candidates",
        replace(training, distance="none"),
        localising,
        candidates=None,
    )
