"""The scans that a command is given: a manifest's cases, or bare DICOM folders and NIfTI files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pointpet.core import Case, ImageReadError, Mask, Volume
from pointpet.core.cohort import CASE_ID
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.identity import reveals_patient
from pointpet.io.pet import PetReading, read_any_mask, read_pet

NIFTI_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class GivenInput:
    """What an output says of the input that it was made from.

    Args:
        number: its place on the command line, from 1.
        name: its bare name; None where that may name the patient. Its folder is never told.
    """

    number: int
    name: str | None


def expand_inputs(inputs: Sequence[Path], units: str | None) -> list[tuple[Case, GivenInput]]:
    """Turn command-line inputs into cases, each with the input that it comes from.

    A manifest gives its own case ids. A bare input is named after its file or folder where that is a valid id and
    holds nothing that the DICOM header knows the patient by; otherwise `case_N`.

    Raises:
        ImageReadError: an input that does not exist.
        Faults: a manifest is wrong.
    """
    cases: list[tuple[Case, GivenInput]] = []
    taken: set[str] = set()
    for number, path in enumerate(inputs, start=1):
        if not path.exists():
            raise ImageReadError("PP-INPUT-MISSING", path.name, "does not exist", "Check the path")
        if path.suffix.lower() == ".csv":
            found, name = read_cohort(path).cases, path.name
        else:
            own = _own_name(path)
            name = None if own is None else path.name
            case_id = f"case_{len(cases) + 1}" if own is None or own in taken else own
            found = (Case(case_id, pet=path, pet_units=units),)
        cases += [(case, GivenInput(number, name)) for case in found]
        taken.update(case.case_id for case in found)
    return cases


def read_case(case: Case, *, strict: bool = False) -> PetReading:
    """Read a case's PET as SUV.

    Raises:
        ImageReadError: the case has no PET, or it cannot be read.
        SuvError: no SUV without guessing.
    """
    if case.pet is None:
        raise ImageReadError(
            "PP-CASE-PET", f"case {case.case_id}", "has ready-made MIPs only, a PET volume is needed", "Fill in `pet`"
        )
    return read_pet(case.pet, unit=case.pet_units, overrides=dict(case.header), strict=strict)


def read_case_mask(case: Case, volume: Volume) -> Mask:
    """Read a case's reference mask.

    Raises:
        ImageReadError: no mask, one that cannot be read, or one without a voxel inside.
        GeometryError: it lies on another grid, and the manifest does not ask to resample it.
    """
    subject = f"case {case.case_id}"
    if case.mask is None:
        raise ImageReadError("PP-MASK-MISSING", subject, "has no reference mask", "Fill in `mask`")
    mask = read_any_mask(case.mask, volume, case.mask_roi, resample=case.mask_resample)
    if not mask.voxels.any():
        raise ImageReadError(
            "PP-MASK-EMPTY",
            case.mask.name,
            "a reference mask needs a voxel inside the PET, got none",
            "Correct the mask, or leave `mask` blank for a patient without lesions",
        )
    return mask


def _own_name(path: Path) -> str | None:
    """The name of a file or folder as a case id; None where it is none, or names the patient."""
    name = path.name
    for ending in NIFTI_ENDINGS:
        name = name.removesuffix(ending)
    return name if CASE_ID.fullmatch(name) and not reveals_patient(name, path) else None
