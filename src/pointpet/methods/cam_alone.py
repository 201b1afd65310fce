"""CAMs alone: the proposed method's network and localisation without what the clicks teach."""

from __future__ import annotations

from pointpet.learn.cam_settings import CamSettings
from pointpet.learn.settings import TrainingSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.weak import WeakMethod


def build(training: TrainingSettings, localising: LocaliseSettings, settings: CamSettings | None = None) -> WeakMethod:
    """Classification only; else as in `proposed`, so that the two differ by what the clicks bring.

    That is the distance loss and, unless `candidates.enabled` is false, the forest of candidates. The classification
    loss alone is best learned in smaller steps, so that the learning rate is its own.
    """
    return WeakMethod(
        "cam_alone",
        "class label only: the same network, no click: neither distance loss nor candidates",
        (settings or CamSettings()).training(training),
        localising,
        candidates=None,
    )
