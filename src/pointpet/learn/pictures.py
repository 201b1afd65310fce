"""From a MIP to the network's input and back: coarser pixels, cut to the body, SUV to [0, 1]. Needs no torch.

The network's input is a rectangle of coarse pixels of the picture (head first). Everything here follows from the
picture alone, so training and prediction see a scan the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError
from pointpet.learn.settings import TrainingSettings
from pointpet.project.coarsen import resample_plane

BODY_SUV = 0.3
"""Over this a pixel of a MIP counts as body: the maximum along a ray stays below it in air, above in soft tissue."""

BODY_MARGIN_MM = 16.0
"""Kept around the body, so that the first layers see its outline."""

BODY_RUN_PIXELS = 4
"""Body pixels a row or a column needs to be kept: single hot pixels in air do not widen the rectangle."""

FACTOR_TOLERANCE = 0.02
"""Share by which the input's pixel may differ from a whole multiple of the MIP's and still be taken for it."""

FINEST_FACTOR = 0.5
"""Input pixels finer than that, in MIP pixels, would show nothing that the MIP holds."""


@dataclass(frozen=True)
class Frame:
    """Where the network's input lies in its picture.

    Args:
        picture: rows, columns of the picture.
        factor: picture pixels along the edge of an input pixel, a whole number but for some ready-made pictures.
        top, left: first row and column of the input, in input pixels.
        height, width: size of the input, in input pixels; multiples of the map's stride.
    """

    picture: tuple[int, int]
    factor: float
    top: int
    left: int
    height: int
    width: int

    def to_input(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn (N, 2) fractional (row, column) of the picture into those of the input; 0 is a pixel's centre."""
        return (points + 0.5) / self.factor - 0.5 - np.array([self.top, self.left])

    @property
    def covered(self) -> tuple[int, int]:
        """Rows, columns of the picture that the input covers, beyond its edge included."""
        return round(self.height * self.factor), round(self.width * self.factor)

    def paste(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Lay `values` of the size `covered` into a picture of zeros; what lies beyond it is cut."""
        picture = np.zeros(self.picture, np.float32)
        top, left = round(self.top * self.factor), round(self.left * self.factor)
        rows, columns = picture[top:, left:].shape
        part = values[:rows, :columns]
        picture[top : top + part.shape[0], left : left + part.shape[1]] = part
        return picture


def network_input(
    picture: NDArray[np.float32], pixel_mm: float, settings: TrainingSettings
) -> tuple[NDArray[np.float32], Frame]:
    """Make the network's input (height, width), float32 in [0, 1], from a picture (H, W) in SUV.

    A coarse pixel holds the maximum of the pixels it covers, which is the MIP of the coarser grid. Sides that are no
    multiple of the map's stride are filled up with 0.

    Raises:
        GeometryError: the input's pixel is finer than half the picture's.
    """
    factor = coarsening(pixel_mm, settings.input_mm)
    coarse = resample_plane(picture, factor)
    rows, columns = (
        body_box(coarse, settings.input_mm) if settings.crop else (slice(0, coarse.shape[0]), slice(0, coarse.shape[1]))
    )
    body = np.clip(coarse[rows, columns], 0, settings.suv_ceiling) / np.float32(settings.suv_ceiling)
    height, width = (math.ceil(side / settings.cam_stride) * settings.cam_stride for side in body.shape)
    values = np.zeros((height, width), np.float32)
    values[: body.shape[0], : body.shape[1]] = body
    return values, Frame(picture.shape, factor, rows.start, columns.start, height, width)  # type: ignore[arg-type]


def coarsening(pixel_mm: float, input_mm: float) -> float:
    """Picture pixels along the edge of an input pixel: a whole number where it is one within `FACTOR_TOLERANCE`.

    Raises:
        GeometryError: under `FINEST_FACTOR`.
    """
    ratio = input_mm / pixel_mm
    if ratio < FINEST_FACTOR:
        raise GeometryError(
            "PP-LEARN-PIXEL",
            "MIP",
            f"input_mm must be at least half its pixel of {pixel_mm:g} mm, got {input_mm:g} mm",
            "Set input_mm to a multiple of the MIPs' pixel size",
        )
    whole = max(1, round(ratio))
    return whole if abs(ratio / whole - 1) <= FACTOR_TOLERANCE else ratio


def body_box(picture: NDArray[np.float32], pixel_mm: float) -> tuple[slice, slice]:
    """Rows and columns of the rectangle around the body; the whole picture where no body is seen."""
    body = picture > BODY_SUV
    margin = math.ceil(BODY_MARGIN_MM / pixel_mm)
    box = []
    for axis, length in enumerate(picture.shape):
        kept = np.flatnonzero(np.count_nonzero(body, axis=1 - axis) >= BODY_RUN_PIXELS)
        if len(kept) == 0:
            return slice(0, picture.shape[0]), slice(0, picture.shape[1])
        box.append(slice(max(0, int(kept[0]) - margin), min(length, int(kept[-1]) + 1 + margin)))
    return box[0], box[1]
