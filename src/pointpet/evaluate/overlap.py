"""How well a mask covers the truth: Dice, surface Dice (NSD), HD95, sensitivity and volumes.

Conventions for empty masks:

- Truth empty (nothing to find): Dice, NSD, HD95 and sensitivity are None; only the false positive volume counts.
- Prediction empty, truth not: Dice, NSD and sensitivity are 0 and HD95 is the image's diagonal in mm, so that a case
  without an answer is counted as the worst answer and never dropped.

A surface voxel is one of the mask that has a face neighbour outside it, the space beyond the image included; distances
run between the centres of surface voxels. This is the definition of MONAI's `compute_hausdorff_distance` and
`compute_surface_dice` without sub-voxel areas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from pointpet.core import GRID_TOLERANCE_MM, GeometryError, Mask

NSD_TOLERANCE_MM = 2.0
"""Half a voxel of a usual PET: what two careful readers differ by."""

HD_PERCENTILE = 95.0

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Overlap:
    """Agreement of one predicted mask with its truth; None where a measure is undefined.

    Args:
        dice, nsd, sensitivity: 0 to 1. hd95_mm: mm.
        fp_ml, fn_ml: predicted volume outside the truth, true volume missed; None for pictures.
        volume_ml, truth_ml: both masks' volumes; None for pictures.
    """

    dice: float | None
    nsd: float | None
    hd95_mm: float | None
    sensitivity: float | None
    fp_ml: float | None = None
    fn_ml: float | None = None
    volume_ml: float | None = None
    truth_ml: float | None = None


def require_masks_match(prediction: Mask, truth: Mask) -> None:
    """Stop unless both masks lie on one grid.

    Raises:
        GeometryError: shape or affine differ.
    """
    if not prediction.grid.matches(truth.grid):
        raise GeometryError(
            "PP-GEO-GRID",
            "predicted mask",
            f"must lie on the truth's grid {truth.grid.shape} at {truth.grid.spacing_mm.round(3).tolist()} mm, got "
            f"{prediction.grid.shape} at {prediction.grid.spacing_mm.round(3).tolist()} mm",
            "Resample one onto the other",
        )


def require_shapes_match(subject: str, shape: tuple[int, ...], truth_shape: tuple[int, ...]) -> None:
    """Stop unless a picture has its truth's shape.

    Raises:
        GeometryError: the shapes differ.
    """
    if shape != truth_shape:
        raise GeometryError(
            "PP-GEO-PICTURE",
            subject,
            f"must have the truth's shape {truth_shape}, got {shape}",
            "Project the truth at the pixel size of the maps",
        )


def dice(prediction: Mask, truth: Mask) -> float | None:
    """Dice coefficient of two masks on one grid; None where the truth is empty.

    Raises:
        GeometryError: the masks lie on different grids.
    """
    require_masks_match(prediction, truth)
    box = _union_box(prediction.voxels, truth.voxels)
    return None if box is None else _dice(prediction.voxels[box], truth.voxels[box])


def compare_masks(prediction: Mask, truth: Mask) -> Overlap:
    """Measure a predicted mask against the truth, both (X, Y, Z) on one grid, oblique ones included.

    Raises:
        GeometryError: the masks lie on different grids.
    """
    require_masks_match(prediction, truth)
    scores = _compare(prediction.voxels, truth.voxels, truth.affine[:3, :3])
    voxel_ml = truth.grid.voxel_ml
    box = _union_box(prediction.voxels, truth.voxels) or (slice(0, 0),) * 3
    found, true = prediction.voxels[box], truth.voxels[box]
    return Overlap(
        *scores,
        fp_ml=np.count_nonzero(found & ~true) * voxel_ml,
        fn_ml=np.count_nonzero(true & ~found) * voxel_ml,
        volume_ml=np.count_nonzero(found) * voxel_ml,
        truth_ml=np.count_nonzero(true) * voxel_ml,
    )


def compare_pictures(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], pixel_mm: float) -> Overlap:
    """Measure a 2D mask (U, Z) against its truth; square pixels of `pixel_mm`; volumes are None.

    Raises:
        GeometryError: the shapes differ.
    """
    require_shapes_match("predicted picture mask", prediction.shape, truth.shape)
    return Overlap(*_compare(prediction, truth, np.eye(2) * pixel_mm))


def _compare(
    prediction: NDArray[np.bool_], truth: NDArray[np.bool_], axes_mm: NDArray[np.float64]
) -> tuple[float | None, float | None, float | None, float | None]:
    """Dice, NSD, HD95 and sensitivity; the columns of `axes_mm` are the voxel axes in mm."""
    box = _union_box(prediction, truth)
    if box is None or not truth[box].any():
        return None, None, None, None
    found, true = prediction[box], truth[box]
    if not found.any():
        return 0.0, 0.0, float(np.linalg.norm(axes_mm @ np.array(truth.shape))), 0.0
    to_truth, to_prediction = _surface_distances_mm(found, true, axes_mm)
    # Spacings from float32 headers and oblique grids make 2 mm a hair more: the grid's own tolerance takes it in.
    distances = np.concatenate([to_truth, to_prediction])
    nsd = float(np.mean(distances <= NSD_TOLERANCE_MM + GRID_TOLERANCE_MM))
    hd95 = max(np.percentile(to_truth, HD_PERCENTILE), np.percentile(to_prediction, HD_PERCENTILE))
    shared = np.count_nonzero(found & true)
    return (
        _dice(found, true),
        nsd,
        float(hd95),
        float(shared / np.count_nonzero(true)),
    )


def _dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float | None:
    size = np.count_nonzero(true)
    return float(2.0 * np.count_nonzero(found & true) / (size + np.count_nonzero(found))) if size else None


def _surface_distances_mm(
    found: NDArray[np.bool_], true: NDArray[np.bool_], axes_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances in mm from each surface voxel of one mask to the nearest of the other, both ways.

    A k-d tree over the surface voxels costs by their number; a distance transform would cost by the box, which for a
    threshold on a whole body is the whole image.
    """
    points_found, points_true = (_surface_points(voxels) @ axes_mm.T for voxels in (found, true))
    to_truth, _ = KDTree(points_true).query(points_found)
    to_prediction, _ = KDTree(points_found).query(points_true)
    return np.asarray(to_truth), np.asarray(to_prediction)


def _surface_points(voxels: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices (N, n_axes) of the surface voxels."""
    return np.argwhere(voxels & ~binary_erosion(voxels))  # type: ignore[operator]


def _union_box(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Box | None:
    """Smallest box that holds both masks; None where both are empty."""
    boxes = [box for box in (_box(prediction), _box(truth)) if box is not None]
    if not boxes:
        return None
    return tuple(slice(min(s.start for s in axis), max(s.stop for s in axis)) for axis in zip(*boxes, strict=True))


def _box(voxels: NDArray[np.bool_]) -> Box | None:
    """Smallest box that holds a mask; None where it is empty. Each axis narrows what the next one reads."""
    box = [slice(None)] * voxels.ndim
    for axis in range(voxels.ndim):
        others = tuple(other for other in range(voxels.ndim) if other != axis)
        occupied = np.flatnonzero(voxels[tuple(box)].any(axis=others))
        if not len(occupied):
            return None
        box[axis] = slice(int(occupied[0]), int(occupied[-1]) + 1)
    return tuple(box)
