"""One DICOM file read safely: bounded in size, every fault one kind of error, values without pydicom's conversions.

Converting every element of every slice would take longer than reading the pixels, so values are parsed from the raw
bytes, and only those that are asked for.
"""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.config import disable_value_validation
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pydicom.uid import UID, ImplicitVRLittleEndian

from pointpet.core import ImageReadError
from pointpet.image.suv_header import Attribute
from pointpet.io.dicom_elements import PREFIX_END, UNDEFINED_LENGTH, Element, PlainFile, plain_elements

HEAD_BYTES = 2048
"""Enough for the preamble and the file meta information, where the transfer syntax stands."""
LARGEST_FILE_BYTES = 2**30
"""A slice is a few hundred kB; a multi-frame file of a GB would not fit the memory a reader may take."""
LARGEST_INFLATED_BYTES = 2**26
DEFLATED = b"1.2.840.10008.1.2.1.99"
EXECUTABLE_STARTS = (b"MZ", b"\x7fELF", b"#!", b"PK\x03\x04", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe")
"""Windows, Linux, script, archive, macOS: what a file must not start with that is opened by double click."""

NO_UID = UID("")

PARSE_ERRORS = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on damaged input, found by feeding it damaged input."""

PIXEL_DATA = Attribute("Pixel Data", (0x7FE0, 0x0010))


def file_error(name: str, code: str, problem: str, remedy: str) -> ImageReadError:
    """Return an error about one DICOM file, named by its bare name."""
    return ImageReadError(f"PP-DICOM-{code}", f"file {name}", problem, remedy)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's remarks on sloppy headers from the user's screen; what matters is checked here."""
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True, eq=False)
class DicomFile:
    """A parsed file.

    Args:
        path: the file. content: the elements that were asked for. preamble: the file's first 128 bytes.
        transfer_syntax: Transfer Syntax UID (0002,0010); empty where the file states none.
    """

    path: Path
    content: Dataset | PlainFile
    preamble: bytes = b""
    transfer_syntax: UID = NO_UID
    _elements: Mapping[int, DataElement | RawDataElement | Element] = field(init=False)

    def __post_init__(self) -> None:
        if isinstance(self.content, PlainFile):
            elements: Mapping[int, DataElement | RawDataElement | Element] = self.content.elements
        else:
            # By plain integers: 40 of pydicom's own look-ups take longer than reading the file.
            elements = {int(tag): element for tag, element in self.content.items()}
        object.__setattr__(self, "_elements", elements)

    @cached_property
    def dataset(self) -> Dataset:
        """The elements as pydicom has them."""
        return _dataset_of(self.content) if isinstance(self.content, PlainFile) else self.content

    @property
    def name(self) -> str:
        """The bare name, for messages."""
        return self.path.name

    @property
    def has_executable_preamble(self) -> bool:
        """True where the file would run when opened as a program."""
        return self.preamble.startswith(EXECUTABLE_STARTS)

    def raw(self, attribute: Attribute) -> object:
        """The element's bytes, or its value where pydicom had to parse it; None where absent."""
        element = self._elements.get(attribute.number)
        return None if element is None else element.value

    def raw_values(self) -> Iterator[tuple[int, object]]:
        """All elements kept: tag as one integer, and value as `raw` gives it; by ascending tag."""
        return ((number, element.value) for number, element in self._elements.items())

    def text(self, attribute: Attribute) -> str | None:
        """The value as stripped text, several values joined by a backslash; None where absent or empty."""
        value = self.raw(attribute)
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            value = "\\".join(map(str, value))
        text = "" if value is None else str(value).strip(" \0\r\n\t")
        return text or None

    def texts(self, attribute: Attribute) -> tuple[str, ...]:
        """The values of a multi-valued element, stripped and in capitals."""
        text = self.text(attribute)
        return tuple(part.strip().upper() for part in text.split("\\")) if text else ()

    def numbers(self, attribute: Attribute) -> tuple[float, ...]:
        """The values of a decimal or integer string (DS, IS); empty where absent.

        Raises:
            ImageReadError: the text is no number.
        """
        text = self.text(attribute)
        try:
            return tuple(float(part) for part in text.split("\\")) if text else ()
        except ValueError as error:
            raise file_error(
                self.name, "NUMBER", f"{attribute} must be a number, got {str(text)[:40]!r}", "Correct the header"
            ) from error

    def number(self, attribute: Attribute) -> float | None:
        """The single value of a decimal or integer string; None where absent."""
        values = self.numbers(attribute)
        return values[0] if values else None

    def integer(self, attribute: Attribute) -> int | None:
        """The value of a binary whole number (US, UL); None where absent.

        Raises:
            ImageReadError: the element does not hold one.
        """
        if attribute.number not in self._elements:
            return None
        try:
            value = self.dataset[attribute.number].value
            return None if value is None else int(value)
        except PARSE_ERRORS as error:
            raise file_error(
                self.name, "NUMBER", f"{attribute} must be a whole number, and is not", "Export the series again"
            ) from error


def read_dicom_file(path: Path, attributes: Collection[int] | None = None, *, pixels: bool = True) -> DicomFile:
    """Read one file, at most once from the disk.

    Args:
        path: the file.
        attributes: tags to keep, all where absent.
        pixels: False to stop before Pixel Data (7FE0,0010), and to read no more of the file than that takes.

    Raises:
        ImageReadError: not readable, not DICOM, truncated or damaged.
    """
    with _opened(path) as (file, size):
        start = file.read() if pixels else file.read(HEAD_BYTES)
        _check_prefix(path.name, start)
        plain = plain_elements(start, attributes) if pixels and attributes else None
        if plain is not None:
            return DicomFile(path, plain, start[:128], plain.syntax)
        is_deflated = DEFLATED in start[:HEAD_BYTES]
        file.seek(0)
        stream = BytesIO(file.read()) if pixels or is_deflated else file
        if is_deflated:
            _check_inflated(path.name, stream.read())
            stream.seek(0)
        watch = _Watch(path.name, stream, None if is_deflated else size, pixels)
        try:
            with quiet_pydicom():
                dataset = read_partial(stream, watch, specific_tags=list(attributes) if attributes else None)
                syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
        except PARSE_ERRORS as error:
            raise file_error(
                path.name,
                "DAMAGED",
                "cannot be parsed as DICOM: an element or sequence is malformed or does not end",
                "Copy or export the file again",
            ) from error
    return DicomFile(path, dataset, start[:128], syntax)


def _dataset_of(plain: PlainFile) -> Dataset:
    """The elements in pydicom's own raw form, which it converts as they are asked for."""
    is_implicit = plain.syntax == ImplicitVRLittleEndian
    raw: dict[BaseTag, DataElement | RawDataElement] = {
        BaseTag(tag): RawDataElement(
            BaseTag(tag), one.vr or None, len(one.value), one.value or None, 0, is_implicit, True
        )
        for tag, one in plain.elements.items()
    }
    dataset = Dataset(raw)
    dataset.set_original_encoding(is_implicit, True, None)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = plain.syntax
    return dataset


@dataclass
class _Watch:
    """Sees every top-level element's length before its value is read."""

    name: str
    stream: BinaryIO
    size: int | None
    pixels: bool

    def __call__(self, tag: int, _vr: str | None, length: int) -> bool:
        if tag == 0x7FE00010 and not self.pixels:
            return True
        if length == UNDEFINED_LENGTH:
            return False
        if length % 2:
            raise file_error(
                self.name,
                "ODD",
                f"the element {_code(tag)} has the odd length {length}, DICOM values are even",
                "Export the file again",
            )
        if self.size is not None and self.stream.tell() + length > self.size:
            left = self.size - self.stream.tell()
            raise file_error(
                self.name,
                "TRUNCATED",
                f"ends early: {_name(tag)} states {length} bytes, {left} are left",
                "Copy or export the file again",
            )
        return False


def _code(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _name(tag: int) -> str:
    return str(PIXEL_DATA) if tag == 0x7FE00010 else f"the element {_code(tag)}"


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The open file and its size in bytes."""
    try:
        size = path.stat().st_size
        stream = path.open("rb")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "unknown reason"
        remedy = "Restore the link's target, or remove it" if path.is_symlink() else "Check the file's permissions"
        raise file_error(path.name, "UNREADABLE", f"cannot be read: {reason}", remedy) from error
    with stream:
        if size > LARGEST_FILE_BYTES:
            raise file_error(
                path.name, "SIZE", f"is larger than {LARGEST_FILE_BYTES >> 20} MiB, no PET slice is", "Remove the file"
            )
        yield stream, size


def _check_prefix(name: str, content: bytes) -> None:
    if not content:
        raise file_error(name, "EMPTY", "is empty", "Copy or export the file again")
    if content[PREFIX_END - 4 : PREFIX_END] != b"DICM":
        raise file_error(
            name, "PREFIX", "is no DICOM file: 'DICM' is not at byte 128", "Remove it, or export it as a DICOM file"
        )


def _check_inflated(name: str, content: bytes) -> None:
    """Stop a deflated file that would inflate beyond bounds, before pydicom inflates it whole."""
    group, element, _vr, _length, meta_length = struct.unpack(
        "<HH2sHI", content[PREFIX_END : PREFIX_END + 12].ljust(12)
    )
    start = PREFIX_END + 12 + meta_length
    try:
        if (group, element) != (2, 0):
            raise zlib.error
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflater.decompress(content[start:], LARGEST_INFLATED_BYTES)
    except zlib.error as error:
        raise file_error(name, "DAMAGED", "its deflated part cannot be inflated", "Export the file again") from error
    if inflater.unconsumed_tail:
        raise file_error(
            name,
            "SIZE",
            f"would inflate to more than {LARGEST_INFLATED_BYTES >> 20} MiB, no PET slice does",
            "Remove the file",
        )
