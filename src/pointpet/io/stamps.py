"""Names, sizes and times of files: whether one was replaced, without reading it; and what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pointpet.core import Case
from pointpet.io.pet import sidecar_path

Stamp = tuple[str, int, int]
"""Name, bytes, and time of the last change in ns."""


def file_stamps(sources: Iterable[Path]) -> list[Stamp]:
    """Of every file, and of all files in every folder.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    return [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns) for source in sources for path in files_of(source)
    ]


def files_of(source: Path) -> list[Path]:
    """A file, or all files in a folder in the order of their paths."""
    return sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]


def content_hash(sources: Iterable[Path]) -> str:
    """SHA-256 of what every file, and all files in every folder, hold; their names are not in it.

    Raises:
        OSError: one of them cannot be read.
    """
    digest = hashlib.sha256()
    for path in (path for source in sources for path in files_of(source)):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def image_sources(case: Case) -> list[Path]:
    """What a case's image is read from: a DICOM folder, a NIfTI with its sidecar, or ready-made pictures."""
    sources = [case.pet] if case.pet is not None else list(case.mips.values())
    # A NIfTI's unit and acquisition stand beside it.
    beside = [sidecar_path(source) for source in sources if not source.is_dir()]
    return [*sources, *(path for path in beside if path.is_file())]


def read_as(case: Case) -> list[Any]:
    """What a manifest's row says of how to read a case's image."""
    planes = [plane.value for plane in case.mips]
    return [case.pet_units, dict(case.header), planes, case.pixel_mm, case.mip_scale, case.mip_inverted]


def mask_sources(case: Case) -> list[Path]:
    """What a case's reference masks are read from."""
    return [*([case.mask] if case.mask is not None else []), *case.mip_masks.values()]
