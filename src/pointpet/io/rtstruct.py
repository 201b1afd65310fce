"""RTSTRUCT contours -> a mask on the PET's grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from pointpet.core import Grid, ImageReadError, Mask
from pointpet.image.suv_header import Attribute
from pointpet.io.dicom_file import PARSE_ERRORS, DicomFile, quiet_pydicom, read_dicom_file

RTSTRUCT_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
CONTOUR_DATA = Attribute("Contour Data", (0x3006, 0x0050))
CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
LARGEST_PLANE_STEP_MM = 6.0
"""Contours of other images are drawn on slices this thick at most; what is farther apart is two structures."""
FLATNESS = 0.1
"""In voxels: a contour that leaves its plane by more is not drawn on slices of this image."""


def read_rtstruct(path: Path, grid: Grid, *, roi: str | None = None) -> Mask:
    """Rasterise one structure: even-odd at voxel centres; contours of one plane exclude each other, so holes stay open.

    Where the contour planes are slices of this grid, each fills its own slice. Where they were drawn on another image,
    each slice takes the plane nearest to it, no farther than half the distance between planes.

    Args:
        path: the RTSTRUCT file. grid: the PET's. roi: ROI Name (3006,0026), in any case; may be left out where there is
            one only.

    Raises:
        ImageReadError: no RTSTRUCT, no such ROI or several to choose from, no closed contour, or all outside the grid.
    """
    file = read_dicom_file(Path(path))
    try:
        with quiet_pydicom():
            contours = _contours(file.dataset, file.path, roi)
    except PARSE_ERRORS as error:
        raise _error(file.name, "DAMAGED", "its contours cannot be parsed", "Export the structure set again") from error
    indices = [grid.indices(points) for points in contours]
    axis = _slice_axis(file.name, indices)
    return Mask(_rasterise(file.name, indices, grid, axis), grid.affine)


def _error(name: str, code: str, problem: str, remedy: str) -> ImageReadError:
    return ImageReadError(f"PP-RTSTRUCT-{code}", f"file {name}", problem, remedy)


def _contours(dataset: Dataset, path: Path, roi: str | None) -> list[NDArray[np.float64]]:
    """The closed contours of one ROI, each (N, 3) in RAS+ mm."""
    name = path.name
    if dataset.get("SOPClassUID") != RTSTRUCT_STORAGE:
        raise _error(name, "KIND", f"must be an RT Structure Set, got {dataset.get('Modality')}", "Give the RTSTRUCT")
    number = _roi_number(dataset, name, roi)
    contours = []
    for item in dataset.get("ROIContourSequence") or ():
        if int(item.ReferencedROINumber) != number:
            continue
        for contour in item.get("ContourSequence") or ():
            # Read as one text: as single elements, tens of thousands of numbers would take seconds.
            points = np.array(DicomFile(path, contour).numbers(CONTOUR_DATA))
            if contour.ContourGeometricType not in CLOSED or points.size < 9:
                continue
            if points.size % 3 or not np.isfinite(points).all():
                raise _error(name, "POINTS", "a contour must be triples of finite numbers", "Export it again")
            contours.append(points.reshape(-1, 3) * (-1.0, -1.0, 1.0))
    if not contours:
        raise _error(name, "EMPTY", "the ROI has no closed contour", "Draw the contour, or name another ROI")
    return contours


def _roi_number(dataset: Dataset, name: str, roi: str | None) -> int:
    rois = {int(item.ROINumber): str(item.get("ROIName", "")).strip() for item in dataset.StructureSetROISequence}
    listing = ", ".join(repr(title) for title in rois.values()) or "none"
    wanted = [number for number, title in rois.items() if roi is None or title.casefold() == roi.strip().casefold()]
    if len(wanted) == 1:
        return wanted[0]
    if roi is None:
        raise _error(
            name,
            "SEVERAL",
            f"must hold one ROI, or one must be named; it holds {listing}",
            "Name it in mask_roi of cohort.csv",
        )
    raise _error(name, "ROI", f"must hold one ROI {roi!r}, got {listing}", "Correct the ROI's name")


def _slice_axis(name: str, indices: Sequence[NDArray[np.float64]]) -> int:
    """The voxel axis that the contours are perpendicular to."""
    spread = np.max([np.ptp(points, axis=0) for points in indices], axis=0)
    axis = int(np.argmin(spread))
    if spread[axis] > FLATNESS:
        raise _error(
            name,
            "PLANE",
            f"its contours leave the slices by {spread[axis]:.2f} voxels",
            "Give the structure set that was drawn on this PET",
        )
    return axis


def _rasterise(name: str, indices: Sequence[NDArray[np.float64]], grid: Grid, axis: int) -> NDArray[np.bool_]:
    voxels = np.zeros(grid.shape, bool)
    slices = np.moveaxis(voxels, axis, 0)
    heights = np.array([points[:, axis].mean() for points in indices])
    planes = _planes(heights)
    reach = _reach(planes, float(grid.spacing_mm[axis]))
    for index in range(grid.shape[axis]):
        nearest = int(np.argmin(np.abs(planes - index)))
        if abs(planes[nearest] - index) <= reach:
            for points, height in zip(indices, heights, strict=True):
                if abs(height - planes[nearest]) <= FLATNESS:
                    slices[index] ^= _inside(np.delete(points, axis, axis=1), slices.shape[1:])
    if not voxels.any():
        raise _error(
            name, "OUTSIDE", "no voxel of the PET lies inside its contours", "Give the structure set of this PET"
        )
    return voxels


def _reach(planes: NDArray[np.float64], spacing_mm: float) -> float:
    """How far from a contour plane a slice may lie to be filled by it, in slices."""
    if np.abs(planes - np.rint(planes)).max() <= FLATNESS:
        return FLATNESS
    step = float(np.diff(planes).min()) if len(planes) > 1 else 1.0
    return 0.5 * min(step, LARGEST_PLANE_STEP_MM / spacing_mm) + FLATNESS


def _planes(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distinct heights, in slices; what differs by less than `FLATNESS` is one plane."""
    ordered = np.sort(heights)
    starts = np.concatenate([[True], np.diff(ordered) > FLATNESS])
    return ordered[starts]


def _inside(polygon: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(U, V) bool: pixel centres inside one polygon (N, 2), in pixels, by the even-odd rule."""
    from skimage.measure import grid_points_in_poly  # loads slowly, and few cohorts have an RTSTRUCT

    inside = np.zeros(shape, bool)
    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 1, shape)
    if (high > low).all():
        box = tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))
        inside[box] = grid_points_in_poly(tuple(high - low), polygon - low)
    return inside
