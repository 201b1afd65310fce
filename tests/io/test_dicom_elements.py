"""The one pass over a plain file: what pydicom finds, or nothing at all."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from pointpet.io.dicom_elements import PlainFile, plain_elements
from pointpet.io.dicom_file import PARSE_ERRORS, quiet_pydicom, read_dicom_file
from pointpet.io.dicom_header import pet_header
from pointpet.io.dicom_series import READ_TAGS

INJECTIONS = 0x00540016
NUCLIDES = 0x00540300


def encode(dataset: Dataset, *, implicit: bool) -> bytes:
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    dataset.file_meta.TransferSyntaxUID = syntax
    written = BytesIO()
    dataset.save_as(written, implicit_vr=implicit, little_endian=True)
    return written.getvalue()


def open_ended(path: Path, *, implicit: bool = False) -> bytes:
    """The slice with sequences and items of undefined length, one within the other, as scanners write them."""
    dataset = pydicom.dcmread(path)
    inner = Dataset()
    inner.CodeValue = "C-111A1"
    injection = dataset.RadiopharmaceuticalInformationSequence[0]
    injection.RadionuclideCodeSequence = Sequence([inner])
    for holder, tag in ((injection, NUCLIDES), (dataset, INJECTIONS)):
        holder[tag].is_undefined_length = True
        holder[tag].value[0].is_undefined_length_sequence_item = True
    return encode(dataset, implicit=implicit)


@pytest.fixture
def slice_path(pristine_series) -> Path:
    return sorted(pristine_series.iterdir())[3]


def by_pydicom(content: bytes) -> dict[int, object]:
    with quiet_pydicom():
        found = read_partial(BytesIO(content), specific_tags=list(READ_TAGS))
        return {int(tag): element.value for tag, element in found.items()}


@pytest.mark.parametrize("implicit", [False, True])
def test_the_values_are_those_of_pydicom(slice_path, implicit) -> None:
    content = encode(pydicom.dcmread(slice_path), implicit=implicit)
    plain = plain_elements(content, READ_TAGS)
    assert plain is not None
    assert plain.syntax == (ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)
    expected = by_pydicom(content)
    assert plain.elements.keys() == expected.keys() & READ_TAGS
    assert len(plain.elements) > 30
    for tag, element in plain.elements.items():
        assert element.value == (expected[tag] or b""), f"{tag:08x}"


@pytest.mark.parametrize("implicit", [False, True])
def test_open_ended_sequences_are_found_whole(slice_path, tmp_path, implicit) -> None:
    content = open_ended(slice_path, implicit=implicit)
    assert b"\xfe\xff\xdd\xe0" in content
    assert plain_elements(content, READ_TAGS) is not None
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    ours = read_dicom_file(path, READ_TAGS)
    assert isinstance(ours.content, PlainFile)
    item = ours.dataset[INJECTIONS].value[0]
    assert item.RadionuclideCodeSequence[0].CodeValue == "C-111A1"
    assert item == pydicom.dcmread(path)[INJECTIONS].value[0]
    assert pet_header([ours], "x").nuclide[0] == "C-111A1"


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless])
def test_other_encodings_are_left_to_pydicom(slice_path, syntax) -> None:
    content = slice_path.read_bytes()
    old = ExplicitVRLittleEndian.encode().ljust(20, b"\0")
    assert old in content
    other = content.replace(old, syntax.encode().ljust(20, b"\0")[:20], 1)
    if len(syntax) > 20:
        other = content.replace(old, syntax.encode()[:20], 1)
    assert plain_elements(other, READ_TAGS) is None


Spoil = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: content[:-1], id="cut"),
        pytest.param(lambda content: content[:140], id="cut in the meta information"),
        pytest.param(lambda content: content + b"\x01", id="a byte too many"),
        pytest.param(lambda content: content.replace(b"\xfe\xff\xdd\xe0", b"\x10\x00\x10\x00"), id="no end"),
        pytest.param(lambda content: content.replace(b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"), id="item without end"),
        pytest.param(lambda content: content.replace(b"\xfe\xff\x00\xe0", b"\xff\xff\x00\xe0"), id="no item"),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_pydicom(slice_path, spoil: Spoil) -> None:
    assert plain_elements(spoil(open_ended(slice_path)), READ_TAGS) is None


def test_damaged_files_are_never_read_otherwise_than_by_pydicom(slice_path) -> None:
    """Bytes changed at random: either pydicom is asked, or every value is the one that it finds."""
    random = np.random.default_rng(7)
    contents = [open_ended(slice_path), encode(pydicom.dcmread(slice_path), implicit=True)]
    taken = 0
    for number in range(400):
        content = bytearray(contents[number % 2])
        for place in random.integers(132, len(content), 3):
            content[place] = random.integers(0, 256)
        plain = plain_elements(bytes(content), READ_TAGS)
        if plain is None:
            continue
        taken += 1
        try:
            expected = by_pydicom(bytes(content))
        except PARSE_ERRORS:
            continue  # an element's inside is at fault, which is found when it is asked for
        for tag, element in plain.elements.items():
            if not isinstance(expected[tag], Sequence):
                assert element.value == (expected[tag] or b""), f"{number}: {tag:08x}"
    assert taken > 100
