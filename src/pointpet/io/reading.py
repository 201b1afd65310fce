"""What reading a PET gives: the volume, how it was acquired, what was reinterpreted, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pointpet.core import Acquisition, Volume
from pointpet.image.suv_header import Reinterpretation


@dataclass(frozen=True)
class DicomSeriesReference:
    """The series behind a volume, so that a mask can refer to it. Slices run along the normal of the image plane.

    Args:
        files: (Z,) in slice order. sop_instance_uids: (Z,) of those files.
        sop_class_uid, series_uid, study_uid, frame_of_reference_uid: of the series.
    """

    files: tuple[Path, ...]
    sop_instance_uids: tuple[str, ...]
    sop_class_uid: str
    series_uid: str
    study_uid: str
    frame_of_reference_uid: str


@dataclass(frozen=True, eq=False)
class PetReading:
    """A PET as SUVbw with its record.

    Args:
        volume: g/mL, RAS+ voxel order; `volume.stored` is the source's own order.
        acquisition: nothing that names a patient.
        notes: values that were not taken as they stood. warnings: what looks unusual.
        series: the DICOM series, None for NIfTI.
    """

    volume: Volume
    acquisition: Acquisition = field(default_factory=Acquisition)
    notes: tuple[Reinterpretation, ...] = ()
    warnings: tuple[str, ...] = ()
    series: DicomSeriesReference | None = None
