"""A mask -> an RTSTRUCT that refers to its source series; read back, it gives the same mask."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from skimage.measure import find_contours

from pointpet.core import Grid, Mask
from pointpet.core.whole_file import atomic_path
from pointpet.io.dicom_file import quiet_pydicom
from pointpet.io.dicom_geometry import LPS_TO_RAS
from pointpet.io.dicom_masks import (
    MANUFACTURER,
    PATIENT_AND_STUDY,
    RESEARCH_USE,
    SERIES_NUMBER_OF_MASKS,
    MaskOrigin,
    in_slice_order,
    source_slices,
)
from pointpet.io.dicom_write import IMPLEMENTATION_UID
from pointpet.io.reading import DicomSeriesReference
from pointpet.io.rtstruct import RTSTRUCT_STORAGE

COLOUR = [255, 64, 64]
STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management, the retired class that RT Referenced Study still names."""


def write_rtstruct(
    path: Path, mask: Mask, stored: Grid, series: DicomSeriesReference, origin: MaskOrigin | None = None
) -> None:
    """Write `mask` as one ROI: closed contours half way between voxels inside and outside, holes as contours within.

    Args:
        path: the file. mask: on the PET's grid. stored: the PET's `stored` grid, the source's own order.
        series: the source; its headers are read again. origin: what was outlined, and by what.

    Raises:
        OutputError: the mask is empty or on another grid.
    """
    origin = origin or MaskOrigin()
    frames = in_slice_order(mask, stored, series, Path(path).name)
    now = datetime.now()
    dataset = _identity(source_slices(series)[0], now, origin)
    _add_structure_set(dataset, series, now, origin)
    _add_contours(dataset, frames, stored, series)
    _add_observation(dataset, origin)
    with quiet_pydicom(), atomic_path(path) as part:
        dcmwrite(part, dataset, enforce_file_format=True)


def _identity(source: Dataset, now: datetime, origin: MaskOrigin) -> Dataset:
    dataset = Dataset()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(RTSTRUCT_STORAGE)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    dataset.file_meta = meta
    for keyword in PATIENT_AND_STUDY:
        if keyword in source:
            dataset[keyword] = source[keyword]
    dataset.SOPClassUID = RTSTRUCT_STORAGE
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = generate_uid()
    dataset.SeriesNumber = SERIES_NUMBER_OF_MASKS + 1
    dataset.SeriesDescription = origin.description
    dataset.OperatorsName = ""
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = origin.algorithm[:64]
    dataset.SoftwareVersions = origin.version[:64]
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _add_structure_set(dataset: Dataset, series: DicomSeriesReference, now: datetime, origin: MaskOrigin) -> None:
    dataset.StructureSetLabel = "pointpet"
    dataset.StructureSetDescription = origin.description
    dataset.StructureSetDate, dataset.StructureSetTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    dataset.InstanceNumber = 1
    images = [_reference(series.sop_class_uid, uid) for uid in series.sop_instance_uids]
    referenced_series = Dataset()
    referenced_series.SeriesInstanceUID = series.series_uid
    referenced_series.ContourImageSequence = Sequence(images)
    study = _reference(STUDY_MANAGEMENT, series.study_uid)
    study.RTReferencedSeriesSequence = Sequence([referenced_series])
    frame = Dataset()
    frame.FrameOfReferenceUID = series.frame_of_reference_uid
    frame.RTReferencedStudySequence = Sequence([study])
    dataset.ReferencedFrameOfReferenceSequence = Sequence([frame])
    roi = Dataset()
    roi.ROINumber = 1
    roi.ReferencedFrameOfReferenceUID = series.frame_of_reference_uid
    roi.ROIName = origin.label[:64]
    roi.ROIDescription = f"{origin.algorithm} {origin.version}, {RESEARCH_USE}"[:1024]
    roi.ROIGenerationAlgorithm = "AUTOMATIC"
    roi.ROIGenerationDescription = f"{origin.algorithm} {origin.version}"[:64]
    dataset.StructureSetROISequence = Sequence([roi])


def _reference(sop_class: str, sop_instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = sop_instance
    return item


def _add_contours(dataset: Dataset, frames: NDArray[np.bool_], stored: Grid, series: DicomSeriesReference) -> None:
    contours = []
    to_lps = LPS_TO_RAS @ stored.affine
    for k in np.flatnonzero(frames.any(axis=(1, 2))):
        for outline in find_contours(np.pad(frames[k], 1).astype(float), 0.5):
            rows, columns = outline[:-1].T - 1.0
            indices = np.stack([columns, rows, np.full(len(rows), k), np.ones(len(rows))])
            item = Dataset()
            item.ContourImageSequence = Sequence([_reference(series.sop_class_uid, series.sop_instance_uids[int(k)])])
            item.ContourGeometricType = "CLOSED_PLANAR"
            item.NumberOfContourPoints = len(rows)
            item.ContourNumber = len(contours) + 1
            # A thousandth of a millimetre, four decimals, keeps DS values short; voxel centres are half a voxel away.
            item.ContourData = [f"{value:.4f}" for value in (to_lps @ indices)[:3].T.ravel()]
            contours.append(item)
    roi = Dataset()
    roi.ROIDisplayColor = COLOUR
    roi.ReferencedROINumber = 1
    roi.ContourSequence = Sequence(contours)
    dataset.ROIContourSequence = Sequence([roi])


def _add_observation(dataset: Dataset, origin: MaskOrigin) -> None:
    observation = Dataset()
    observation.ObservationNumber = 1
    observation.ReferencedROINumber = 1
    observation.ROIObservationDescription = f"{origin.label}, {RESEARCH_USE}"[:1024]
    observation.RTROIInterpretedType = "GTV"
    observation.ROIInterpreter = ""
    dataset.RTROIObservationsSequence = Sequence([observation])
