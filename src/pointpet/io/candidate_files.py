"""Candidates on disk, in our own cache."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from pointpet.core import Candidates
from pointpet.io.artefacts import write_bytes
from pointpet.io.mip_files import own_cache


def write_candidates(path: Path, candidates: Candidates) -> None:
    """Write candidates as compressed `.npz`, equal bytes for equal content."""
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, world_mm=candidates.world_mm, features=candidates.features)
    write_bytes(path, content.getvalue())


def read_candidates(path: Path) -> Candidates:
    """Read what `write_candidates` wrote.

    Raises:
        ImageReadError: missing, damaged, or no candidates of ours.
    """
    with own_cache(path) as arrays:
        return Candidates(arrays["world_mm"], arrays["features"])
