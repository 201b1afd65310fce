"""Maximum intensity projections and activation maps with their geometry.

Shape letters: X, Y, Z cells of an isotropic grid along the world's axes (+R, +A, +S); U is X for
the coronal plane and Y for the sagittal one; H, W rows and columns of a picture (row 0 is the head; column 0 the
patient's right on the coronal, the front on the sagittal one).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pointpet.core.errors import GeometryError
from pointpet.core.volume import freeze


class Plane(StrEnum):
    """The two views."""

    CORONAL = "coronal"
    SAGITTAL = "sagittal"

    @property
    def axis(self) -> int:
        """World axis that runs across the picture: 0 (x) for coronal, 1 (y) for sagittal."""
        return 0 if self is Plane.CORONAL else 1

    @property
    def ray_axis(self) -> int:
        """World axis along which the maximum is taken."""
        return 1 - self.axis


def to_picture(values: NDArray) -> NDArray:
    """Turn plane values (U, Z) into a picture (H, W) = (Z, U), head first, right or front first; a view, not a copy."""
    return values.T[::-1, ::-1]


def from_picture(picture: NDArray) -> NDArray:
    """Turn a picture (H, W) back into plane values (U, Z); inverse of `to_picture`."""
    return picture[::-1, ::-1].T


@dataclass(frozen=True, eq=False)
class MipPair:
    """Coronal (X, Z) and/or sagittal (Y, Z) MIP in SUV.

    Args:
        coronal: (X, Z) float32, or None where the view is missing.
        sagittal: (Y, Z) float32, or None.
        pixel_mm: edge of a square pixel in mm.
        origin_mm: (3,) world RAS+ centre of cell (0, 0, 0) of the grid the pixels belong to; None for ready-made
            pictures, which have no world.
    """

    coronal: NDArray[np.float32] | None
    sagittal: NDArray[np.float32] | None
    pixel_mm: float
    origin_mm: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.coronal is None and self.sagittal is None:
            raise GeometryError("PP-MIP-EMPTY", "MIP", "needs at least one view, got none", "Give one")
        if not self.pixel_mm > 0:
            raise GeometryError("PP-MIP-PIXEL", "MIP", f"pixel_mm must be over 0, got {self.pixel_mm}", "Correct it")
        for name in ("coronal", "sagittal"):
            values = getattr(self, name)
            if values is None:
                continue
            if np.ndim(values) != 2:
                raise GeometryError("PP-MIP-SHAPE", f"{name} MIP", f"must be 2D, got {np.shape(values)}", "Correct it")
            object.__setattr__(self, name, freeze(values, np.float32))
        if (
            self.origin_mm is not None
            and len({values.shape[1] for values in (self.coronal, self.sagittal) if values is not None}) > 1
        ):
            raise GeometryError(
                "PP-MIP-HEIGHT", "MIP pair", "both views of one volume must share z", "Project both from one volume"
            )
        if self.origin_mm is not None:
            object.__setattr__(self, "origin_mm", freeze(np.array(self.origin_mm, np.float64)))

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The views that exist, coronal first."""
        return tuple(plane for plane in Plane if self.values(plane, required=False) is not None)

    def values(self, plane: Plane, *, required: bool = True) -> NDArray[np.float32] | None:
        """Plane values (U, Z); None for a missing view when not `required`."""
        values = self.coronal if plane is Plane.CORONAL else self.sagittal
        if values is None and required:
            raise GeometryError("PP-MIP-VIEW", f"{plane} MIP", "is needed, the pair has none", "Project both views")
        return values

    def picture(self, plane: Plane) -> NDArray[np.float32]:
        """The view as a picture (H, W), head first."""
        values = self.values(plane)
        assert values is not None
        return to_picture(values)

    def pixels(self, plane: Plane, points_mm: NDArray) -> NDArray[np.float64]:
        """Where world points (N, 3) fall in the picture: (N, 2) fractional (row, column), 0 at a pixel's centre."""
        if self.origin_mm is None:
            raise GeometryError(
                "PP-MIP-WORLD", "MIP", "has no world coordinates (ready-made picture)", "Give the point in pixels"
            )
        values = self.values(plane)
        assert values is not None
        cells = (np.atleast_2d(points_mm) - self.origin_mm) / self.pixel_mm
        rows = values.shape[1] - 1 - cells[:, 2]
        columns = values.shape[0] - 1 - cells[:, plane.axis]
        return np.stack([rows, columns], axis=1)


@dataclass(frozen=True, eq=False)
class TurnedMips:
    """MIPs of a patient who has turned about the long axis.

    Args:
        mips: in the world that turned with the patient.
        matrix: (4, 4) from the scan's world to that one, mm.
    """

    mips: MipPair
    matrix: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", freeze(self.matrix, np.float64))

    def pixels(self, plane: Plane, points_mm: NDArray) -> NDArray[np.float64]:
        """Where points (N, 3) of the scan's world fall in the picture, as `MipPair.pixels`."""
        points = np.atleast_2d(points_mm) @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return self.mips.pixels(plane, points)


@dataclass(frozen=True, eq=False)
class ActivationMap:
    """A class activation map at its input's size.

    Args:
        values: (U, Z) float32 in [0, 1].
        plane: which view.
        class_name: the class whose map it is.
        pixel_mm: edge of a pixel in mm.
        origin_mm: as in `MipPair`.
    """

    values: NDArray[np.float32]
    plane: Plane
    class_name: str
    pixel_mm: float
    origin_mm: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        values = freeze(self.values, np.float32)
        if values.ndim != 2 or not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise GeometryError(
                "PP-CAM-RANGE", f"{self.plane} activation map", "must be 2D with values in [0, 1]", "Normalise it first"
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "plane", Plane(self.plane))
        if self.origin_mm is not None:
            object.__setattr__(self, "origin_mm", freeze(np.array(self.origin_mm, np.float64)))

    @property
    def peak_cell(self) -> tuple[int, int]:
        """Index (u, z) of the highest value."""
        u, z = np.unravel_index(int(np.argmax(self.values)), self.values.shape)
        return int(u), int(z)
