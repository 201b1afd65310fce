"""Stored integers of a slice: straight from the bytes where they are plain, by pydicom's decoders where compressed."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from pointpet.core import ImageReadError
from pointpet.image.suv_header import Attribute
from pointpet.io.dicom_file import PARSE_ERRORS, PIXEL_DATA, DicomFile, file_error, quiet_pydicom
from pointpet.io.dicom_geometry import COLUMNS, ROWS

BITS_ALLOCATED = Attribute("Bits Allocated", (0x0028, 0x0100))
BITS_STORED = Attribute("Bits Stored", (0x0028, 0x0101))
HIGH_BIT = Attribute("High Bit", (0x0028, 0x0102))
SIGNED = Attribute("Pixel Representation", (0x0028, 0x0103))
SAMPLES = Attribute("Samples per Pixel", (0x0028, 0x0002))
PHOTOMETRIC = Attribute("Photometric Interpretation", (0x0028, 0x0004))
PLANAR = Attribute("Planar Configuration", (0x0028, 0x0006))
FRAMES = Attribute("Number of Frames", (0x0028, 0x0008))

PIXEL_TAGS = frozenset(
    attribute.number
    for attribute in (
        PIXEL_DATA,
        ROWS,
        COLUMNS,
        BITS_ALLOCATED,
        BITS_STORED,
        HIGH_BIT,
        SIGNED,
        SAMPLES,
        PHOTOMETRIC,
        PLANAR,
        FRAMES,
    )
)
PLAIN = {
    ImplicitVRLittleEndian: "<",
    ExplicitVRLittleEndian: "<",
    DeflatedExplicitVRLittleEndian: "<",
    ExplicitVRBigEndian: ">",
}
FLOAT32_MAX = float(np.finfo(np.float32).max)


def fill_slices(files: Sequence[DicomFile], factors: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Write `factors[z]` times the stored integers of file z into `out[:, :, z]`, (column, row, slice).

    Raises:
        ImageReadError: pixels absent, truncated, in an unsupported layout, or not decodable; values beyond float32.
    """
    layout, shape, dtype = None, (0, 0), np.dtype(np.int16)
    for index, file in enumerate(files):
        key = tuple(file.raw(attribute) for attribute in (ROWS, COLUMNS, BITS_ALLOCATED, BITS_STORED, SIGNED, SAMPLES))
        if (key, file.transfer_syntax) != layout:
            shape, dtype = _layout(file)
            layout = (key, file.transfer_syntax)
        stored = _stored(file, shape, dtype)
        largest = abs(float(factors[index])) * 2.0 ** (8 * dtype.itemsize)
        if not largest < FLOAT32_MAX:
            raise file_error(
                file.name, "RANGE", f"its SUV reaches {largest:.3g}, beyond any image's range", "Correct the header"
            )
        # float64 inside, rounded once: the slope is a decimal string of up to 16 digits.
        np.multiply(stored.T, factors[index], out=out[:, :, index], casting="same_kind", dtype=np.float64)


def _layout(file: DicomFile) -> tuple[tuple[int, int], np.dtype]:
    rows, columns = (file.integer(attribute) or 0 for attribute in (ROWS, COLUMNS))
    bits = file.integer(BITS_ALLOCATED) or 0
    frames = file.number(FRAMES) or 1
    samples = file.integer(SAMPLES) or 1
    signed = file.integer(SIGNED) or 0
    faults = {
        f"{BITS_ALLOCATED} must be 8, 16 or 32, got {bits}": bits not in (8, 16, 32),
        f"{FRAMES} must be 1, got {frames:g}": frames != 1,
        f"{SAMPLES} must be 1, got {samples}": samples != 1,
        f"{SIGNED} must be 0 or 1, got {signed}": signed not in (0, 1),
    }
    for problem, is_wrong in faults.items():
        if is_wrong:
            raise file_error(file.name, "LAYOUT", problem, "Export the series as PET images of one slice a file")
    order = PLAIN.get(file.transfer_syntax, "=")
    return (rows, columns), np.dtype(f"{order}{'i' if signed else 'u'}{bits // 8}")


def _stored(file: DicomFile, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
    """(rows, columns) integers of one file."""
    pixels = file.raw(PIXEL_DATA)
    if not isinstance(pixels, bytes) or not pixels:
        raise file_error(
            file.name, "TRUNCATED", f"{PIXEL_DATA} is absent: the file ends early or is no image", "Copy the file again"
        )
    if file.transfer_syntax not in PLAIN:
        return _decoded(file, shape)
    needed = shape[0] * shape[1] * dtype.itemsize
    if len(pixels) < needed:
        raise file_error(
            file.name,
            "TRUNCATED",
            f"{PIXEL_DATA} must hold {needed} bytes for {shape[0]} x {shape[1]} pixels, got {len(pixels)}",
            "Copy or export the file again",
        )
    return np.frombuffer(pixels, dtype, shape[0] * shape[1]).reshape(shape)


def _decoded(file: DicomFile, shape: tuple[int, int]) -> NDArray:
    """Decompress by pydicom's decoders, else by GDCM as SimpleITK brings it (lossless JPEG, which PACS favour)."""
    syntax = file.transfer_syntax
    try:
        with quiet_pydicom():
            pixels = file.dataset.pixel_array
    except PARSE_ERRORS as error:
        if "missing dependencies" in str(error):
            pixels = _decoded_by_gdcm(file)
        elif isinstance(error, NotImplementedError):
            raise _codec_missing(file) from error
        else:
            raise file_error(
                file.name, "CODEC", f"{PIXEL_DATA} ({syntax.name}) cannot be decoded", "Copy or export the file again"
            ) from error
    if pixels.shape != shape:
        raise file_error(
            file.name,
            "CODEC",
            f"{PIXEL_DATA} ({syntax.name}) decodes to {pixels.shape}, expected {shape}",
            "Export the file again",
        )
    return pixels


def _decoded_by_gdcm(file: DicomFile) -> NDArray:
    import SimpleITK

    # Nothing but the pixels is handed over: no name leaves the source, and no slope is applied twice.
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    bare.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    bare.file_meta.TransferSyntaxUID = file.transfer_syntax
    bare.SOPClassUID = SecondaryCaptureImageStorage
    bare.SOPInstanceUID = bare.file_meta.MediaStorageSOPInstanceUID
    for number in PIXEL_TAGS:
        if number in file.dataset:
            bare[number] = file.dataset[number]
    was_shown = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with NamedTemporaryFile(suffix=".dcm") as spool, quiet_pydicom():
            bare.save_as(spool.name, enforce_file_format=True)
            return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(spool.name, imageIO="GDCMImageIO"))[0]
    except PARSE_ERRORS as error:
        raise _codec_missing(file) from error
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(was_shown)


def _codec_missing(file: DicomFile) -> ImageReadError:
    syntax = file.transfer_syntax
    return file_error(
        file.name,
        "CODEC-MISSING",
        f"no installed decoder reads {PIXEL_DATA} in its transfer syntax {syntax.name} {syntax}",
        "Decompress the series (gdcmconv --raw)",
    )
