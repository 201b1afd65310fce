"""What DICOM masks share: the source series' slices, the mask in their order, and who says that it is no diagnosis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation, ornt_transform
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from pointpet._version import __version__
from pointpet.core import Grid, Mask, OutputError
from pointpet.io.dicom_file import quiet_pydicom, read_dicom_file
from pointpet.io.reading import DicomSeriesReference

RESEARCH_USE = "research use only"
MANUFACTURER = "pointpet"
SERIES_NUMBER_OF_MASKS = 9000
"""Far above a scanner's own series numbers."""

PATIENT_AND_STUDY = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
)
"""What a mask carries over, since it goes back to the archive of its source."""
_CARRIED_OVER = frozenset(tag_for_keyword(keyword) for keyword in PATIENT_AND_STUDY)
_PERSONAL_GROUPS = frozenset({0x0010, 0x0032, 0x0038, 0x0040})
"""Patient, request, visit and procedure: of these only `PATIENT_AND_STUDY` is carried over."""
_PERSONAL_TAGS = frozenset(
    tag_for_keyword(keyword)
    for keyword in (
        "InstitutionName",
        "InstitutionAddress",
        "InstitutionCodeSequence",
        "InstitutionalDepartmentName",
        "InstitutionalDepartmentTypeCodeSequence",
        "StationName",
        "ReferringPhysicianAddress",
        "ReferringPhysicianTelephoneNumbers",
        "ReferringPhysicianIdentificationSequence",
        "ConsultingPhysicianName",
        "PhysiciansOfRecord",
        "PhysiciansOfRecordIdentificationSequence",
        "PerformingPhysicianName",
        "PerformingPhysicianIdentificationSequence",
        "NameOfPhysiciansReadingStudy",
        "PhysiciansReadingStudyIdentificationSequence",
        "OperatorsName",
        "OperatorIdentificationSequence",
    )
)
"""Institution, department, station, and everybody who referred, performed, read or operated."""
REQUIRED_BLANK = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
)
"""Type 2: there, but blank where the source has none."""


@dataclass(frozen=True)
class MaskOrigin:
    """Who made a mask, as its file says.

    Args:
        label: what was outlined, at most 64 letters, such as `lung`.
        algorithm: the method's name. version: of the method or model.
    """

    label: str = "tumour"
    algorithm: str = "pointpet"
    version: str = __version__

    @property
    def description(self) -> str:
        """The series' description, at most 64 letters."""
        return f"pointpet {self.algorithm}: {self.label}"[: 62 - len(RESEARCH_USE)] + f", {RESEARCH_USE}"


def source_slices(series: DicomSeriesReference) -> list[Dataset]:
    """Headers of the source's slices in slice order, with blanks for the attributes that must be there.

    Of patient and study they hold `PATIENT_AND_STUDY` alone: a library that copies more has no more to copy.

    Raises:
        ImageReadError: a file of the series is gone or damaged.
    """
    slices = []
    for path in series.files:
        dataset = read_dicom_file(path, pixels=False).dataset
        for tag in [int(tag) for tag in dataset.keys() if _is_personal(int(tag))]:  # noqa: SIM118
            del dataset[tag]
        with quiet_pydicom():
            for keyword in REQUIRED_BLANK:
                if keyword not in dataset:
                    setattr(dataset, keyword, "")
        slices.append(dataset)
    return slices


def _is_personal(tag: int) -> bool:
    """True for what names or describes people and places beyond what the archive needs to file a mask."""
    return tag not in _CARRIED_OVER and (tag >> 16 in _PERSONAL_GROUPS or tag in _PERSONAL_TAGS)


def in_slice_order(mask: Mask, stored: Grid, series: DicomSeriesReference, subject: str) -> NDArray[np.bool_]:
    """(Z, rows, columns) bool in the order of the source's files.

    Raises:
        OutputError: the mask is empty, or `stored` is not the grid of these files.
    """
    if not mask.voxels.any():
        raise OutputError(
            "PP-OUT-EMPTY-MASK", subject, "an empty mask cannot be written as DICOM", "Write it as NIfTI, or leave it"
        )
    turn = ornt_transform(io_orientation(mask.affine), io_orientation(stored.affine))
    voxels = apply_orientation(mask.voxels, turn)
    if voxels.shape != stored.shape or stored.shape[2] != len(series.files):
        raise OutputError(
            "PP-OUT-GRID",
            subject,
            f"the mask has {voxels.shape} voxels in the source's order, its series {len(series.files)} files",
            "Give the mask on the grid of its PET",
        )
    return np.ascontiguousarray(voxels.transpose(2, 1, 0))
