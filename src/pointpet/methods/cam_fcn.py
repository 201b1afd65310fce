"""CAMs and FCN: class score maps of a finer resolution before the pooling, from the class label alone.

The source names "CAMs with FCN network" and no more. Our reading: the classifier of `cam_alone` made fully
convolutional as Chen et al. (ICLR 2015) do: the last poolings keep the resolution and the convolutions after them are
widened, so that each cell of the score map sees as much as before and there are more of them; 1 x 1 convolutions make
the scores, whose mean is the class score.
"""

from __future__ import annotations

from pointpet.learn.fcn_settings import FcnSettings
from pointpet.learn.settings import TrainingSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.weak import WeakMethod


def build(training: TrainingSettings, localising: LocaliseSettings, settings: FcnSettings | None = None) -> WeakMethod:
    """Classification only, on finer score maps; the defaults where no settings are given."""
    return WeakMethod(
        "cam_fcn",
        "class label only: a fully convolutional classifier with finer score maps before pooling",
        (settings or FcnSettings()).training(training),
        localising,
        candidates=None,
    )
