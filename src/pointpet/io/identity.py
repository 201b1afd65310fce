"""What a DICOM header knows a patient by, so that a name that holds it is not repeated in outputs.

Scanners and archives name files and folders after patients (`DOE_JOHN.PT.0003.IMA`) and after unique identifiers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pointpet.core import PointpetError
from pointpet.io.dicom_file import DicomFile, read_dicom_file
from pointpet.io.dicom_header import IDENTIFYING
from pointpet.io.dicom_series import dicom_candidates
from pointpet.io.nifti import is_nifti

SHORTEST_WORD = 3
"""Shorter parts of a name (an initial) occur in any text by chance."""
SHORTEST_NUMBER = 4
"""Shorter numbers occur in any numbered series of files."""
LONGEST_NAME = 255
"""Bytes of a file's name on common file systems."""

_TAGS = frozenset(attribute.number for attribute in IDENTIFYING)
_UID = re.compile(r"(?<!\d)(?=[\d.]{20})(?:1\.[23]|2\.(?:16|25))(?:\.\d+){2,}")
"""A unique identifier by the roots in use; shorter runs of numbers are dates and counts."""
_KEPT_OF_UID = 6
"""Its last digits tell the files of a folder apart, and nobody from anybody."""


def reveals_patient(name: str, source: Path) -> bool:
    """True where `name` holds a word that the header of `source` (a file or a folder) knows its patient by.

    NIfTI files name no patient; a source that cannot be read is taken to reveal one.
    """
    if is_nifti(source):
        return False
    try:
        candidates = dicom_candidates(source, []) if source.is_dir() else iter((source,))
        first = next(candidates, None)
        if first is None:
            return False
        header = read_dicom_file(first, _TAGS, pixels=False)
    except PointpetError:
        return True
    return any(word in name.lower() for word in identifying_words([header]))


def identifying_words(headers: Iterable[DicomFile]) -> set[str]:
    """The words and numbers of names, identifiers and dates of birth, in small letters."""
    stated = {file.text(attribute) or "" for file in headers for attribute in IDENTIFYING}
    words = {word.lower() for text in stated for word in re.split(r"[\W_]+", text)}
    return {word for word in words if len(word) >= (SHORTEST_NUMBER if word.isdigit() else SHORTEST_WORD)}


class FileNames:
    """Files by the names under which they may be spoken of.

    Args:
        names: bare names. words: what must not be repeated of them; None where no header could be read, so that all
            but the ending may name somebody.
    """

    def __init__(self, names: Iterable[str], words: Collection[str] | None) -> None:
        self._names = frozenset(names)
        self._words = words

    @classmethod
    def below(cls, places: Sequence[Path]) -> FileNames:
        """The files and those below the folders of `places`, their headers read anew; a damaged one has none."""
        names: set[str] = set()
        headers: list[DicomFile] = []
        for place in places:
            names.update(name for _, _, found in os.walk(place) for name in found)
            names.add(place.name)
            for path in dicom_candidates(place, [], []) if place.is_dir() else (place,):
                with suppress(PointpetError):
                    headers.append(read_dicom_file(path, _TAGS, pixels=False))
        return cls(names, identifying_words(headers) if headers else None)

    def hide(self, text: str) -> str:
        """`text` with the files that it names (`file NAME`) under names that may be read."""
        parts, position = [], 0
        for found in re.finditer(r"\bfile ", text):
            start = found.end()
            ends = range(min(len(text), start + LONGEST_NAME), start, -1)
            end = next((end for end in ends if text[start:end] in self._names), None)
            if end is not None and start >= position:
                parts += [text[position:start], self.shown(text[start:end])]
                position = end
        return "".join((*parts, text[position:]))

    def shown(self, name: str) -> str:
        """A name with `*` for what may identify somebody: it still finds the file, and tells nobody who it is."""
        if self._words is None:
            return "*" + Path(name).suffix
        name = re.sub(r"[^\W_]+", lambda run: self._without_words(run[0]), name)
        return _UID.sub(lambda uid: "*" + uid[0][-_KEPT_OF_UID:], name)

    def _without_words(self, run: str) -> str:
        """One run of letters and digits with the words in it as `*`, the longest first."""
        small, kept, position = run.lower(), [], 0
        while position < len(run):
            ends = range(len(run), position + SHORTEST_WORD - 1, -1)
            end = next((end for end in ends if small[position:end] in (self._words or ())), None)
            kept.append("*" if end else run[position])
            position = end or position + 1
        return "".join(kept)

    def without(self, error: PointpetError) -> PointpetError:
        """The same error with its files under names that may be read."""
        return type(error)(error.code, self.hide(error.subject), self.hide(error.problem), error.remedy)


@contextmanager
def names_hidden(*places: Path) -> Iterator[None]:
    """Errors that leave name no patient by a file's name; headers are read again only then."""
    try:
        yield
    except PointpetError as error:
        # Not `from error`: a traceback would show the name all the same.
        raise FileNames.below(places).without(error) from None
