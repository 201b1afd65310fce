"""The top-level elements of a plain little-endian file, found in one pass over its bytes.

pydicom makes an object of each of a slice's hundred elements, which takes longer than reading its pixels. Here only
those asked for are kept, as bytes. Whatever is out of the ordinary (another encoding, an odd or too long element, a
sequence that does not end) is left to pydicom, whose errors are then told: nothing is decided here.

Source: DICOM PS3.5, sections 7.1 (data elements) and 7.5 (sequences), PS3.10, section 7.1 (file meta information).
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

PREFIX_END = 132
UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010

_HEAD = struct.Struct("<HH2sH")
_LONG = struct.Struct("<I")
_ITEM = struct.Struct("<HHI")
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_ITEM_START, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_SYNTAX = 0x00020010
_SYNTAXES = {syntax.encode(): syntax for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)}
_DEEPEST = 16
"""Sequences within sequences; a PET header has two or three."""


class NotPlain(Exception):
    """Not a file that one pass can read."""


@dataclass(frozen=True, slots=True)
class Element:
    """The value's bytes; of a sequence of undefined length those up to its end. `vr` is empty in implicit encoding."""

    vr: str
    value: bytes


@dataclass(frozen=True, slots=True)
class PlainFile:
    """Transfer syntax, and tag to element of those asked for."""

    syntax: UID
    elements: dict[int, Element]


def plain_elements(content: bytes, wanted: Collection[int]) -> PlainFile | None:
    """Find the elements `wanted` in a whole file; None where pydicom should be asked."""
    try:
        place, stated = _meta(content)
        syntax = _SYNTAXES.get(stated)
        is_implicit = syntax == ImplicitVRLittleEndian
        if syntax is None or (is_implicit and content[place + 4 : place + 6].isalpha()):
            return None  # another syntax, or explicit in truth
        elements: dict[int, Element] = {}
        size = len(content)
        while place < size:
            tag, vr, start, length = _header(content, place, is_implicit)
            if length == UNDEFINED_LENGTH:
                if tag == PIXEL_DATA:
                    return None
                end, place = _sequence(content, start, is_implicit, 0)
            else:
                end = place = start + length
                if length % 2 or end > size:
                    return None
            if tag in wanted:
                elements[tag] = Element(vr.decode("ascii"), content[start:end])
    except (NotPlain, struct.error):
        return None
    return PlainFile(syntax, elements)


def _meta(content: bytes) -> tuple[int, bytes]:
    """Where the data set begins, and its transfer syntax; the file meta information is explicit in every file."""
    place, syntax = PREFIX_END, b""
    while True:
        if _HEAD.unpack_from(content, place)[0] != 2:
            return place, syntax.rstrip(b" \0")
        tag, _, start, length = _header(content, place, False)
        place = start + length
        if tag == _SYNTAX:
            syntax = content[start:place]


def _header(content: bytes, place: int, is_implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, value representation, first byte of the value, and its length."""
    group, element, vr, length = _HEAD.unpack_from(content, place)
    if is_implicit:
        return group << 16 | element, b"", place + 8, _LONG.unpack_from(content, place + 4)[0]
    if vr in _SHORT_VRS:
        return group << 16 | element, vr, place + 8, length
    if vr in _LONG_VRS:
        return group << 16 | element, vr, place + 12, _LONG.unpack_from(content, place + 8)[0]
    raise NotPlain


def _sequence(content: bytes, place: int, is_implicit: bool, depth: int) -> tuple[int, int]:
    """Where the items of a sequence of undefined length end, and where the element after it begins."""
    if depth > _DEEPEST:
        raise NotPlain
    while True:
        group, element, length = _ITEM.unpack_from(content, place)
        tag, start = group << 16 | element, place + 8
        if tag == _SEQUENCE_END:
            return place, start
        if tag != _ITEM_START:
            raise NotPlain
        place = start + length if length != UNDEFINED_LENGTH else _item(content, start, is_implicit, depth)


def _item(content: bytes, place: int, is_implicit: bool, depth: int) -> int:
    """Where the item of undefined length ends that begins at `place`."""
    while True:
        group, element, _ = _ITEM.unpack_from(content, place)
        if (group << 16 | element) == _ITEM_END:
            return place + 8
        if group == _ITEM_START >> 16:
            raise NotPlain
        _, vr, start, length = _header(content, place, is_implicit)
        if length != UNDEFINED_LENGTH:
            place = start + length
        elif vr == b"UN":
            raise NotPlain  # of unknown type: its content is implicit whatever the file's encoding (PS3.5, 6.2.2)
        else:
            _, place = _sequence(content, start, is_implicit, depth + 1)
