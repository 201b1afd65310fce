"""What a ready-made MIP says of its own scale: the grey level of the body, and how many pixels wide it is.

A picture may come without the SUV of its grey values, without the size of its pixels, or with wrong ones. Bodies differ
less than such mistakes: over a cohort the level of soft tissue and the width of the trunk are known within a fifth.

Shape letters: H, W rows and columns of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core import MipPair, Plane

BODY_LEVEL_SUV = 1.2
"""Median SUV over the body in a MIP: 1.0 on digital phantoms (deviation 0.1), 1.3 to 1.8 on a whole-body scan."""

PLAUSIBLE_LEVEL_SUV = (0.2, 10.0)
"""Body levels that SUV can have; a head alone reaches 8. Beyond, the values are no SUV."""

TRUNK_MM = {Plane.CORONAL: 400.0, Plane.SAGITTAL: 230.0}
"""Width of the body in an upper quarter of its rows: 404 and 229 mm on digital phantoms, 376 and 236 mm on a scan."""

PLAUSIBLE_WIDTH = 1.8
"""A trunk so many times as wide or as narrow as that is a wrong pixel size: no adult's."""

_BRIGHT_PERCENTILE = 99.0
_FAINT_SHARE = 0.05
_BODY_SHARE = 0.25
_STEPS = 20


@dataclass(frozen=True)
class PictureBody:
    """The body as a picture shows it.

    Args:
        level: median of its pixels, in the picture's own values.
        width: its width in pixels, the upper quartile over the rows that show any of it.
    """

    level: float
    width: float


def picture_body(picture: NDArray) -> PictureBody | None:
    """Find the body: pixels over a quarter of their own median. None where no pixel is over 0.

    Neither the window the picture was cut off at nor the air around the body moves the answer.

    Args:
        picture: (H, W), hot is high, air about 0.
    """
    values = np.asarray(picture, np.float32)
    bright = float(np.percentile(values, _BRIGHT_PERCENTILE))
    inside = values[values > _FAINT_SHARE * max(bright, 0.0)]
    if not inside.size:
        return None
    level = float(np.median(inside))
    for _ in range(_STEPS):
        level = float(np.median(values[values > _BODY_SHARE * level]))
    widths = np.count_nonzero(values > _BODY_SHARE * level, axis=1)
    return PictureBody(level, float(np.percentile(widths[widths > 0], 75)))


def is_level_plausible(level_suv: float) -> bool:
    """True where a body's level can be SUV."""
    return PLAUSIBLE_LEVEL_SUV[0] <= level_suv <= PLAUSIBLE_LEVEL_SUV[1]


def has_hot_border(picture: NDArray) -> bool:
    """True where both sides of a picture are hot: its grey values are upside down (dark is hot).

    Pictures under 16 columns and those of one value are not judged.
    """
    values = np.asarray(picture, np.float32)
    if values.shape[1] < 16 or values.min() == values.max():
        return False
    edge = max(1, values.shape[1] // 20)
    sides = np.concatenate([values[:, :edge].ravel(), values[:, -edge:].ravel()])
    return bool(np.median(sides) > 0.5 * values.max())


def trunk_shares(mips: MipPair) -> list[float]:
    """An adult's trunk over that of each view, at the stated pixel size: 1 where both agree; none for an empty view."""
    bodies = {plane: picture_body(mips.picture(plane)) for plane in mips.planes}
    return [TRUNK_MM[plane] / (body.width * mips.pixel_mm) for plane, body in bodies.items() if body is not None]


def pixel_correction(shares: Sequence[float]) -> float:
    """By how much the stated pixel size of ready-made pictures is to be multiplied: 1 where bodies are plausible.

    Over a cohort, so that pictures of one pixel size are all corrected alike.

    Args:
        shares: of all its views, from `trunk_shares`.
    """
    share = float(np.median(shares)) if len(shares) else 1.0
    return 1.0 if 1 / PLAUSIBLE_WIDTH <= share <= PLAUSIBLE_WIDTH else share
