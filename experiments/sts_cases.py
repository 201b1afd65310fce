"""The 34 soft-tissue sarcomas of STS, cut off-centre, with their clicks. The data folder is read from POINTPET_DATA.

The published crops keep a margin of about 50 mm on every side of the tumour, so the box alone gives the tumour away.
Here each side loses a random 0 to 35 mm, never a part of the tumour.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Mask, Unit, Volume, generator
from pointpet.io.nifti import read_mask, read_nifti

MAX_CUT_MM = 35.0


@dataclass(frozen=True, eq=False)
class StsCase:
    """One tumour: name, PET, reference mask, and the click in world mm."""

    name: str
    volume: Volume
    mask: Mask
    point_mm: NDArray[np.float64]


def load_cases(*, seed: int = 0, jitter_mm: float = 0.0) -> list[StsCase]:
    """Read, cut and click every tumour; `jitter_mm` moves the click that far in a random direction."""
    folder = os.environ.get("POINTPET_DATA")
    if not folder:
        raise SystemExit("Set POINTPET_DATA to the folder that holds sts/nifti")
    cases = []
    for place in sorted((Path(folder) / "sts" / "nifti").iterdir()):
        volume = read_nifti(place / "PET_image.nii.gz", Unit.SUVBW)
        mask = read_mask(place / "PET_mask.nii.gz", volume)
        volume, mask = cut_off_centre(volume, mask, seed=seed, name=place.name)
        cases.append(StsCase(place.name, volume, mask, click(mask, jitter_mm, seed=seed, name=place.name)))
    return cases


def cut_off_centre(volume: Volume, mask: Mask, *, seed: int, name: str) -> tuple[Volume, Mask]:
    """Take a random 0 to 35 mm off each of the six sides, at most up to the tumour."""
    random = generator(seed, "crop", name)
    inside = np.argwhere(mask.voxels)
    cuts = (random.uniform(0, MAX_CUT_MM, (3, 2)) / volume.spacing_mm[:, None]).astype(int)
    low = np.minimum(cuts[:, 0], inside.min(axis=0))
    high = np.array(volume.voxels.shape) - np.minimum(
        cuts[:, 1], np.array(volume.voxels.shape) - 1 - inside.max(axis=0)
    )
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    affine = volume.affine.copy()
    affine[:3, 3] = volume.grid.world(low)[0]
    return Volume(volume.voxels[box], affine), Mask(mask.voxels[box], affine)


def click(mask: Mask, jitter_mm: float, *, seed: int, name: str) -> NDArray[np.float64]:
    """The mask's centre of mass, moved to its nearest voxel; then `jitter_mm` off, kept inside the scan."""
    inside = mask.grid.world(np.argwhere(mask.voxels))
    point = inside[np.argmin(np.linalg.norm(inside - inside.mean(axis=0), axis=1))]
    if jitter_mm:
        way = generator(seed, "jitter", name, jitter_mm).normal(size=3)
        index = mask.grid.indices(point + jitter_mm * way / np.linalg.norm(way))[0]
        point = mask.grid.world(np.clip(index, 0, np.array(mask.voxels.shape) - 1))[0]
    return point


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Overlap of two masks that are not both empty."""
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))
