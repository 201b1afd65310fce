"""SUV volumes -> a PET Image Storage series as a scanner exports it: Bq/mL, decay-corrected to the scan's start."""

from __future__ import annotations

import math
import os
import secrets
import shutil
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from pointpet._version import __version__
from pointpet.core import Acquisition, Grid, OutputError, SuvError, Volume
from pointpet.image.suv_time import mean_count_time_s
from pointpet.io.dicom_geometry import LPS_TO_RAS
from pointpet.io.dicom_series import PET_STORAGE

F18_HALF_LIFE_S = 6586.2
USUAL_FRAME_S = 120.0
LARGEST_STORED = 32767
"""Signed 16 bits, as scanners write."""
IMPLEMENTATION_UID = generate_uid(entropy_srcs=["pointpet", "implementation"])


def write_pet_series(
    volume: Volume,
    acquisition: Acquisition,
    folder: Path,
    *,
    patient_id: str,
    scan_start: datetime | None = None,
    description: str = "PET",
    seed: int = 0,
) -> tuple[Path, ...]:
    """Write one file per transverse slice; equal arguments give equal bytes.

    Args:
        volume: SUVbw. acquisition: needs `weight_kg`, `dose_bq` (at injection) and `uptake_s`; F-18 and two minutes a
            frame where not stated.
        folder: made by this call; must be absent or empty. It appears whole or not at all.
        patient_id: becomes Patient ID and Patient's Name. scan_start: 2024-01-15 10:30 where absent.
        description: Series Description. seed: enters the UIDs beside the patient and the start.

    Returns:
        The files, feet first.

    Raises:
        SuvError: the acquisition lacks what SUV needs. OutputError: the folder is occupied or cannot be written.
    """
    folder = Path(folder)
    facts = _complete(acquisition)
    start = scan_start or datetime.combine(date(2024, 1, 15), time(10, 30))
    uids = _Uids(f"{patient_id}/{start.isoformat()}/{description}/{seed}")
    activity = volume.voxels.astype(np.float64) * _activity_per_suv(facts)
    grid, stored = _dicom_order(volume.grid, activity)
    template = _template(facts, grid, start, uids, patient_id, description)
    part = folder.with_name(f".part-{os.getpid()}-{secrets.token_hex(4)}-{folder.name}")
    if folder.exists() and any(folder.iterdir()):
        raise OutputError("PP-OUT-EXISTS", folder.name, "holds files already", "Give another place")
    try:
        part.mkdir(parents=True)
        names = [_write_slice(part, template, uids, stored[:, :, k], grid, k) for k in range(grid.shape[2])]
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise OutputError(
            "PP-OUT-WRITE", folder.name, f"cannot be written ({reason})", "Check space and permissions"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return tuple(folder / name for name in names)


class _Uids:
    """Unique identifiers that depend on the source text only."""

    def __init__(self, source: str) -> None:
        self.source = source

    def make(self, *names: object) -> UID:
        """The identifier of what `names` say it is; equal names give an equal one."""
        return generate_uid(entropy_srcs=[self.source, *map(str, names)])


def _complete(acquisition: Acquisition) -> Acquisition:
    missing = [name for name in ("weight_kg", "dose_bq", "uptake_s") if not getattr(acquisition, name)]
    if missing:
        raise SuvError(
            "PP-PET-ACQUISITION",
            "acquisition",
            f"{', '.join(missing)} must be stated to write SUV as activity",
            "State them",
        )
    return replace(
        acquisition,
        half_life_s=acquisition.half_life_s or F18_HALF_LIFE_S,
        frame_s=acquisition.frame_s or USUAL_FRAME_S,
    )


def _activity_per_suv(facts: Acquisition) -> float:
    """Bq/mL at the start of the scan for an SUV of 1 g/mL: the decayed dose over the weight in g."""
    decay = math.log(2.0) / facts.half_life_s  # type: ignore[operator]
    return facts.dose_bq * math.exp(-decay * facts.uptake_s) / (1000.0 * facts.weight_kg)  # type: ignore[operator]


def _dicom_order(grid: Grid, voxels: NDArray) -> tuple[Grid, NDArray]:
    """RAS+ voxels -> columns towards the patient's left, rows towards the back, slices towards the head."""
    affine = np.array(grid.affine)
    for axis in (0, 1):
        affine[:3, 3] += affine[:3, axis] * (grid.shape[axis] - 1)
        affine[:3, axis] *= -1.0
    return Grid(grid.shape, affine), voxels[::-1, ::-1]


def _template(
    facts: Acquisition, grid: Grid, start: datetime, uids: _Uids, patient_id: str, description: str
) -> Dataset:
    """All that the slices share."""
    dataset = Dataset()
    dataset.file_meta = _file_meta()
    _add_patient_and_study(dataset, facts, start, uids, patient_id)
    _add_series(dataset, facts, start, uids, description)
    _add_isotope(dataset, facts, start)
    _add_image(dataset, grid)
    return dataset


def _file_meta() -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(PET_STORAGE)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = f"POINTPET {__version__}"[:16]
    return meta


def _add_patient_and_study(dataset: Dataset, facts: Acquisition, start: datetime, uids: _Uids, patient_id: str) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = patient_id
    dataset.PatientID = patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = facts.sex or ""
    dataset.PatientWeight = _decimal(facts.weight_kg)
    if facts.height_m:
        dataset.PatientSize = _decimal(facts.height_m)
    dataset.StudyInstanceUID = uids.make("study")
    dataset.StudyDate, dataset.StudyTime = _da(start), _tm(start)
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""


def _add_series(dataset: Dataset, facts: Acquisition, start: datetime, uids: _Uids, description: str) -> None:
    frame_s = float(facts.frame_s or USUAL_FRAME_S)
    half_life_s = float(facts.half_life_s or F18_HALF_LIFE_S)
    dataset.Modality = "PT"
    dataset.SeriesInstanceUID = uids.make("series")
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = description
    dataset.SeriesDate, dataset.SeriesTime = _da(start), _tm(start)
    dataset.BodyPartExamined = "WHOLEBODY"  # no pair of sides, so that Laterality (0020,0060) is not asked for
    dataset.Manufacturer = facts.manufacturer or "pointpet"
    dataset.ManufacturerModelName = facts.model or "digital phantom"
    dataset.DeviceSerialNumber = "1"
    dataset.SoftwareVersions = __version__
    dataset.FrameOfReferenceUID = uids.make("frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.Units = "BQML"
    dataset.CountsSource = "EMISSION"
    dataset.SeriesType = ["STATIC", "IMAGE"]
    dataset.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    dataset.DecayCorrection = "START"
    dataset.RandomsCorrectionMethod = "DLYD"
    dataset.AttenuationCorrectionMethod = "CT"
    dataset.ScatterCorrectionMethod = "model based"
    dataset.ReconstructionMethod = "OSEM"
    dataset.CollimatorType = "NONE"
    dataset.AcquisitionDate, dataset.AcquisitionTime = _da(start), _tm(start)
    dataset.ContentDate, dataset.ContentTime = _da(start), _tm(start)
    dataset.ActualFrameDuration = round(1000.0 * frame_s)
    mean_s = float(mean_count_time_s(np.array([frame_s]), half_life_s)[0])
    dataset.FrameReferenceTime = _decimal(round(1000.0 * mean_s, 3))
    dataset.DecayFactor = _decimal(round(2.0 ** (mean_s / half_life_s), 6))


def _add_isotope(dataset: Dataset, facts: Acquisition, start: datetime) -> None:
    injected = start - timedelta(seconds=float(facts.uptake_s or 0.0))
    drug = Dataset()
    drug.Radiopharmaceutical = "Fluorodeoxyglucose F^18^"
    drug.RadiopharmaceuticalStartTime = _tm(injected)
    drug.RadiopharmaceuticalStartDateTime = _da(injected) + _tm(injected)
    drug.RadionuclideTotalDose = _decimal(facts.dose_bq)
    drug.RadionuclideHalfLife = _decimal(facts.half_life_s)
    drug.RadionuclidePositronFraction = _decimal(0.967)
    drug.RadionuclideCodeSequence = [_coded(codes.SCT._18Fluorine)]
    drug.RadiopharmaceuticalCodeSequence = [_coded(codes.SCT.FluorodeoxyglucoseF18)]
    dataset.RadiopharmaceuticalInformationSequence = [drug]
    orientation = _coded(codes.SCT.Recumbent)
    orientation.PatientOrientationModifierCodeSequence = [_coded(codes.SCT.Supine)]
    dataset.PatientOrientationCodeSequence = [orientation]
    dataset.PatientGantryRelationshipCodeSequence = [_coded(codes.SCT.Headfirst)]


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def _add_image(dataset: Dataset, grid: Grid) -> None:
    directions, spacing_mm = _lps_axes(grid)
    dataset.SOPClassUID = PET_STORAGE
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.Columns, dataset.Rows, dataset.NumberOfSlices = grid.shape
    dataset.PixelSpacing = [_decimal(spacing_mm[1]), _decimal(spacing_mm[0])]
    dataset.SliceThickness = _decimal(spacing_mm[2])
    dataset.ImageOrientationPatient = [_decimal(cosine) for cosine in directions[:2].ravel()]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.RescaleIntercept = "0"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"


def _lps_axes(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit directions (3, 3), one a row, in LPS, and spacing (3,) in mm."""
    axes = (LPS_TO_RAS @ grid.affine)[:3, :3]
    return (axes / grid.spacing_mm).T, grid.spacing_mm


def _write_slice(folder: Path, template: Dataset, uids: _Uids, activity: NDArray, grid: Grid, k: int) -> str:
    """Write slice `k` (column, row) and return its file name. `template` serves every slice in turn."""
    name = f"slice_{k:04d}.dcm"
    position = (LPS_TO_RAS @ grid.affine @ (0, 0, k, 1))[:3]
    largest = float(np.abs(activity).max())
    slope = float(_decimal(largest / LARGEST_STORED)) if largest > 0 else 1.0
    stored = np.rint(activity.T / slope).clip(-LARGEST_STORED, LARGEST_STORED).astype("<i2")
    template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = uids.make("slice", k)
    template.InstanceNumber = grid.shape[2] - k
    template.ImageIndex = grid.shape[2] - k
    template.ImagePositionPatient = [_decimal(value) for value in position]
    template.SliceLocation = _decimal(position[2])
    template.RescaleSlope = _decimal(slope)
    template.PixelData = stored.tobytes()
    dcmwrite(folder / name, template, enforce_file_format=True)
    return name


def _decimal(value: float | None) -> str:
    """A DS of at most 16 characters."""
    return format_number_as_ds(float(value or 0.0))


def _da(moment: datetime) -> str:
    return f"{moment:%Y%m%d}"


def _tm(moment: datetime) -> str:
    return f"{moment:%H%M%S.%f}"
