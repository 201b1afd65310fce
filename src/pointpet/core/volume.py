"""Three-dimensional images with their geometry. Shape letters: X, Y, Z voxels along the patient's left-to-right,
back-to-front and feet-to-head axes; N points."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pointpet.core.errors import GeometryError

GRID_TOLERANCE_MM = 1e-3
"""Two affines agree when no element differs by more: a thousandth of a millimetre is below any scanner's precision
and above the rounding of float32 headers."""


class Unit(StrEnum):
    """What a voxel's number means."""

    SUVBW = "g/mL"
    ACTIVITY = "Bq/mL"


def freeze(array: NDArray, dtype: type | np.dtype | None = None) -> NDArray:
    """Return a read-only view of `array` (copied only where its type must change)."""
    frozen = np.asarray(array, dtype=dtype).view()
    frozen.flags.writeable = False
    return frozen


def check_affine(affine: NDArray) -> NDArray[np.float64]:
    """Return `affine` as a read-only (4, 4) float64 matrix in mm, RAS+.

    Raises:
        GeometryError: not 4 x 4, not finite, or its axes are degenerate.
    """
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or not np.allclose(matrix[3], [0, 0, 0, 1]):
        raise GeometryError(
            "PP-GEO-AFFINE", "affine", f"must be a finite 4 x 4 matrix, got shape {matrix.shape}", "Correct the header"
        )
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if lengths.min() <= 0 or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 1e-3:
        raise GeometryError(
            "PP-GEO-SINGULAR",
            "affine",
            f"its axes must span space, got voxel sizes {lengths.round(4).tolist()} mm and determinant "
            f"{np.linalg.det(matrix[:3, :3]):.3g}",
            "Correct the header's orientation and spacing",
        )
    return freeze(matrix)


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape (X, Y, Z) and affine (4, 4), mm, RAS+ world: where voxels lie, without their values."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise GeometryError("PP-GEO-SHAPE", "grid", f"needs three axes, got shape {shape}", "Give a 3D image")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", check_affine(self.affine))

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """(3,) voxel edge lengths in mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def is_axis_aligned(self) -> bool:
        """True where each voxel axis runs along its own world axis, in the RAS+ sense (no flip, no obliquity)."""
        matrix = self.affine[:3, :3]
        off_axis = np.abs(matrix - np.diag(np.diag(matrix))) * np.array(self.shape)
        return bool((np.diag(matrix) > 0).all() and off_axis.max() <= GRID_TOLERANCE_MM)

    def world(self, indices: NDArray) -> NDArray[np.float64]:
        """Turn voxel indices (N, 3) into world coordinates (N, 3), mm, RAS+."""
        return np.atleast_2d(indices) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def indices(self, points_mm: NDArray) -> NDArray[np.float64]:
        """Turn world coordinates (N, 3), mm, RAS+, into fractional voxel indices (N, 3)."""
        inverse = np.linalg.inv(self.affine)
        return np.atleast_2d(points_mm) @ inverse[:3, :3].T + inverse[:3, 3]

    def contains(self, points_mm: NDArray) -> NDArray[np.bool_]:
        """Tell for each point (N, 3) whether it lies inside a voxel of this grid; (N,) bool."""
        indices = np.rint(self.indices(points_mm))
        return np.asarray(((indices >= 0) & (indices < np.array(self.shape))).all(axis=1))

    def matches(self, other: Grid) -> bool:
        """True where both have one shape and affines that agree within `GRID_TOLERANCE_MM`."""
        return self.shape == other.shape and bool(np.abs(self.affine - other.affine).max() <= GRID_TOLERANCE_MM)


@dataclass(frozen=True, eq=False)
class Volume:
    """A PET image in RAS+ voxel order.

    Args:
        voxels: (X, Y, Z) float32, finite.
        affine: (4, 4) mm, voxel index to world RAS+; axes closest to +R, +A, +S in that order, obliquity kept.
        unit: what a voxel's number means.
        stored: the grid as the source file holds it (its own axis order), so that a mask can go back to it; the
            volume's own grid where absent.
    """

    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]
    unit: Unit = Unit.SUVBW
    stored: Grid | None = None

    def __post_init__(self) -> None:
        voxels = freeze(self.voxels, np.float32)
        grid = Grid(voxels.shape, self.affine)  # type: ignore[arg-type]
        object.__setattr__(self, "voxels", voxels)
        object.__setattr__(self, "affine", grid.affine)
        object.__setattr__(self, "unit", Unit(self.unit))

    @property
    def grid(self) -> Grid:
        """The volume's own grid, RAS+ voxel order."""
        return Grid(self.voxels.shape, self.affine)  # type: ignore[arg-type]

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """(3,) voxel edge lengths in mm."""
        return self.grid.spacing_mm


@dataclass(frozen=True, eq=False)
class Mask:
    """A binary mask (X, Y, Z) in RAS+ voxel order on the grid of its PET; affine (4, 4) mm."""

    voxels: NDArray[np.bool_]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels)
        if voxels.dtype != np.bool_:
            raise GeometryError(
                "PP-MASK-TYPE", "mask", f"voxels must be boolean, got {voxels.dtype}", "Compare with a threshold first"
            )
        grid = Grid(voxels.shape, self.affine)  # type: ignore[arg-type]
        object.__setattr__(self, "voxels", freeze(voxels))
        object.__setattr__(self, "affine", grid.affine)

    @property
    def grid(self) -> Grid:
        """The mask's grid, RAS+ voxel order."""
        return Grid(self.voxels.shape, self.affine)  # type: ignore[arg-type]

    @property
    def volume_ml(self) -> float:
        """Volume of the mask in millilitres."""
        return float(np.count_nonzero(self.voxels)) * self.grid.voxel_ml


def require_same_grid(subject: str, volume: Volume, mask: Mask) -> None:
    """Stop unless `mask` lies on `volume`'s grid.

    Raises:
        GeometryError: shape or affine differ.
    """
    if not volume.grid.matches(mask.grid):
        raise GeometryError(
            "PP-GEO-GRID",
            subject,
            f"the mask must lie on the PET's grid {volume.grid.shape} at {volume.spacing_mm.round(3).tolist()} mm, got "
            f"{mask.grid.shape} at {mask.grid.spacing_mm.round(3).tolist()} mm",
            "Resample the mask onto the PET, or write 1 into mask_resample of its row in cohort.csv",
        )
