"""Reading scans and masks, and writing masks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from pointpet.core import Mask, Volume, require_same_grid
from pointpet.io import nifti, pet
from pointpet.io.reading import PetReading


class PetWarning(UserWarning):
    """Something about a scan is unusual, assumed, or not as its header states it."""


def read_pet(
    path: str | Path,
    *,
    units: str | None = None,
    header: Mapping[str, str | float] | None = None,
    strict: bool = False,
) -> Volume:
    """Read a PET as SUVbw.

    Args:
        path: folder of a DICOM series, one DICOM file of it, or a NIfTI file.
        units: `suv` or `bqml`, what a NIfTI holds; its sidecar tells where absent, else `suv` is assumed. DICOM states
            its own.
        header: what the header lacks: `weight_kg`, `height_m`, `sex`, `dose_bq`, `half_life_s`, `injection_time`.
        strict: refuse a header that would have to be reinterpreted.

    Returns:
        (X, Y, Z) in g/mL, RAS+ voxel order; `Volume.stored` is the file's own grid, to which `write_mask` goes back.

    Warns:
        PetWarning: a unit was assumed, a header value reinterpreted, or the values are unusual for SUV.

    Raises:
        ImageReadError: no readable PET. SuvError: no SUV without guessing. GeometryError: the slices make no grid.
    """
    reading = pet.read_pet(Path(path), unit=units, overrides=header, strict=strict)
    for text in _remarks(reading):
        warnings.warn(text, PetWarning, stacklevel=2)
    return reading.volume


def _remarks(reading: PetReading) -> list[str]:
    guessed = [note for note in reading.notes if not note.by_user]
    return [*reading.warnings, *(f"{one.tag} is {one.found!r}, taken as {one.used!r}: {one.why}" for one in guessed)]


def read_mask(path: str | Path, volume: Volume, *, roi: str | None = None, resample: bool = False) -> Mask:
    """Read a mask of `volume`.

    Args:
        path: NIfTI, or an RTSTRUCT or DICOM SEG file or a folder that holds one.
        volume: the PET it belongs to.
        roi: name of the structure or segment, of several.
        resample: bring a NIfTI mask of another grid to the PET's by nearest neighbour instead of refusing it.

    Returns:
        (X, Y, Z) on the volume's grid.

    Raises:
        ImageReadError: no readable mask. GeometryError: it lies on another grid.
    """
    return pet.read_any_mask(Path(path), volume, roi, resample=resample)


def write_mask(path: str | Path, mask: Mask, volume: Volume) -> None:
    """Write a mask as NIfTI with the shape, voxel order and affine of the file that `volume` was read from.

    Args:
        path: `.nii.gz` or `.nii`. mask: on the volume's grid. volume: the PET.

    Raises:
        GeometryError: the mask lies on another grid.
    """
    require_same_grid("mask", volume, mask)
    nifti.write_mask(Path(path), mask, volume.stored)
