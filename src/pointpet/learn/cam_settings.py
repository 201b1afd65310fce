"""What sets the classifier of CAMs alone apart from that of the joint training. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pointpet.core import check_settings, option
from pointpet.learn.settings import TrainingSettings


@dataclass(frozen=True)
class CamSettings:
    """CAMs alone: its own step size; all else as in `training`, no distance loss.

    Raises:
        ConfigError: the value is out of its range.
    """

    learning_rate: float = option(3e-3, "Highest learning rate of the one-cycle schedule (AdamW)")

    def __post_init__(self) -> None:
        check_settings(self, "cam_alone", (("learning_rate", "over 0", self.learning_rate > 0),))

    def training(self, common: TrainingSettings) -> TrainingSettings:
        """`common` without a distance loss, at this learning rate."""
        return replace(common, distance="none", learning_rate=self.learning_rate)
