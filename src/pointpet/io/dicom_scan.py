"""Find the PET series in a tree of DICOM files: any nesting, many patients, other series beside them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from pointpet.core import ImageReadError
from pointpet.io.dicom_file import DicomFile, read_dicom_file
from pointpet.io.dicom_header import PATIENT_ID, STUDY_UID
from pointpet.io.dicom_series import (
    READ_TAGS,
    SERIES_NUMBER,
    SERIES_UID,
    STUDY_DATE,
    LeftOut,
    Series,
    dicom_candidates,
    series_uid_of,
)
from pointpet.io.identity import FileNames, identifying_words


@dataclass(frozen=True)
class FoundSeries:
    """An attenuation-corrected static PET series.

    Args:
        files: in the order found. series_uid, study_uid: its identifiers.
        patient: what tells its patient from others: Patient ID, else the study. Never to be written to an output.
        study_date: DICOM DA, "" where absent. number: Series Number, "" where absent.
    """

    files: tuple[Path, ...]
    series_uid: str
    study_uid: str
    patient: str
    study_date: str
    number: str


def find_pet_series(root: Path) -> tuple[list[FoundSeries], list[LeftOut]]:
    """Look through a folder tree by its headers alone; nothing is decoded yet.

    Every attenuation-corrected static PET series is found, several of one study too. A damaged file is listed and does
    not stop the scan.

    Raises:
        ImageReadError: `root` is no folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise ImageReadError("PP-DICOM-FOLDER", root.name, "must be a folder of DICOM files", "Correct the path")
    left_out: list[LeftOut] = []
    faults: list[ImageReadError] = []
    found: list[FoundSeries] = []
    all_series = _all_series(root, left_out, faults)
    for one in all_series:
        reason = one.reason()
        if reason is None:
            found.append(_found(one))
        else:
            left_out.append(LeftOut(one.title, reason))
    left_out += [LeftOut.of(fault) for fault in faults]
    hide = _file_names(root, all_series).hide
    left_out = [replace(one, what=hide(one.what), reason=hide(one.reason)) for one in left_out]
    return sorted(found, key=lambda one: (one.patient, one.study_date, one.number, one.series_uid)), left_out


def _file_names(root: Path, all_series: list[Series]) -> FileNames:
    """The tree's files; of a patient whose every file is damaged nothing is known that could be hidden."""
    names = (name for _, _, found in os.walk(root) for name in found)
    words = identifying_words(file for one in all_series for file in one.files)
    return FileNames(names, words if all_series else None)


def _all_series(root: Path, left_out: list[LeftOut], faults: list[ImageReadError]) -> list[Series]:
    """Every series of the tree; slices that carry one series' identifier and two patients' are two series."""
    groups: dict[tuple[str | None, ...], list[DicomFile]] = {}
    for path in dicom_candidates(root, left_out, faults):
        try:
            file = read_dicom_file(path, READ_TAGS, pixels=False)
            series_uid = series_uid_of(file)
        except ImageReadError as error:
            faults.append(error)
            continue
        groups.setdefault((file.text(PATIENT_ID), file.text(STUDY_UID), series_uid), []).append(file)
    return [Series(tuple(files)) for files in groups.values()]


def _found(one: Series) -> FoundSeries:
    first = one.first
    study = first.text(STUDY_UID) or ""
    return FoundSeries(
        files=tuple(file.path for file in one.files),
        series_uid=first.text(SERIES_UID) or "",
        study_uid=study,
        patient=first.text(PATIENT_ID) or study,
        study_date=first.text(STUDY_DATE) or "",
        number=first.text(SERIES_NUMBER) or "",
    )
