"""Cases 1 to 30: files that are damaged or hostile, and series that are no PET volume."""

import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

VICTIM = "slice_0007.dcm"
ALL = slice(None)


def rewrite(change: Callable[[bytes], bytes]) -> Callable:
    """Change the bytes of one slice."""

    def spoil(folder: Path, edit: Callable) -> None:
        (folder / VICTIM).write_bytes(change((folder / VICTIM).read_bytes()))

    return spoil


def put(only: slice = ALL, **values: object) -> Callable:
    """Set attributes."""

    def change(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return lambda folder, edit: edit(folder, change, only)


def at(content: bytes, group: int, element: int) -> int:
    return content.index(struct.pack("<HH", group, element))


def long_element(group: int, element: int, vr: bytes, length: int) -> bytes:
    return struct.pack("<HH2sHI", group, element, vr, 0, length)


def odd_length(content: bytes) -> bytes:
    place = at(content, 0x0010, 0x1030)
    length = struct.unpack("<H", content[place + 6 : place + 8])[0]
    return content[:place] + struct.pack("<HH2sH", 0x10, 0x1030, b"DS", 3) + b"70." + content[place + 8 + length :]


def endless_sequence(content: bytes) -> bytes:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HH2sH", 0x18, 0x1074, b"DS", 2) + b"1 "
    return content[: at(content, 0x54, 0x16)] + long_element(0x54, 0x16, b"SQ", 0xFFFFFFFF) + item


def deep_sequence(content: bytes) -> bytes:
    level = long_element(0x54, 0x16, b"SQ", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return content[: at(content, 0x54, 0x16)] + level * 10_000


def four_gigabytes(content: bytes) -> bytes:
    place = at(content, 0x28, 0x02)
    return content[:place] + long_element(0x27, 0x1001, b"OB", 0xFFFFFFFE) + content[place:]


def dangling(folder: Path, edit: Callable) -> None:
    (folder / "gone.dcm").symlink_to("nowhere.dcm")


def loop(folder: Path, edit: Callable) -> None:
    (folder / "again").symlink_to("..")


def forbidden(folder: Path, edit: Callable) -> None:
    (folder / VICTIM).chmod(0)


def text_file(folder: Path, edit: Callable) -> None:
    (folder / "notes.dcm").write_text("a shopping list")


def broken_fragment(folder: Path, edit: Callable) -> None:
    edit(folder, lambda dataset: dataset.compress(RLELossless, generate_instance_uid=False))
    content = bytearray((folder / VICTIM).read_bytes())
    fragment = content.index(b"\xfe\xff\x00\xe0", content.index(b"\xe0\x7f\x10\x00") + 20)
    content[fragment + 8 : fragment + 40] = b"\xff" * 32
    (folder / VICTIM).write_bytes(bytes(content))


def missing_codec(folder: Path, edit: Callable) -> None:
    def relabel(dataset: Dataset) -> None:
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"

    edit(folder, relabel)


def dicomdir(folder: Path, edit: Callable) -> None:
    record, directory = Dataset(), Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with disable_value_validation():
        record.ReferencedFileID = ["..", "passwd"]
        directory.DirectoryRecordSequence = [record]
        directory.save_as(folder / "DICOMDIR", enforce_file_format=True)


FILES = {
    "01 empty": (rewrite(lambda content: b""), "EMPTY", f"file {VICTIM}: is empty"),
    "02 truncated header": (rewrite(lambda content: content[:700]), "(TRUNCATED|DAMAGED)", f"file {VICTIM}: "),
    "03 truncated pixels": (
        rewrite(lambda content: content[:-20]),
        "TRUNCATED",
        r"Pixel Data \(7FE0,0010\) states \d+ bytes, \d+ are left",
    ),
    "04 no DICM prefix": (rewrite(lambda content: content[132:]), "PREFIX", "'DICM' is not at byte 128"),
    "05 text named dcm": (text_file, "PREFIX", "file notes.dcm: is no DICOM file"),
    "06 unreadable": (forbidden, "UNREADABLE", f"file {VICTIM}: cannot be read: Permission denied"),
    "07 dangling link": (dangling, "UNREADABLE", "file gone.dcm: cannot be read: No such file.*Restore the link"),
    "08 link loop": (loop, "LOOP", "holds a link to a folder above it, a loop. Remove the link"),
    "09 odd length": (rewrite(odd_length), "ODD", r"the element \(0010,1030\) has the odd length 3"),
    "10 sequence without end": (rewrite(endless_sequence), "(TRUNCATED|DAMAGED)", f"file {VICTIM}: "),
    "11 sequence 10000 deep": (rewrite(deep_sequence), "DAMAGED", f"file {VICTIM}: cannot be parsed as DICOM"),
    "12 element of 4 GB": (rewrite(four_gigabytes), "TRUNCATED", r"\(0027,1001\) states 4294967294 bytes"),
    "14 broken fragment": (broken_fragment, "CODEC", rf"file {VICTIM}: Pixel Data .*RLE Lossless\) cannot be decoded"),
    "15 missing codec": (missing_codec, "CODEC-MISSING", r"no installed decoder reads .* 1.2.840.10008.1.2.4.201"),
    "16 DICOMDIR to ..": (dicomdir, "ESCAPE", "file DICOMDIR: names files outside its folder"),
}


@pytest.mark.parametrize("name", FILES)
def test_file(cohort, edit, refuses, name):
    spoil, code, message = FILES[name]
    spoil(cohort / "B", edit)
    refuses(cohort, f"PP-DICOM-{code}", message)


@pytest.mark.parametrize("name", ["13 executable in the preamble"])
def test_executable_preamble_is_told_and_not_passed_on(cohort, cli, edit, tmp_path, assert_bounded, name):
    rewrite(lambda content: b"MZ" + content[2:])(cohort / "B", edit)
    done = cli("check", cohort / "cohort.csv", "--json")
    assert done.status == 0
    assert [one["subject"] for one in done.json()["warnings"] if "starts like a program" in one["message"]] == [
        "case B"
    ]
    assert_bounded(done)
    hot = pydicom.dcmread(cohort / "B" / VICTIM).pixel_array
    row, column = divmod(int(hot.argmax()), hot.shape[1])
    source = pydicom.dcmread(cohort / "B" / VICTIM)
    x = -(source.ImagePositionPatient[0] + source.PixelSpacing[1] * column)
    y = -(source.ImagePositionPatient[1] + source.PixelSpacing[0] * row)
    point = f"--point={x},{y},{source.ImagePositionPatient[2]}"
    out = tmp_path / "segmented"
    done = cli("segment", cohort / "B", point, "-o", out, "--formats", "nifti,dicom-seg,rtstruct")
    assert done.status == 0, done.err
    for file in ("seg.dcm", "rtstruct.dcm"):
        assert (out / file).read_bytes()[:128] == bytes(128)


def second_series(change: Callable, **values: object) -> Callable:
    """A second series beside the first in case B's folder."""

    def spoil(folder: Path, edit: Callable) -> None:
        shutil.copytree(folder, folder / "second")
        change(folder / "second", edit)
        put(SeriesInstanceUID=generate_uid(), SeriesNumber=2, **values)(folder / "second", edit)

    return spoil


def nothing(folder: Path, edit: Callable) -> None:
    """No change."""


def duplicate(folder: Path, edit: Callable) -> None:
    shutil.copy2(folder / VICTIM, folder / "slice_0099.dcm")


def missing(folder: Path, edit: Callable) -> None:
    (folder / VICTIM).unlink()


def single(folder: Path, edit: Callable) -> None:
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()


def frames(folder: Path, edit: Callable) -> None:
    """Every position twice, as two frames of a dynamic series have it."""
    for path in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.save_as(folder / f"frame_{path.name}")


def fewer_rows(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[: 2 * dataset.Columns * 8]
    dataset.Rows = 8


def two_injections(dataset: Dataset) -> None:
    dataset.RadiopharmaceuticalInformationSequence.append(dataset.RadiopharmaceuticalInformationSequence[0])


ONE = slice(7, 8)
CT = {"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}
OTHER_PATIENT = {"PatientID": "SENTINEL_OTHER", "StudyInstanceUID": generate_uid()}
SERIES = {
    "17 CT": (put(**CT), "DICOM-MODALITY", r"must be PET images, got Modality \(0008,0060\) CT"),
    "18 two series": (second_series(nothing), "DICOM-SERIES", "one attenuation-corrected PET series, got PT series 1"),
    "19 two patients": (second_series(nothing, **OTHER_PATIENT), "DICOM-PATIENTS", "must hold one patient, got PET of"),
    "20 reprojection": (
        put(SeriesType=["WHOLEBODY", "REPROJECTION"]),
        "DICOM-PROJECTION",
        r"is a projection, not slices, by Series Type \(0054,1000\) WHOLEBODY/REPROJECTION",
    ),
    "21 not attenuation-corrected": (
        put(CorrectedImage=["DECY"]),
        "SUV-ATTENUATION",
        r"Corrected Image \(0028,0051\) lacks ATTN, got DECY",
    ),
    "22 missing slice": (missing, "DICOM-GAP", "slice_0006.dcm and file slice_0008.dcm are .* mm apart.*missing"),
    "23 duplicate slice": (duplicate, "DICOM-DUPLICATE", f"{VICTIM} and file slice_0099.dcm lie at one Image Position"),
    "24 mixed orientation": (
        put(ONE, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]),
        "DICOM-ORIENTATION",
        rf"file {VICTIM}: Image Orientation \(Patient\) \(0020,0037\) is",
    ),
    "25 mixed shape": (
        lambda folder, edit: edit(folder, fewer_rows, ONE),
        "DICOM-SHAPE",
        rf"file {VICTIM}: Rows \(0028,0010\) x Columns \(0028,0011\) is \(8, ",
    ),
    "26 one slice": (single, "DICOM-ONE-SLICE", "needs two slices or more, got 1"),
    "27 dynamic frames": (frames, "DICOM-DYNAMIC", "each of the 16 positions is there 2 times"),
    "28 enhanced PET": (
        put(SOPClassUID="1.2.840.10008.5.1.4.1.1.130"),
        "DICOM-ENHANCED",
        "is Enhanced PET Image Storage 1.2.840.10008.5.1.4.1.1.130, which is not supported",
    ),
    "29 spacing 0": (put(PixelSpacing=[0, 4]), "DICOM-SPACING", r"Pixel Spacing \(0028,0030\) must be more than 0 mm"),
    "30 two injections": (
        lambda folder, edit: edit(folder, two_injections),
        "SUV-INJECTIONS",
        r"Radiopharmaceutical Information Sequence \(0054,0016\) must have one item, got 2",
    ),
}


@pytest.mark.parametrize("name", SERIES)
def test_series(cohort, edit, refuses, name):
    spoil, code, message = SERIES[name]
    spoil(cohort / "B", edit)
    refuses(cohort, f"PP-{code}", message)


LISTED = {
    "17 CT in a tree": (second_series(nothing, **CT), 3, "CT series 2,.*must be PET images"),
    "18 two series in a tree": (second_series(nothing), 4, None),
    "19 two patients in a tree": (second_series(nothing, **OTHER_PATIENT), 4, None),
    "20 reprojection in a tree": (
        second_series(nothing, SeriesType=["WHOLEBODY", "REPROJECTION"]),
        3,
        "PT series 2,.*is a projection",
    ),
    "27 dynamic series in a tree": (
        second_series(frames, SeriesType=["DYNAMIC", "IMAGE"]),
        3,
        "PT series 2,.*is a dynamic or gated series",
    ),
}


@pytest.mark.parametrize("name", LISTED)
def test_in_a_tree_is_left_out_and_listed(cohort, cli, edit, tmp_path, name):
    spoil, cases, listed = LISTED[name]
    spoil(cohort / "B", edit)
    done = cli("import", cohort, "-o", tmp_path / "out")
    assert done.status == 0, done.err
    assert f"{cases} cases imported" in done.out
    assert len(list((tmp_path / "out" / "images").glob("*.nii.gz"))) == cases
    content = (tmp_path / "out" / "left_out.csv").read_text()
    if listed:
        assert re.search(listed, content), content
        assert re.search(listed.split(",")[0], done.out)
    assert "SENTINEL" not in content + done.out.replace(str(tmp_path), "") + done.err
