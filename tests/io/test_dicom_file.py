"""Damaged and hostile files: each refused with its own message, fast, and by its bare name."""

import struct
import time
import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.filewriter import dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from pointpet.core import ImageReadError
from pointpet.image.suv_header import UNITS, WEIGHT
from pointpet.io.dicom_file import LARGEST_FILE_BYTES, read_dicom_file
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_pixels import ROWS


@pytest.fixture
def victim(series) -> Path:
    """One slice of the series."""
    return series / "slice_0003.dcm"


def refused(series: Path, message: str) -> ImageReadError:
    started = time.process_time()
    with pytest.raises(ImageReadError, match=message) as caught:
        read_dicom_series(series)
    assert time.process_time() - started < 2.0
    assert str(series.parent) not in str(caught.value)
    return caught.value


def element(tag: tuple[int, int], vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """One explicit-VR little-endian element of a short VR."""
    return struct.pack("<HH2sH", *tag, vr, len(value) if length is None else length) + value


def long_element(tag: tuple[int, int], vr: bytes, length: int) -> bytes:
    return struct.pack("<HH2sHI", *tag, vr, 0, length)


class TestDamage:
    def test_empty(self, series, victim):
        victim.write_bytes(b"")
        assert refused(series, "file slice_0003.dcm: is empty").code == "PP-DICOM-EMPTY"

    @pytest.mark.parametrize("kept", [140, 400, 900])
    def test_truncated_header(self, series, victim, kept):
        victim.write_bytes(victim.read_bytes()[:kept])
        refused(series, "slice_0003.dcm: (ends early|cannot be parsed|.* is absent: it ends early)")

    def test_truncated_pixels(self, series, victim):
        victim.write_bytes(victim.read_bytes()[:-20])
        refused(series, r"slice_0003.dcm: ends early: Pixel Data \(7FE0,0010\) states 240 bytes, 220 are left")

    def test_no_prefix(self, series, victim):
        victim.write_bytes(victim.read_bytes()[132:])
        assert refused(series, "slice_0003.dcm: is no DICOM file: 'DICM'").code == "PP-DICOM-PREFIX"

    def test_text_named_dcm(self, series):
        (series / "notes.dcm").write_text("a shopping list")
        refused(series, "file notes.dcm: is no DICOM file")

    def test_not_permitted(self, series, monkeypatch):
        opened = Path.open

        def deny(path, mode):
            if path.name == "slice_0000.dcm":
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, mode)

        monkeypatch.setattr(Path, "open", deny)
        refused(series, "slice_0000.dcm: cannot be read: Permission denied. Check the file's permissions")

    def test_dangling_link(self, series):
        (series / "gone.dcm").symlink_to("nowhere.dcm")
        refused(series, "gone.dcm: cannot be read: No such file.*Restore the link")

    def test_loop_of_links(self, series):
        (series / "a.dcm").symlink_to("b.dcm")
        (series / "b.dcm").symlink_to("a.dcm")
        refused(series, "a.dcm: cannot be read: Too many levels of symbolic links")

    def test_link_to_a_folder_above(self, series):
        (series / "loop").symlink_to("..")
        refused(series, "the folder: holds a link to a folder above it")

    def test_odd_length(self, series, victim):
        content = victim.read_bytes()
        at = content.index(struct.pack("<HH", 0x0010, 0x1030))
        odd = element((0x0010, 0x1030), b"DS", b"70.", 3)
        victim.write_bytes(content[:at] + odd + content[at + 8 + 4 :])
        refused(series, r"the element \(0010,1030\) has the odd length 3")

    def test_sequence_without_end(self, series, victim):
        content = victim.read_bytes()
        at = content.index(struct.pack("<HH", 0x0054, 0x0016))
        open_sequence = long_element((0x0054, 0x0016), b"SQ", 0xFFFFFFFF)
        open_item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        victim.write_bytes(content[:at] + open_sequence + open_item + element((0x0018, 0x1074), b"DS", b"1 "))
        refused(series, "slice_0003.dcm: (cannot be parsed|Pixel Data .* is absent|.*is absent)")

    def test_sequence_of_ten_thousand_levels(self, series, victim):
        content = victim.read_bytes()
        at = content.index(struct.pack("<HH", 0x0054, 0x0016))
        level = long_element((0x0054, 0x0016), b"SQ", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        victim.write_bytes(content[:at] + level * 10_000)
        refused(series, "slice_0003.dcm: cannot be parsed as DICOM")

    def test_element_of_four_gigabytes(self, series, victim):
        content = victim.read_bytes()
        at = content.index(struct.pack("<HH", 0x0028, 0x0002))
        victim.write_bytes(content[:at] + long_element((0x0027, 0x1001), b"OB", 0xFFFFFFFE) + content[at:])
        refused(series, r"ends early: the element \(0027,1001\) states 4294967294 bytes")

    def test_huge_file(self, series, victim):
        with victim.open("r+b") as stream:
            stream.truncate(LARGEST_FILE_BYTES + 1)
        refused(series, "slice_0003.dcm: is larger than 1024 MiB")

    def test_deflated_bomb(self, series, victim):
        """100 MB of zeros in 100 kB: refused before pydicom inflates them."""
        dataset = pydicom.dcmread(victim)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        stream = BytesIO()
        dcmwrite(stream, dataset, enforce_file_format=True)
        head = stream.getvalue()
        start = 144 + struct.unpack("<I", head[140:144])[0]
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(100)) + packer.flush()
        victim.write_bytes(head[:start] + bomb)
        assert victim.stat().st_size < 200_000
        refused(series, "slice_0003.dcm: would inflate to more than 64 MiB")

    def test_deflated_rubbish(self, series, victim):
        dataset = pydicom.dcmread(victim)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.save_as(victim, enforce_file_format=True)
        content = victim.read_bytes()
        victim.write_bytes(content[:400] + b"\xff" * 50)
        refused(series, "slice_0003.dcm: its deflated part cannot be inflated")

    def test_executable_preamble_is_read_with_a_warning(self, series, victim):
        content = victim.read_bytes()
        victim.write_bytes(b"MZ" + content[2:])
        warnings = read_dicom_series(series).warnings
        assert warnings == ("instance 5 starts like a program; open it with DICOM software only",)


class TestValues:
    def test_text_numbers_and_integers(self, victim):
        file = read_dicom_file(victim)
        assert file.text(UNITS) == "BQML"
        assert file.number(WEIGHT) == 70.0
        assert file.integer(ROWS) == 10

    def test_absent_values(self, victim):
        file = read_dicom_file(victim, (UNITS.number,))
        assert (file.text(WEIGHT), file.number(WEIGHT), file.integer(ROWS), file.texts(WEIGHT)) == (
            None,
            None,
            None,
            (),
        )

    def test_pixels_can_be_left_out(self, victim):
        assert "PixelData" not in read_dicom_file(victim, pixels=False).dataset

    def test_no_number(self, series, edit):
        edit(series, lambda dataset: setattr(dataset, "PatientWeight", None), only=(3,))
        victim = series / "slice_0003.dcm"
        content = victim.read_bytes().replace(
            element((0x0010, 0x1030), b"DS", b""), element((0x0010, 0x1030), b"DS", b"much")
        )
        victim.write_bytes(content)
        refused(series, r"slice_0003.dcm: Patient's Weight \(0010,1030\) must be a number, got 'much'")

    def test_no_whole_number(self, victim):
        content = victim.read_bytes()
        at = content.index(struct.pack("<HH", 0x0028, 0x0010))
        victim.write_bytes(content[:at] + element((0x0028, 0x0010), b"US", b"") + content[at + 10 :])
        assert read_dicom_file(victim).integer(ROWS) is None
        victim.write_bytes(content[:at] + element((0x0028, 0x0010), b"US", b"\1\0\2\0") + content[at + 10 :])
        with pytest.raises(ImageReadError, match=r"Rows \(0028,0010\) must be a whole number"):
            read_dicom_file(victim).integer(ROWS)

    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
    def test_other_transfer_syntaxes_read_the_same(self, series, edit, syntax):
        before = read_dicom_series(series).volume.voxels

        def recode(dataset):
            dataset.file_meta.TransferSyntaxUID = syntax

        edit(series, recode)
        assert (read_dicom_series(series).volume.voxels == before).all()
