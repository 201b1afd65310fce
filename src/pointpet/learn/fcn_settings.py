"""What sets the fully convolutional classifier apart, with its meaning. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pointpet.core import check_settings, option
from pointpet.learn.settings import CAM_STRIDES, TrainingSettings


@dataclass(frozen=True)
class FcnSettings:
    """CAMs and FCN: class score maps of a finer stride before pooling; all else as in `training`, no distance loss.

    Checked when built, all faults reported together.

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """

    cam_stride: int = option(2, "Edge of a cell of the score map in input pixels: 2, 4, 8 or 16")
    pooled_share: float = option(
        1.0, "Share of a score map's cells, the highest, whose mean is the class score; 1: all of them"
    )
    epochs: int = option(45, "Longest training, in passes over the training part")
    learning_rate: float = option(5e-3, "Highest learning rate of the one-cycle schedule (AdamW)")

    def __post_init__(self) -> None:
        check_settings(
            self,
            "cam_fcn",
            (
                ("cam_stride", "2, 4, 8 or 16", self.cam_stride in CAM_STRIDES),
                ("pooled_share", "over 0 and at most 1", 0 < self.pooled_share <= 1),
                ("epochs", "1 or more", self.epochs >= 1),
                ("learning_rate", "over 0", self.learning_rate > 0),
            ),
        )

    def training(self, common: TrainingSettings) -> TrainingSettings:
        """`common` without a distance loss, on finer score maps whose cells see as much as those of `common`."""
        return replace(
            common,
            distance="none",
            cam_stride=self.cam_stride,
            context_stride=common.cam_stride if common.cam_stride > self.cam_stride else 0,
            pooled_share=self.pooled_share,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
        )
