"""Every choice of the U-Net, with its meaning. Needs no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from pointpet.core import check_settings, option
from pointpet.learn.settings import PATIENCE, TrainingSettings

LEVELS = 5
"""Resolutions of the network; each halves the one before."""

DEEPEST_STRIDE = 2 ** (LEVELS - 1)
"""Input pixels along the edge of a cell of the coarsest level; sides of the input are multiples of it."""


@dataclass(frozen=True)
class UnetSettings:
    """U-Net trained on true masks; pixel, crop, ceiling, augmentation, precision and threads are those of training.

    Checked when built, all faults reported together.

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """

    dimensions: int = option(
        2,
        "2: both MIPs and projected masks. 3: the volume itself, patch by patch; many times the cost",
    )
    features: tuple[int, ...] = option(
        (8, 16, 32, 64, 128, 8), "Channels of the five levels, the finest first, and before the last convolution"
    )
    class_weight: float = option(
        0.5, "Weight of the loss of the classifier at the coarsest level beside that of the mask"
    )
    epochs: int = option(60, "Longest training, in passes over the training part")
    patience: int = option(30, PATIENCE)
    batch_size: int = option(8, "Views or patches in a batch")
    learning_rate: float = option(1e-2, "Highest learning rate of the one-cycle schedule (AdamW)")
    weight_decay: float = option(0.01, "Weight decay of AdamW")
    turns: bool = option(True, "2D, augmentation: show the patient turned (prepare.turns_deg)")
    cell_mm: float = option(6.0, "3D: edge of a cube of the resampled volume, mm")
    patch_cells: int = option(48, "3D: cubes along the edge of a patch, a multiple of 16")
    patches: int = option(2, "3D: patches a case and epoch, every other one about the tumour")

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", tuple(self.features))
        check_settings(
            self,
            "unet",
            (
                ("turns", "true or false", isinstance(self.turns, bool)),
                ("dimensions", "2 or 3", self.dimensions in (2, 3)),
                ("features", "six counts of at least 1", len(self.features) == LEVELS + 1 and min(self.features) >= 1),
                ("class_weight", "0 or more", self.class_weight >= 0),
                ("epochs", "1 or more", self.epochs >= 1),
                ("patience", "1 or more", self.patience >= 1),
                ("batch_size", "1 or more", self.batch_size >= 1),
                ("learning_rate", "over 0", self.learning_rate > 0),
                ("weight_decay", "0 or more", self.weight_decay >= 0),
                ("cell_mm", "1 to 16", 1 <= self.cell_mm <= 16),
                ("patch_cells", "a multiple of 16", self.patch_cells >= 16 and self.patch_cells % DEEPEST_STRIDE == 0),
                ("patches", "1 or more", self.patches >= 1),
            ),
        )

    def training(self, common: TrainingSettings) -> TrainingSettings:
        """`common` with this network's input and schedule in place of the weak methods'."""
        return replace(
            common,
            cam_stride=DEEPEST_STRIDE,
            distance="none",
            turns=self.turns,
            epochs=self.epochs,
            patience=self.patience,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )

    def as_record(self) -> dict[str, Any]:
        """The settings as JSON can hold them."""
        return {**asdict(self), "features": list(self.features)}
