"""What a DICOM header knows a patient by, so that a name that holds it is not repeated in outputs."""

from __future__ import annotations

import re
from pathlib import Path

from pointpet.core import PointpetError
from pointpet.io.dicom_file import read_dicom_file
from pointpet.io.dicom_series import dicom_candidates
from pointpet.io.nifti import is_nifti

_IDENTIFYING = (
    0x00080050,  # Accession Number
    0x00100010,  # Patient's Name
    0x00100020,  # Patient ID
    0x00100030,  # Patient's Birth Date
    0x00101000,  # Other Patient IDs
)
SHORTEST_WORD = 3
"""Shorter parts of a name (an initial) occur in any text by chance."""


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
        header = read_dicom_file(first, _IDENTIFYING, pixels=False)
    except PointpetError:
        return True
    stated = " ".join(str(_text(value)) for _, value in header.raw_values())
    words = {word.lower() for word in re.split(r"[\W_]+", stated) if len(word) >= SHORTEST_WORD}
    return any(word in name.lower() for word in words)


def _text(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else value
