"""What DICOM masks share: the source series' slices, the mask in their order, and who says that it is no diagnosis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation, ornt_transform
from numpy.typing import NDArray
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

    Raises:
        ImageReadError: a file of the series is gone or damaged.
    """
    slices = []
    for path in series.files:
        dataset = read_dicom_file(path, pixels=False).dataset
        with quiet_pydicom():
            for keyword in REQUIRED_BLANK:
                if keyword not in dataset:
                    setattr(dataset, keyword, "")
        slices.append(dataset)
    return slices


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
