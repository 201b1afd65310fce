"""Where the slices of a series lie: order along the normal, checks, and the grid they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Grid, ImageReadError
from pointpet.image.suv_header import Attribute
from pointpet.io.dicom_file import DicomFile, file_error

POSITION = Attribute("Image Position (Patient)", (0x0020, 0x0032))
ORIENTATION = Attribute("Image Orientation (Patient)", (0x0020, 0x0037))
PIXEL_SPACING = Attribute("Pixel Spacing", (0x0028, 0x0030))
ROWS = Attribute("Rows", (0x0028, 0x0010))
COLUMNS = Attribute("Columns", (0x0028, 0x0011))

GAP_TOLERANCE = 0.01
"""Share of the slice spacing that a step may differ by: far above the rounding of decimal strings."""
SEAM_MM = 0.1
"""What a step at the seam of two bed positions may differ by, and a slice lie off the regular grid: scanners round the
table's travel (a GE Discovery ST: 0.02 to 0.08 mm). A fiftieth of the blur; a wrong slice is off by millimetres."""
SEAM_SHARE = 0.05
"""And never more than this share of the spacing, so that no missing slice of a fine grid passes for a seam."""
ORIENTATION_TOLERANCE = 1e-4
"""Greatest difference of direction cosines: 1e-4 is 0.05 mm over 500 mm."""
LARGEST_SIDE = 4096
"""PET matrices end at 1024; a header that asks for more would only reserve memory."""
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
ONE_FRAME = "Give one frame, or a static series"


@dataclass(frozen=True)
class SliceStack:
    """Files sorted along the normal, their grid (column, row, slice) in RAS+ mm, and what looked unusual."""

    files: tuple[DicomFile, ...]
    grid: Grid
    warnings: tuple[str, ...] = ()


def stack_slices(files: Sequence[DicomFile], subject: str) -> SliceStack:
    """Sort the files by position along the normal and check that they make one regular grid.

    Raises:
        ImageReadError: geometry absent or invalid, one slice, mixed orientation or shape, a gap, a duplicate.
    """
    if len(files) < 2:
        raise ImageReadError(
            "PP-DICOM-ONE-SLICE", subject, "needs two slices or more, got 1", "Give the whole series, not one slice"
        )
    directions, spacing_mm, shape = _plane(files)
    positions = np.array([_vector(file, POSITION, 3) for file in files])
    normal = np.cross(directions[0], directions[1])
    order = np.argsort(positions @ normal, kind="stable")
    files = tuple(files[index] for index in order)
    positions = positions[order]
    warnings = _check_steps(files, positions @ normal, subject)
    step = (positions[-1] - positions[0]) / (len(files) - 1)
    _check_drift(files, positions, step, normal)
    affine = np.eye(4)
    affine[:3, 0] = directions[0] * spacing_mm[1]
    affine[:3, 1] = directions[1] * spacing_mm[0]
    affine[:3, 2] = step
    affine[:3, 3] = positions[0]
    return SliceStack(files, Grid((shape[1], shape[0], len(files)), LPS_TO_RAS @ affine), warnings)


def _vector(file: DicomFile, attribute: Attribute, count: int) -> tuple[float, ...]:
    values = file.numbers(attribute)
    if len(values) != count or not np.isfinite(values).all():
        found = f"got {list(values)}" if values else "it is absent"
        raise file_error(
            file.name, "GEOMETRY", f"{attribute} must be {count} finite numbers, {found}", "Export the series again"
        )
    return values


def _plane(files: Sequence[DicomFile]) -> tuple[NDArray[np.float64], tuple[float, ...], tuple[int, int]]:
    """Row and column directions (2, 3), pixel spacing and shape (rows, columns), the same in every file."""
    first = files[0]
    orientation = np.array(_vector(first, ORIENTATION, 6))
    spacing_mm = _vector(first, PIXEL_SPACING, 2)
    shape = (first.integer(ROWS) or 0, first.integer(COLUMNS) or 0)
    raw_shape = (first.raw(ROWS), first.raw(COLUMNS))
    for file in files[1:]:
        if (file.raw(ROWS), file.raw(COLUMNS)) != raw_shape:
            other = (file.integer(ROWS) or 0, file.integer(COLUMNS) or 0)
            if other != shape:
                _refuse_mixed("SHAPE", f"{ROWS} x {COLUMNS}", (first, shape), (file, other))
        if np.abs(np.array(_vector(file, ORIENTATION, 6)) - orientation).max() > ORIENTATION_TOLERANCE:
            other = file.numbers(ORIENTATION)
            _refuse_mixed("ORIENTATION", str(ORIENTATION), (first, orientation.tolist()), (file, list(other)))
        if not np.allclose(_vector(file, PIXEL_SPACING, 2), spacing_mm, rtol=GAP_TOLERANCE / 10.0, atol=0):
            other = file.numbers(PIXEL_SPACING)
            _refuse_mixed("SPACING", str(PIXEL_SPACING), (first, list(spacing_mm)), (file, list(other)))
    if not (min(shape) >= 1 and max(shape) <= LARGEST_SIDE):
        raise file_error(
            first.name,
            "LAYOUT",
            f"{ROWS} x {COLUMNS} must be 1 to {LARGEST_SIDE}, got {shape[0]} x {shape[1]}",
            "Export the series again",
        )
    if min(spacing_mm) <= 0:
        raise file_error(
            first.name,
            "SPACING",
            f"{PIXEL_SPACING} must be more than 0 mm, got {list(spacing_mm)}",
            "Export the series again",
        )
    directions = orientation.reshape(2, 3)
    if np.abs(directions @ directions.T - np.eye(2)).max() > 10 * ORIENTATION_TOLERANCE:
        raise file_error(
            first.name,
            "ORIENTATION",
            f"{ORIENTATION} must be two perpendicular directions of length 1, got {orientation.tolist()}",
            "Export the series again",
        )
    return directions, spacing_mm, shape


def _refuse_mixed(code: str, what: str, one: tuple[DicomFile, object], other: tuple[DicomFile, object]) -> None:
    raise file_error(
        other[0].name,
        code,
        f"{what} is {other[1]}, but {one[1]} in file {one[0].name}: the slices do not make one volume",
        "Give each series a folder",
    )


def _check_steps(files: Sequence[DicomFile], along: NDArray[np.float64], subject: str) -> tuple[str, ...]:
    """Refuse duplicates, frames that repeat every position, and gaps; warn of seams between bed positions."""
    steps = np.diff(along)
    extent = along[-1] - along[0]
    spacing = float(np.median(steps[steps > GAP_TOLERANCE * extent / len(files)])) if extent > 0 else 0.0
    same = np.flatnonzero(steps <= GAP_TOLERANCE * spacing)
    if same.size:
        _refuse_repeated(files, along, int(same[0]), subject)
    off_mm = np.abs(steps - spacing)
    if (off_mm <= GAP_TOLERANCE * spacing).all():
        return ()
    regular = np.linspace(along[0], along[-1], len(along))
    worst = int(np.argmax(off_mm))
    largest_mm = min(SEAM_MM, SEAM_SHARE * spacing)
    if off_mm[worst] > largest_mm or np.abs(along - regular).max() > largest_mm:
        raise ImageReadError(
            "PP-DICOM-GAP",
            subject,
            f"slices must be {spacing:.4g} mm apart, but file {files[worst].name} and file {files[worst + 1].name} are "
            f"{steps[worst]:.4g} mm apart by {POSITION}: a slice is missing or misplaced",
            "Restore the missing slice",
        )
    return (
        f"slices are {spacing:.4g} mm apart, at the seams of bed positions up to {off_mm[worst]:.2g} mm more or less",
    )


def _refuse_repeated(files: Sequence[DicomFile], along: NDArray[np.float64], index: int, subject: str) -> None:
    places = np.unique(along.round(2), return_counts=True)[1]
    if places.min() == places.max() and places.size > 1:
        raise ImageReadError(
            "PP-DICOM-DYNAMIC",
            subject,
            f"each of the {places.size} positions is there {places[0]} times: a dynamic or gated series",
            ONE_FRAME,
        )
    raise ImageReadError(
        "PP-DICOM-DUPLICATE",
        subject,
        f"file {files[index].name} and file {files[index + 1].name} lie at one {POSITION}",
        "Remove the duplicate slice",
    )


def _check_drift(
    files: Sequence[DicomFile], positions: NDArray[np.float64], step: NDArray[np.float64], normal: NDArray[np.float64]
) -> None:
    """Refuse slices that are shifted sideways: a sheared stack is no grid of perpendicular axes."""
    relative = positions - positions[0]
    sideways_mm = np.linalg.norm(relative - np.outer(relative @ normal, normal), axis=1)
    worst = int(np.argmax(sideways_mm))
    if sideways_mm[worst] > max(SEAM_MM, GAP_TOLERANCE * float(step @ normal)):
        raise file_error(
            files[worst].name,
            "SHEAR",
            f"{POSITION} lies {sideways_mm[worst]:.3g} mm beside the normal through the first slice",
            "Export the series without gantry tilt",
        )
