"""Stored integers in every layout that PET comes in, and those that are refused."""

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from pointpet.core import ImageReadError
from pointpet.io.dicom_pet import read_dicom_series


def refused(folder, message):
    with pytest.raises(ImageReadError, match=message):
        read_dicom_series(folder)


def put(**changes):
    def change(dataset):
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)

    return change


@pytest.mark.parametrize(("dtype", "signed", "bits"), [("<u2", 0, 16), ("<i4", 1, 32), ("<u1", 0, 8)])
def test_integer_types(series, edit, dtype, signed, bits):
    """The same numbers in another type give the same SUV (8 bits: to the quantisation)."""
    expected = read_dicom_series(series).volume.voxels

    def convert(dataset):
        stored = dataset.pixel_array
        if bits == 8:
            stored = stored // 256
            dataset.RescaleSlope = float(dataset.RescaleSlope) * 256
        dataset.PixelData = stored.astype(dtype).tobytes()
        dataset.BitsAllocated = dataset.BitsStored = bits
        dataset.HighBit = bits - 1
        dataset.PixelRepresentation = signed

    edit(series, convert)
    tolerance = expected.max() / 100 if bits == 8 else 0
    assert np.abs(read_dicom_series(series).volume.voxels - expected).max() <= tolerance


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_compressed_reads_the_same(series, edit, syntax):
    if syntax == JPEGLSLossless:
        pytest.importorskip("jpeg_ls")
    expected = read_dicom_series(series).volume.voxels
    edit(series, lambda dataset: dataset.compress(syntax, generate_instance_uid=False))
    assert (read_dicom_series(series).volume.voxels == expected).all()


def test_lossless_jpeg_reads_the_same(series, edit, tmp_path):
    """The most common compression of archives, for which pydicom has no decoder of its own."""
    expected = read_dicom_series(series).volume.voxels

    def compress(dataset):
        image = SimpleITK.GetImageFromArray(dataset.pixel_array[None])
        path = str(tmp_path / "packed.dcm")
        SimpleITK.WriteImage(image, path, useCompression=True, compressor="JPEG", imageIO="GDCMImageIO")
        packed = pydicom.dcmread(path)
        assert packed.file_meta.TransferSyntaxUID == JPEGLosslessSV1
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        dataset.PixelData = packed.PixelData
        dataset["PixelData"].is_undefined_length = True

    edit(series, compress)
    assert (read_dicom_series(series).volume.voxels == expected).all()


def test_broken_fragment(series, edit):
    edit(series, lambda dataset: dataset.compress(RLELossless, generate_instance_uid=False))
    path = series / "slice_0004.dcm"
    content = bytearray(path.read_bytes())
    at = content.index(b"\xfe\xff\x00\xe0", content.index(b"\xe0\x7f\x10\x00") + 20)
    content[at + 8 : at + 40] = b"\xff" * 32
    path.write_bytes(bytes(content))
    refused(series, r"slice_0004.dcm: Pixel Data \(7FE0,0010\) \(RLE Lossless\) cannot be decoded")


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, "1.2.840.10008.1.2.4.201"])
def test_missing_codec_is_named(series, edit, syntax):
    def relabel(dataset):
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = syntax

    edit(series, relabel)
    refused(series, rf"slice_0000.dcm: no installed decoder reads Pixel Data .* in its transfer syntax .*{syntax}")


def test_rubbish_where_a_codec_exists(series, edit):
    def relabel(dataset):
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless

    edit(series, relabel)
    refused(series, r"slice_0000.dcm: (Pixel Data .* cannot be decoded|no installed decoder)")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(Rows=0), r"Rows \(0028,0010\) x Columns \(0028,0011\) must be 1 to 4096, got 0 x 12"),
        (put(Columns=65535), r"must be 1 to 4096, got 10 x 65535"),
        (put(BitsAllocated=12), r"Bits Allocated \(0028,0100\) must be 8, 16 or 32, got 12"),
        (put(NumberOfFrames=2), r"Number of Frames \(0028,0008\) must be 1, got 2"),
        (put(SamplesPerPixel=3), r"Samples per Pixel \(0028,0002\) must be 1, got 3"),
        (put(PixelRepresentation=7), r"Pixel Representation \(0028,0103\) must be 0 or 1, got 7"),
        (put(Rows=20), r"must hold 480 bytes for 20 x 12 pixels, got 240"),
    ],
)
def test_layout_refused(series, edit, change, message):
    edit(series, change)
    refused(series, message)


def test_no_pixels(series, edit):
    edit(series, lambda dataset: delattr(dataset, "PixelData"))
    refused(series, r"slice_0000.dcm: Pixel Data \(7FE0,0010\) is absent")


def test_value_beyond_any_image(series, edit):
    edit(series, put(RescaleSlope=1e38))
    refused(series, "slice_0000.dcm: its SUV reaches .*, beyond any image's range")


def test_all_zero(series, edit):
    edit(series, lambda dataset: setattr(dataset, "PixelData", bytes(240)))
    refused(series, "needs a positive voxel, got none")
