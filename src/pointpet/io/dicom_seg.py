"""DICOM SEG: written by highdicom from a mask, read (binary, fractional, label map) back onto the PET's grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from pointpet.core import GeometryError, Grid, ImageReadError, Mask, MissingExtraError
from pointpet.core.whole_file import atomic_path
from pointpet.io.dicom_file import PARSE_ERRORS, quiet_pydicom, read_dicom_file
from pointpet.io.dicom_geometry import SEAM_MM
from pointpet.io.dicom_masks import (
    MANUFACTURER,
    RESEARCH_USE,
    SERIES_NUMBER_OF_MASKS,
    MaskOrigin,
    in_slice_order,
    source_slices,
)
from pointpet.io.reading import DicomSeriesReference

SEG_STORAGE = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""
FRACTION = 0.5
"""From this probability or occupancy on, a voxel of a fractional segment is inside."""
LARGEST_SEG_VOXELS = 2**30
DIRECTION_TOLERANCE = 1e-3
"""In voxels per voxel: half a voxel over 500."""


def write_seg(
    path: Path, mask: Mask, stored: Grid, series: DicomSeriesReference, origin: MaskOrigin | None = None
) -> None:
    """Write `mask` as a binary Segmentation of its source series: coded as a neoplasm, by an automatic algorithm.

    Args:
        path: the file. mask: on the PET's grid. stored: the PET's `stored` grid, the source's own order.
        series: the source; its headers are read again. origin: what was outlined, and by what.

    Raises:
        MissingExtraError: highdicom is not installed. OutputError: the mask is empty or on another grid.
    """
    frames = in_slice_order(mask, stored, series, Path(path).name)
    used = np.flatnonzero(frames.any(axis=(1, 2)))
    frames = frames[used[0] : used[-1] + 1]
    slices = source_slices(series)[used[0] : used[-1] + 1]
    with quiet_pydicom():
        segmentation = _segmentation(frames, slices, origin or MaskOrigin())
        with atomic_path(path) as part:
            segmentation.save_as(part)


def _segmentation(frames: NDArray[np.bool_], slices: list[Dataset], origin: MaskOrigin) -> Any:
    try:
        import highdicom as hd
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "PP-EXTRA-DICOM", "DICOM SEG", "highdicom is not installed", "pip install 'pointpet[dicom]'"
        ) from error
    from pydicom.sr.codedict import codes

    segment = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label=origin.label[:64],
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=origin.algorithm, version=origin.version, family=codes.DCM.ArtificialIntelligence
        ),
        tracking_uid=generate_uid(),
        tracking_id=f"{origin.algorithm} {origin.label}"[:64],
    )
    return hd.seg.Segmentation(
        source_images=slices,
        pixel_array=frames,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBER_OF_MASKS,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=origin.algorithm,
        software_versions=origin.version,
        device_serial_number="none",
        content_description=f"{origin.label[:40]}, {RESEARCH_USE}",
        content_label="TUMOUR",
        series_description=origin.description,
        omit_empty_frames=True,
    )


def read_seg(path: Path, grid: Grid, *, segment: str | None = None) -> Mask:
    """Read one segment onto `grid`; frames that the file omits are empty.

    Args:
        path: the file. grid: the PET's, RAS+.
        segment: Segment Label (0062,0005), in any case; may be left out where there is one only.

    Raises:
        ImageReadError: no SEG, damaged, or no such segment. GeometryError: its frames are not slices of this grid.
    """
    file = read_dicom_file(Path(path))
    try:
        with quiet_pydicom():
            return Mask(_read(file.dataset, file.name, grid, segment), grid.affine)
    except PARSE_ERRORS as error:
        raise _error(file.name, "DAMAGED", "its frames cannot be parsed", "Export the segmentation again") from error


def _error(name: str, code: str, problem: str, remedy: str) -> ImageReadError:
    return ImageReadError(f"PP-SEG-{code}", f"file {name}", problem, remedy)


def _read(dataset: Dataset, name: str, grid: Grid, segment: str | None) -> NDArray[np.bool_]:
    if str(dataset.get("SOPClassUID")) not in SEG_STORAGE:
        raise _error(name, "KIND", f"must be a Segmentation, got {dataset.get('Modality')}", "Give the DICOM SEG")
    count = int(dataset.get("NumberOfFrames", 1))
    if count * int(dataset.Rows) * int(dataset.Columns) > LARGEST_SEG_VOXELS:
        raise _error(
            name, "SIZE", f"asks for {count} frames of {dataset.Rows} x {dataset.Columns}, too many", "Crop it first"
        )
    number = _segment_number(dataset, name, segment)
    frames = dataset.pixel_array.reshape(count, int(dataset.Rows), int(dataset.Columns))
    voxels = np.zeros(grid.shape, bool)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for index, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        if dataset.SegmentationType == "LABELMAP":
            inside = frames[index] == number
        elif int(_group(shared, groups, "SegmentIdentificationSequence").ReferencedSegmentNumber) == number:
            inside = frames[index] >= _threshold(dataset)
        else:
            continue
        if inside.any():
            _FramePlace.of(shared, groups, grid, name).put(inside, voxels)
    return voxels


def _threshold(dataset: Dataset) -> float:
    """From this stored value on, a voxel is inside."""
    is_fractional = dataset.SegmentationType == "FRACTIONAL"
    return FRACTION * int(dataset.MaximumFractionalValue) if is_fractional else 1.0


def _segment_number(dataset: Dataset, name: str, segment: str | None) -> int:
    labels = {int(item.SegmentNumber): str(item.get("SegmentLabel", "")).strip() for item in dataset.SegmentSequence}
    labels.pop(0, None)
    listing = ", ".join(repr(label) for label in labels.values()) or "none"
    wanted = [n for n, label in labels.items() if segment is None or label.casefold() == segment.strip().casefold()]
    if len(wanted) == 1:
        return wanted[0]
    if segment is None:
        raise _error(
            name,
            "SEVERAL",
            f"must hold one segment, or one must be named; it holds {listing}",
            "Name it in mask_roi of cohort.csv",
        )
    raise _error(name, "SEGMENT", f"must hold one segment {segment!r}, got {listing}", "Correct the segment's name")


@dataclass(frozen=True)
class _FramePlace:
    """Where a frame lies in a grid.

    Args:
        name: of the file. origin: (3,) index of the frame's first pixel. row_step, column_step: (3,) index step along
            a row (to the next column) and along a column (to the next row).
    """

    name: str
    origin: NDArray[np.int64]
    row_step: NDArray[np.int64]
    column_step: NDArray[np.int64]

    @classmethod
    def of(cls, shared: Dataset, groups: Dataset, grid: Grid, name: str) -> _FramePlace:
        """Work out the place; stop where the frame's pixels are not voxels of the grid."""
        cosines = np.array(_group(shared, groups, "PlaneOrientationSequence").ImageOrientationPatient, float)
        spacing_mm = np.array(_group(shared, groups, "PixelMeasuresSequence").PixelSpacing, float)
        position = np.array(_group(shared, groups, "PlanePositionSequence").ImagePositionPatient, float)
        to_index = np.linalg.inv(grid.affine)[:3, :3]
        flip = np.array([-1.0, -1.0, 1.0])
        row_step = to_index @ (cosines[:3] * flip * spacing_mm[1])
        column_step = to_index @ (cosines[3:] * flip * spacing_mm[0])
        origin = grid.indices(position * flip)[0]
        off_mm = np.abs(origin - np.rint(origin)) * grid.spacing_mm
        turned = max(np.abs(step - np.rint(step)).max() for step in (row_step, column_step))
        if off_mm.max() > SEAM_MM or turned > DIRECTION_TOLERANCE:
            raise GeometryError(
                "PP-GEO-GRID",
                f"file {name}",
                f"its pixels must be voxels of the PET, they lie {off_mm.max():.3g} mm beside them",
                "Give the segmentation of this PET, or resample it first",
            )
        rounded = (np.rint(step).astype(int) for step in (origin, row_step, column_step))
        return cls(name, *rounded)

    def put(self, inside: NDArray[np.bool_], voxels: NDArray[np.bool_]) -> None:
        """Add the frame's pixels to `voxels`."""
        rows, columns = np.nonzero(inside)
        indices = self.origin + np.outer(columns, self.row_step) + np.outer(rows, self.column_step)
        if (indices < 0).any() or (indices >= voxels.shape).any():
            raise GeometryError(
                "PP-GEO-GRID",
                f"file {self.name}",
                "it marks voxels outside the PET",
                "Give the segmentation of this PET, or resample it first",
            )
        voxels[tuple(indices.T)] = True


def _group(shared: Dataset, groups: Dataset, keyword: str) -> Dataset:
    """A functional group, by frame or for all frames."""
    return (groups if keyword in groups else shared)[keyword].value[0]
