"""3D-RPET-Net: a small 3D network on the tumour's surroundings that predicts an outcome, and nothing else.

`rpet3d` sees the patch around the reference mask, `rpet3d_proposed` the one around the proposed method's mask, as the
journal sequel does. Neither segments: they take part in a study's outcome stage only.

Source: Amyar et al. 2019, IEEE Trans. Radiat. Plasma Med. Sci. 3(2), 225-231: four layers, best with a margin of 2 cm.
That two are convolutions and two fully connected, their widths, the patch's grid and the training are our reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from pointpet.core import ConfigError, Mask, Volume, check_settings, option
from pointpet.methods.base import CaseInput, FitContext, Given, Supervision

if TYPE_CHECKING:
    from pointpet.learn.settings import TrainingSettings
    from pointpet.localise.settings import LocaliseSettings

MODEL = "rpet3d"
"""`model` of its rows in the outcome tables."""

SUV_CEILING = 20.0
"""SUV is clipped to this and divided by it."""


@dataclass(frozen=True)
class RpetSettings:
    """3D-RPET-Net: patch, network and training; checked when built, all faults reported together.

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """

    margin_cm: float = option(2.0, "how much around the mask's box the network sees, 0 to 4 cm; the authors' best is 2")
    spacing_mm: float = option(4.0, "edge of a cell of the patch, mm")
    cells: int = option(32, "cells along each edge of the patch, a multiple of 8; what lies farther out is cut off")
    widths: tuple[int, int, int] = option((8, 16, 32), "channels of the two convolutions, units of the hidden layer")
    epochs: int = option(40, "longest training")
    patience: int = option(8, "epochs without a better validation loss after which a training stops")
    batch_size: int = option(8, "patches in a batch")
    learning_rate: float = option(2e-3, "learning rate (AdamW)")
    weight_decay: float = option(1e-2, "weight decay of AdamW")
    dropout: float = option(0.4, "share of units left out in the fully connected layers")
    splits: int = option(
        4, "networks a training fold, each leaving another part out for validation; their mean answers"
    )

    def __post_init__(self) -> None:
        check_settings(
            self,
            "rpet3d",
            (
                ("margin_cm", "0 to 4", 0 <= self.margin_cm <= 4),
                ("spacing_mm", "1 to 10", 1 <= self.spacing_mm <= 10),
                ("cells", "a multiple of 8", self.cells >= 8 and self.cells % 8 == 0),
                ("epochs", "1 or more", self.epochs >= 1),
                ("patience", "1 or more", self.patience >= 1),
                ("batch_size", "2 or more", self.batch_size >= 2),
                ("learning_rate", "over 0", self.learning_rate > 0),
                ("dropout", "0 or more and under 1", 0 <= self.dropout < 1),
                ("splits", "2 or more", self.splits >= 2),
            ),
        )


@dataclass(frozen=True)
class OutcomeNetwork:
    """A method of the outcome stage alone.

    Args:
        name, summary: as the command line shows them.
        masks_of: the method whose masks it looks around; empty for the reference masks.
        settings: of patch and training.
    """

    name: str
    summary: str
    supervision: Supervision
    masks_of: str = ""
    settings: RpetSettings = field(default_factory=RpetSettings)
    outcome_only: bool = True

    def fit(self, training: Sequence[CaseInput], context: FitContext) -> Any:  # noqa: ARG002
        """Refuse: there is no mask to learn.

        Raises:
            ConfigError: always.
        """
        raise self._refusal()

    def load(self, folder: Path) -> Any:  # noqa: ARG002
        """Refuse, as `fit` does.

        Raises:
            ConfigError: always.
        """
        raise self._refusal()

    def _refusal(self) -> ConfigError:
        return ConfigError(
            "PP-METHOD-OUTCOME",
            f"method {self.name}",
            "predicts outcomes inside a study and makes no masks",
            "Use it with `pointpet study` on a cohort with outcomes",
        )


def build_rpet3d(training: TrainingSettings | None, localising: LocaliseSettings) -> OutcomeNetwork:  # noqa: ARG001
    """On the reference masks."""
    given = frozenset({Given.MASK})
    return OutcomeNetwork(
        "rpet3d", "3D-RPET-Net on the patch around the reference mask, outcome only", Supervision(given, given)
    )


def build_rpet3d_proposed(
    training: TrainingSettings | None,  # noqa: ARG001
    localising: LocaliseSettings,  # noqa: ARG001
) -> OutcomeNetwork:
    """On the proposed method's masks: given what that method is given."""
    return OutcomeNetwork(
        "rpet3d_proposed",
        "3D-RPET-Net on the patch around the proposed method's mask, outcome only",
        Supervision(frozenset({Given.LABEL, Given.POINT})),
        masks_of="proposed",
    )


def tumour_patch(volume: Volume, mask: Mask, settings: RpetSettings) -> NDArray[np.float32]:
    """The tumour and its margin on a grid of cubes, (cells,) * 3, SUV as a share of `SUV_CEILING`.

    Centred on the mask's box; 0 beyond the box and its margin, outside the scan, and everywhere for an empty mask.
    """
    shape = (settings.cells,) * 3
    inside = np.argwhere(mask.voxels)
    if not len(inside):
        return np.zeros(shape, np.float32)
    corners = mask.grid.world(np.array(np.meshgrid(*zip(inside.min(0), inside.max(0), strict=True))).reshape(3, -1).T)
    low, high = corners.min(axis=0) - volume.spacing_mm / 2, corners.max(axis=0) + volume.spacing_mm / 2
    steps = (np.arange(settings.cells) - (settings.cells - 1) / 2) * settings.spacing_mm
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    points = (low + high) / 2 + offsets.reshape(-1, 3)
    values = map_coordinates(volume.voxels, volume.grid.indices(points).T, order=1, mode="constant", cval=0.0)
    reach = 10.0 * settings.margin_cm
    seen = ((points >= low - reach) & (points <= high + reach)).all(axis=1)
    return (np.clip(values, 0, SUV_CEILING) / SUV_CEILING * seen).reshape(shape).astype(np.float32)
