"""Candidates on disk, in our own cache."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from pointpet.core import Candidates, ImageReadError
from pointpet.io.artefacts import write_bytes
from pointpet.io.mip_files import own_cache


def write_candidates(path: Path, candidates: Candidates) -> None:
    """Write candidates as compressed `.npz`, equal bytes for equal content."""
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, world_mm=candidates.world_mm, features=candidates.features)
    write_bytes(path, content.getvalue())


def read_candidates(path: Path, columns: int) -> Candidates:
    """Read what `write_candidates` wrote.

    Args:
        columns: how many features a candidate must have.

    Raises:
        ImageReadError: missing, damaged, no candidates of ours, or of other features.
    """
    with own_cache(path) as arrays:
        found = Candidates(arrays["world_mm"], arrays["features"])
    if found.features.shape[1] != columns:
        raise ImageReadError(
            "PP-MIP-CACHE",
            path.name,
            f"must hold {columns} features of each candidate, got {found.features.shape[1]}",
            "Remove it and run `pointpet prepare` again",
        )
    return found
