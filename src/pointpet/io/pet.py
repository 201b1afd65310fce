"""One way to read a PET, whatever it is stored as, and one way to read a mask of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pointpet.core import Acquisition, ImageReadError, Mask, SuvError, Unit, Volume
from pointpet.image.acquisition_qc import BODY_MEDIAN_SUV
from pointpet.image.body import body_median_suv
from pointpet.image.suv import refuse_guesses, suv_scaling
from pointpet.image.suv_header import PetHeader, Reinterpretation, SuvScaling
from pointpet.io.dicom_file import read_dicom_file
from pointpet.io.dicom_pet import read_dicom_beside, read_dicom_series
from pointpet.io.dicom_seg import SEG_STORAGE, read_seg
from pointpet.io.dicom_series import SOP_CLASS, dicom_candidates
from pointpet.io.identity import names_hidden
from pointpet.io.nifti import is_nifti, read_mask, read_nifti
from pointpet.io.reading import PetReading
from pointpet.io.rtstruct import RTSTRUCT_STORAGE, read_rtstruct

UNITS = {"suv": Unit.SUVBW, "g/ml": Unit.SUVBW, "bqml": Unit.ACTIVITY, "bq/ml": Unit.ACTIVITY}
"""What `pet_units`, `--units` and a sidecar may say, in small letters."""

LARGEST_BODY_MEDIAN = 50.0
"""No body has this median SUV; activity concentrations lie in the thousands."""


def read_pet(
    path: Path,
    *,
    unit: str | None = None,
    overrides: Mapping[str, str | float] | None = None,
    strict: bool = False,
) -> PetReading:
    """Read a PET as SUVbw.

    Args:
        path: folder of a DICOM series, one DICOM file of it, or a NIfTI file.
        unit: `suv` or `bqml`, what a NIfTI holds; its sidecar (`NAME.json`) tells where absent, else `suv` is assumed
            with a warning. A DICOM header states its own unit.
        overrides: what the manifest supplies: `weight_kg`, `height_m`, `sex`, `dose_bq`, `half_life_s`,
            `injection_time`, and `glucose_mmol_l`, of which no SUV depends. A NIfTI in Bq/mL needs `weight_kg` and
            `dose_bq`, the dose at the time that the image is decay-corrected to: the file states no times, so that
            nothing can be decayed.
        strict: refuse every reinterpretation.

    Raises:
        ImageReadError: no readable PET. SuvError: no SUV can be computed without guessing.
    """
    path = Path(path)
    beside = {name: float(value) for name, value in (overrides or {}).items() if name in _BESIDE_SUV}
    overrides = {name: value for name, value in (overrides or {}).items() if name not in _BESIDE_SUV}
    if unit is not None and unit.strip().lower() not in UNITS:
        raise ImageReadError("PP-PET-UNIT", path.name, f"units must be suv or bqml, got {unit!r}", "Correct pet_units")
    if path.is_dir():
        reading = read_dicom_series(path, overrides=overrides, strict=strict)
    elif is_nifti(path):
        reading = _read_nifti_pet(path, unit, overrides, strict)
    elif path.exists():
        reading = read_dicom_beside(path, overrides=overrides, strict=strict)
    else:
        raise ImageReadError("PP-PET-MISSING", path.name, "does not exist", "Correct the path")
    return replace(
        reading,
        acquisition=replace(reading.acquisition, **beside),
        warnings=(*reading.warnings, *_unusual_values(reading.volume)),
    )


def read_any_mask(path: Path, volume: Volume, roi: str | None = None, *, resample: bool = False) -> Mask:
    """Read a mask of `volume` from a NIfTI file, or from an RTSTRUCT or DICOM SEG file or a folder that holds one.

    Args:
        path: the file or folder. volume: the PET it belongs to. roi: which structure or segment, of several.
        resample: bring a NIfTI mask of another grid to the PET's by nearest neighbour instead of refusing it.

    Raises:
        ImageReadError: no readable mask. GeometryError: it lies on another grid.
    """
    path = Path(path)
    if is_nifti(path):
        return read_mask(path, volume, resample=resample)
    if not path.exists():
        raise ImageReadError("PP-MASK-MISSING", path.name, "does not exist", "Correct the path")
    with names_hidden(path):
        for candidate in list(dicom_candidates(path, [])) if path.is_dir() else [path]:
            sop_class = read_dicom_file(candidate, (SOP_CLASS.number,), pixels=False).text(SOP_CLASS)
            if sop_class == RTSTRUCT_STORAGE:
                return read_rtstruct(candidate, volume.grid, roi=roi)
            if sop_class in SEG_STORAGE:
                return read_seg(candidate, volume.grid, segment=roi)
    raise ImageReadError(
        "PP-MASK-KIND", path.name, "must be NIfTI, RTSTRUCT or DICOM SEG, and is not", "Convert the mask to one"
    )


def _read_nifti_pet(path: Path, unit: str | None, overrides: Mapping[str, str | float], strict: bool) -> PetReading:
    sidecar = read_sidecar(path)
    stated = unit or sidecar.get("unit")
    warnings = [str(warning) for warning in _listed(sidecar, "warnings")]
    if stated is None:
        warnings.append("its unit is not stated anywhere, SUV was assumed")
    volume = read_nifti(path, UNITS.get(str(stated or "suv").lower(), Unit.SUVBW))
    known = _known_facts(sidecar.get("acquisition", {}))
    notes = read_sidecar_notes(sidecar)
    if strict:
        refuse_guesses(path.name, notes)
    if volume.unit is Unit.SUVBW:
        _refuse_activity(path, volume)
        known |= {name: value for name, value in overrides.items() if name in _ACQUISITION_NAMES}
        return PetReading(volume, _acquisition(path, known), notes, tuple(warnings))
    scaling = _activity_scaling(path, overrides, strict)
    if "injection_time" in overrides:
        warnings.append("injection_time is not used: dose_bq counts at the time the image is decay-corrected to")
    known |= {"weight_kg": scaling.weight_kg, "dose_bq": scaling.dose_bq}
    suv = Volume(volume.voxels * np.float32(scaling.factors[0]), volume.affine, Unit.SUVBW, volume.stored)
    return PetReading(suv, _acquisition(path, known), (*notes, *scaling.notes), (*warnings, *scaling.warnings))


def _activity_scaling(path: Path, overrides: Mapping[str, str | float], strict: bool) -> SuvScaling:
    """The factor of an image in Bq/mL whose dose is stated at the time it is decay-corrected to."""
    for name in ("weight_kg", "dose_bq"):
        if name not in overrides:
            raise SuvError(
                "PP-SUV-NIFTI",
                path.name,
                f"is in Bq/mL, so that {name} is needed, and it is absent",
                f"Set {name} in the manifest, or give the image in SUV",
            )
    header = PetHeader(
        slopes=np.ones(1),
        units="BQML",
        decay_correction="ADMIN",
        corrected_image=("ATTN", "DECY"),
        subject=path.name,
    )
    used = {name: value for name, value in overrides.items() if name != "injection_time"}
    return suv_scaling(header, strict=strict, overrides=used)


def sidecar_path(path: Path) -> Path:
    """`NAME.json` beside `NAME.nii` or `NAME.nii.gz`."""
    name = path.name
    for ending in (".nii.gz", ".nii"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    return path.with_name(f"{name}.json")


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return what the sidecar of a NIfTI says, nothing where there is none.

    Raises:
        ImageReadError: the sidecar is no JSON object, or states an unknown unit.
    """
    file = sidecar_path(path)
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ImageReadError(
            "PP-PET-SIDECAR", file.name, "must be JSON, and is not", "Correct or remove the sidecar"
        ) from error
    if not isinstance(content, dict):
        raise ImageReadError("PP-PET-SIDECAR", file.name, "must be a JSON object", "Correct or remove the sidecar")
    unit = content.get("unit")
    if unit is not None and str(unit).lower() not in UNITS:
        raise ImageReadError("PP-PET-UNIT", file.name, f"unit must be suv or bqml, got {unit!r}", "Correct the sidecar")
    return content


_ACQUISITION_NAMES = frozenset(field.name for field in fields(Acquisition))
_BESIDE_SUV = frozenset({"glucose_mmol_l"})
"""What a manifest says of an acquisition that no SUV depends on."""
_TEXT_NAMES = frozenset({"sex", "manufacturer", "model"})


def _known_facts(stated: object) -> dict[str, Any]:
    if not isinstance(stated, Mapping):
        return {}
    return {name: value for name, value in stated.items() if name in _ACQUISITION_NAMES and value is not None}


def _acquisition(path: Path, facts: Mapping[str, Any]) -> Acquisition:
    try:
        known: dict[str, Any] = {
            name: str(value) if name in _TEXT_NAMES else float(value) for name, value in facts.items()
        }
        return Acquisition(**known)
    except (TypeError, ValueError) as error:
        raise ImageReadError(
            "PP-PET-FACTS",
            path.name,
            f"what the sidecar or manifest says of the acquisition must be numbers ({error})",
            "Correct it",
        ) from error


def _listed(sidecar: Mapping[str, Any], name: str) -> list[Any]:
    stated = sidecar.get(name)
    return stated if isinstance(stated, list) else []


def read_sidecar_notes(sidecar: Mapping[str, Any]) -> tuple[Reinterpretation, ...]:
    """The header values that were not taken as they stood when the NIfTI was made."""
    return tuple(_note(item) for item in _listed(sidecar, "notes"))


def _note(item: object) -> Reinterpretation:
    stated = item if isinstance(item, Mapping) else {}
    words = {name: str(stated.get(name, "")) for name in ("code", "tag", "found", "used", "why")}
    return Reinterpretation(**words, by_user=bool(stated.get("by_user", False)))


def _refuse_activity(path: Path, volume: Volume) -> None:
    median = body_median_suv(volume)
    if median > LARGEST_BODY_MEDIAN:
        raise SuvError(
            "PP-SUV-ACTIVITY",
            path.name,
            f"is taken as SUV, but the body's median is {median:.4g}, which looks like Bq/mL",
            "Set pet_units (--units) to bqml and give weight_kg and dose_bq",
        )


def _unusual_values(volume: Volume) -> tuple[str, ...]:
    low, high = BODY_MEDIAN_SUV
    median = body_median_suv(volume)
    if low <= median <= high:
        return ()
    return (f"the body's median SUV is {median:.3g}, usual are {low:g} to {high:g}: the values may not be SUV",)
