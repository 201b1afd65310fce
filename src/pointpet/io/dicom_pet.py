"""A folder of DICOM files -> the PET as SUVbw on its own grid, RAS+."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from pointpet.core import Acquisition, Grid, ImageReadError, Unit, Volume
from pointpet.image.suv import suv_scaling
from pointpet.image.suv_header import PetHeader, SuvScaling
from pointpet.io.dicom_file import DicomFile, file_error, read_dicom_file
from pointpet.io.dicom_geometry import stack_slices
from pointpet.io.dicom_header import MODEL, STUDY_UID, pet_header
from pointpet.io.dicom_pixels import fill_slices
from pointpet.io.dicom_series import (
    FRAME_OF_REFERENCE,
    INSTANCE_NUMBER,
    READ_TAGS,
    SERIES_UID,
    SLICE_COUNT,
    SOP_CLASS,
    SOP_INSTANCE,
    LeftOut,
    Series,
    choose_pet,
    dicom_candidates,
    group_series,
)
from pointpet.io.identity import FileNames, identifying_words, names_hidden
from pointpet.io.reading import DicomSeriesReference, PetReading


def read_dicom_series(
    folder: Path, *, overrides: Mapping[str, str | float] | None = None, strict: bool = False
) -> PetReading:
    """Read the attenuation-corrected PET series of a folder and all below it.

    Args:
        folder: files of one study; other series (CT, RTSTRUCT, uncorrected PET) are left out with a warning.
        overrides: what the manifest supplies, see `suv_scaling`. strict: refuse every reinterpretation.

    Raises:
        ImageReadError: a file is damaged, the folder holds no PET or several, or the slices make no volume.
        SuvError: the header does not allow SUVbw.
    """
    folder = Path(folder)
    passed_over: list[LeftOut] = []
    with names_hidden(folder):
        files = [read_dicom_file(path, READ_TAGS) for path in dicom_candidates(folder, passed_over)]
        chosen, left_out = choose_pet(group_series(files), "the folder")
        del files
        return _read(chosen, passed_over + left_out, overrides or {}, strict)


def read_dicom_beside(
    path: Path, *, overrides: Mapping[str, str | float] | None = None, strict: bool = False
) -> PetReading:
    """Read the PET series that one DICOM file belongs to, from the files of its folder; as `read_dicom_series`."""
    path = Path(path)
    passed_over: list[LeftOut] = []
    with names_hidden(path, path.parent):
        wanted = read_dicom_file(path, READ_TAGS)
        beside = [file for file in dicom_candidates(path.parent, passed_over) if file.parent == path.parent]
        files = [wanted if file == path else read_dicom_file(file, READ_TAGS) for file in beside or [path]]
        same = [file for file in files if file.text(SERIES_UID) == wanted.text(SERIES_UID)]
        chosen, _ = choose_pet(group_series(same), f"file {path.name}")
        return _read(chosen, passed_over, overrides or {}, strict)


def read_dicom_files(
    paths: Sequence[Path], *, overrides: Mapping[str, str | float] | None = None, strict: bool = False
) -> PetReading:
    """Read the PET series that exactly these files make; as `read_dicom_series`."""
    with names_hidden(*map(Path, paths)):
        files = [read_dicom_file(path, READ_TAGS) for path in paths]
        chosen, left_out = choose_pet(group_series(files), f"file {Path(paths[0]).name} and those beside it")
        return _read(chosen, left_out, overrides or {}, strict)


def _read(
    series: Series, left_out: Sequence[LeftOut], overrides: Mapping[str, str | float], strict: bool
) -> PetReading:
    names = FileNames((one.what.removeprefix("file ") for one in left_out), identifying_words(series.files[:1]))
    remarks = [names.hide(str(one)) for one in left_out] + [
        f"instance {file.text(INSTANCE_NUMBER)} starts like a program; open it with DICOM software only"
        for file in series.files
        if file.has_executable_preamble
    ]
    stack = stack_slices(series.files, series.subject)
    files = stack.files
    header = pet_header(files, series.subject)
    scaling = suv_scaling(header, strict=strict, overrides=overrides)
    volume = _volume(files, stack.grid, scaling.factors, series.subject)
    stated = files[0].integer(SLICE_COUNT)
    if stated and stated != len(files):
        remarks.append(f"{SLICE_COUNT} states {stated}, {len(files)} are there: a part of the series")
    return PetReading(
        volume=volume,
        acquisition=_acquisition(header, scaling, files[0].text(MODEL)),
        notes=scaling.notes,
        warnings=(*remarks, *stack.warnings, *scaling.warnings),
        series=_reference(files),
    )


def _volume(files: Sequence[DicomFile], stored: Grid, factors: NDArray[np.float64], subject: str) -> Volume:
    """Fill the volume in RAS+ order at once, through a view of it in the files' order."""
    order = io_orientation(stored.affine)
    shape = tuple(int(n) for n in np.array(stored.shape)[np.argsort(order[:, 0])])
    voxels = np.empty(shape, np.float32, order="F")
    ras = np.column_stack([np.arange(3), np.ones(3)])
    fill_slices(files, factors, apply_orientation(voxels, ornt_transform(ras, order)))
    if not voxels.max() > 0:
        raise ImageReadError(
            "PP-DICOM-BLANK", subject, "needs a positive voxel, got none", "Export the series again from the scanner"
        )
    return Volume(voxels, stored.affine @ inv_ornt_aff(order, stored.shape), Unit.SUVBW, stored)


def _acquisition(header: PetHeader, scaling: SuvScaling, model: str | None) -> Acquisition:
    durations_s = np.asarray(header.frame_durations_ms) / 1000.0
    return Acquisition(
        weight_kg=scaling.weight_kg,
        height_m=scaling.height_m,
        sex=scaling.sex,
        dose_bq=scaling.dose_bq,
        half_life_s=scaling.half_life_s,
        uptake_s=scaling.uptake_s,
        frame_s=float(np.median(durations_s)) if np.isfinite(durations_s).all() else None,
        manufacturer=header.manufacturer,
        model=model,
    )


def _reference(files: Sequence[DicomFile]) -> DicomSeriesReference:
    first = files[0]
    for file in files:
        if not file.text(SOP_INSTANCE):
            raise file_error(file.name, "UID", f"{SOP_INSTANCE} is absent", "Export the series again")
    return DicomSeriesReference(
        files=tuple(file.path for file in files),
        sop_instance_uids=tuple(str(file.text(SOP_INSTANCE)) for file in files),
        sop_class_uid=first.text(SOP_CLASS) or "",
        series_uid=first.text(SERIES_UID) or "",
        study_uid=first.text(STUDY_UID) or "",
        frame_of_reference_uid=first.text(FRAME_OF_REFERENCE) or "",
    )
