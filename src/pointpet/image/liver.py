"""The liver without a segmentation: its SUV, for the check of an acquisition, and its place. No lesion's uptake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Grid, Volume
from pointpet.image.body import body_median_suv, body_threshold

CELL_MM = 8.0
"""Edge of the cells that are searched: averages noise; the liver still holds thousands of them."""
CUBE_MM = 24.0
"""Edge of a volume of interest. It holds 14 mL, as the sphere of 3 cm that PERCIST lays in the right lobe."""
LEAST_HEIGHT_MM = 500.0
"""A shorter field of view need not hold the liver: a thigh with a large, even tumour looks much like it."""
LEAST_CONTRAST = 1.6
"""Over the body's median (0.4 to 0.8 g/mL): blood and muscle lie near it or below, the liver at three to five times."""
GREATEST_VARIATION = 0.18
"""Standard deviation over mean within a cube of even tissue; borders, bowel, heart and kidneys exceed it. Noise of a
usual scan is 0.1 to 0.15; a scan too noisy for this limit is too noisy for a check of its liver."""
LEAST_CENTRES_ML = 60.0
"""Volume that the centres of such cubes fill together. The right lobe holds 100 mL and more."""
MOST_MM = 180.0
"""Height in which nine tenths of these centres lie: in the right lobe 60 to 130 mm. Muscle of a thigh or of the back,
even and over the body's median too, goes on for longer."""
RIGHT_MM = 25.0
"""The right lobe lies farther than this to the right of the body's midline; heart, blood and brain lie on it."""


@dataclass(frozen=True, eq=False)
class RightLobe:
    """The inside of the liver's right lobe.

    Args:
        world_mm: (N, 3) centres of its cubes of even tissue, world RAS+ mm.
        suv: median of their means, in the volume's unit.
    """

    world_mm: NDArray[np.float64]
    suv: float


def liver_suv(volume: Volume) -> float | None:
    """Mean uptake of the right lobe of the liver, see `right_lobe`; None where no liver can be told.

    Args:
        volume: g/mL, a torso of half a metre or more; a crop has no answer.

    Check: phantoms, whose liver is known, within 8 %, and STS_001 of the sarcoma collection, 2.0 g/mL.
    """
    lobe = right_lobe(volume)
    return None if lobe is None else lobe.suv


def right_lobe(volume: Volume) -> RightLobe | None:
    """Find the right lobe of the liver; None where there is nothing like it.

    Cubes of 14 mL of even tissue, clearly above the body's median, are sought right of the body's midline. Of the
    connected sets of their centres that are large enough, and no taller than a liver, the one with the most uptake in
    all is the inside of the right lobe: muscle may be larger, but takes up a third.

    Args:
        volume: any unit; a torso of half a metre or more.
    """
    import cc3d
    from scipy import ndimage

    if volume.spacing_mm[2] * volume.voxels.shape[2] < LEAST_HEIGHT_MM:
        return None
    cells, grid = _coarse(volume)
    size: Any = [max(3, round(CUBE_MM / edge)) for edge in grid.spacing_mm]  # SciPy's stubs know one size only
    mean: Any = ndimage.uniform_filter(cells, size, mode="constant")
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(cells**2, size, mode="constant") - mean**2, 0.0))
    even = (mean > LEAST_CONTRAST * body_median_suv(volume)) & (spread < GREATEST_VARIATION * mean)
    even[: _right_of_midline(cells > body_threshold(volume), grid)] = False
    parts: Any = cc3d.connected_components(even, connectivity=6)
    sizes = np.bincount(parts.ravel())
    least = 1000.0 * LEAST_CENTRES_ML / grid.spacing_mm.prod()
    lobes = [_lobe(grid, mean, parts == index) for index in np.flatnonzero(sizes >= least) if index]
    possible = [lobe for lobe in lobes if np.ptp(np.percentile(lobe.world_mm[:, 2], (5, 95))) <= MOST_MM]
    return max(possible, key=lambda lobe: lobe.suv * len(lobe.world_mm), default=None)


def _lobe(grid: Grid, mean: NDArray[np.float32], inside: NDArray[np.bool_]) -> RightLobe:
    return RightLobe(grid.world(np.argwhere(inside)), float(np.median(mean[inside])))


def _coarse(volume: Volume) -> tuple[NDArray[np.float32], Grid]:
    """Means over whole blocks of voxels, and their grid."""
    factors = np.maximum(1, np.rint(CELL_MM / volume.spacing_mm)).astype(int)
    factors = np.minimum(factors, volume.voxels.shape)
    (x, y, z), (a, b, c) = np.array(volume.voxels.shape) // factors, factors
    blocks = volume.voxels[: x * a, : y * b, : z * c].reshape(x, a, y, b, z, c)
    affine = np.array(volume.affine)
    affine[:3, 3] += affine[:3, :3] @ ((factors - 1) / 2)
    affine[:3, :3] *= factors
    return blocks.mean(axis=(1, 3, 5), dtype=np.float32), Grid((int(x), int(y), int(z)), affine)


def _right_of_midline(body: NDArray[np.bool_], grid: Grid) -> int:
    """Index along x from which on a cell lies clearly right of the body's midline."""
    columns = np.flatnonzero(body.any(axis=(1, 2)))
    if not columns.size:
        return body.shape[0]
    share = np.cumsum(body.sum(axis=(1, 2)))
    midline = int(np.searchsorted(share, share[-1] / 2))
    return midline + int(np.ceil(RIGHT_MM / grid.spacing_mm[0]))
