"""Candidates for a lesion in a PET: where uptake stands out, each described by its own uptake and its surroundings.

Everything is measured on a copy of 4 mm cubes along the world's axes, smoothed a little, so that scanners of different
voxels give comparable numbers. Shape letters: X, Y, Z cubes; N candidates; F features.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointpet.core import Candidates, Grid, Volume
from pointpet.image.body import body_threshold
from pointpet.image.crop import bounding_box
from pointpet.image.liver import right_lobe
from pointpet.image.resample import resample_volume

CUBE_MM = 4.0
SMOOTHING_MM = 3.0
"""Standard deviation of the smoothing: about the blur of a scanner, above the noise of single voxels."""

STANDING_OUT_MM = 12.0
"""Standard deviation of the smoothing that is taken off before maxima are sought: a faint nodule on the flank of
something hot has no maximum of uptake of its own, but it stands out."""

SEPARATION_MM = 10.0
"""A maximum is the highest within a cube of so many mm to every side."""

LEAST_SUV = 0.8
"""Muscle and blood lie below: a maximum there is noise."""

BACKGROUND_MM = 18.0
"""Standard deviation of the smoothing that gives a candidate's background for the choice of the most conspicuous."""

KEPT = 160
"""The most conspicuous are kept: enough to hold the lesion of nearly every phantom, few enough to describe at once."""

SOUGHT = {"kept": KEPT, "standing_out_mm": STANDING_OUT_MM}
"""How candidates are sought: a forest that learned from others does not know these."""

SHELLS_MM = {"near": (8.0, 14.0), "around": (16.0, 24.0), "beyond": (26.0, 36.0), "far": (38.0, 50.0)}
"""Inner and outer radius of the shells that a candidate is compared with."""

BALLS_MM = ((0.0, 10.0), (10.0, 20.0), (20.0, 30.0))
"""Radii between which the share of cubes over half of the maximum is counted."""

REACH_MM = 36.0
"""The part over half of the maximum is followed so far along each axis."""

FLOOR_SUV = 0.1
"""No ratio is taken to less: the air's noise is no background. Twice this is the edge of the body in a slice."""

FEATURES = (
    "log_suv",
    *(f"log_over_{name}" for name in SHELLS_MM),
    *(f"filled_{int(low)}_{int(high)}" for low, high in BALLS_MM),
    "log_volume_ml",
    "log_length_to_width",
    "log_width_to_depth",
    "right_of_middle_mm",
    "from_middle_mm",
    "depth_share",
    "log_over_mirrored",
    "p10_beyond",
    "p10_far",
    "p50_far",
    "p90_far",
    "mean_above",
    "mean_below",
    "above_liver_mm",
    "above_liver_middle_mm",
    "left_of_liver_mm",
)
"""Columns of the features. Logarithms are natural; SUV in g/mL; `depth_share` is 0 at the back of the slice's body and
1 at its front; `above` and `below` are the parts of `beyond` over and under the candidate. The last three say where in
the trunk it lies, from the top and the middle of the liver's right lobe; nan in a scan without a liver."""

LIVER_TOP = 95.0
"""Percentile of the height of the lobe's cubes: one that strays does not move the top."""


def find_candidates(volume: Volume) -> Candidates:
    """Find and describe the most conspicuous places where uptake stands out.

    They are local maxima of the smoothed uptake less a copy smoothed by `STANDING_OUT_MM`, a difference of Gaussians.

    Args:
        volume: SUV (X, Y, Z), any orientation.

    Returns:
        At most `KEPT` candidates, the most conspicuous first, with the columns of `FEATURES`; none in an empty scan.
    """
    cubes = _body_cubes(volume)
    if cubes is None:
        return Candidates(np.zeros((0, 3)), np.zeros((0, len(FEATURES)), np.float32))
    places = _conspicuous_maxima(cubes.voxels)
    world_mm = cubes.grid.world(places)
    return Candidates(world_mm, np.hstack([_describe(cubes.voxels, places), _from_liver(volume, world_mm)]))


def _body_cubes(volume: Volume) -> Volume | None:
    """The body's bounding box as smoothed cubes along the world's axes; None where there is no uptake."""
    corners = volume.grid.world(np.array(np.meshgrid(*[(0, n - 1) for n in volume.voxels.shape])).reshape(3, -1).T)
    low, high = corners.min(0), corners.max(0)
    affine = np.diag([CUBE_MM] * 3 + [1.0])
    affine[:3, 3] = low
    x, y, z = np.floor((high - low) / CUBE_MM + 1e-6).astype(int).tolist()
    cubes = resample_volume(volume, Grid((x + 1, y + 1, z + 1), affine), "linear")
    body = cubes.voxels > body_threshold(cubes)
    box = bounding_box(body)
    if box is None:
        return None
    smooth = np.asarray(ndimage.gaussian_filter(cubes.voxels[box], SMOOTHING_MM / CUBE_MM), np.float32)
    affine[:3, 3] += [part.start * CUBE_MM for part in box]
    return Volume(smooth, affine, volume.unit)


def _conspicuous_maxima(suv: NDArray[np.float32]) -> NDArray[np.intp]:
    """(N, 3) indices of the local maxima of what stands out, those most above their background first."""
    width = 2 * int(SEPARATION_MM // (2 * CUBE_MM) + 1) + 1
    standing_out = suv - ndimage.gaussian_filter(suv, STANDING_OUT_MM / CUBE_MM, truncate=2.5)
    highest = ndimage.maximum_filter(standing_out, width)
    places = np.argwhere((standing_out == highest) & (suv >= LEAST_SUV))
    background = ndimage.gaussian_filter(suv, BACKGROUND_MM / CUBE_MM, truncate=2.0)
    at = tuple(places.T)
    contrast = np.log(suv[at] / np.maximum(background[at], FLOOR_SUV)) + 0.5 * np.log(suv[at])
    return places[np.argsort(-contrast, kind="stable")[:KEPT]]


@cache
def _offsets(low_mm: float, high_mm: float) -> NDArray[np.intp]:
    """(M, 3) steps in cubes to the centres whose distance lies in [low_mm, high_mm)."""
    reach = int(np.ceil(high_mm / CUBE_MM))
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    distances = np.linalg.norm(steps * CUBE_MM, axis=1)
    return steps[(distances >= low_mm) & (distances < high_mm)]


def _describe(suv: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.float32]:
    margin = int(np.ceil(max(high for _, high in SHELLS_MM.values()) / CUBE_MM))
    padded = np.pad(suv, margin, mode="edge")
    inside = places + margin

    def around(at: NDArray[np.intp], steps: NDArray[np.intp]) -> NDArray[np.float32]:
        x, y, z = np.moveaxis(at[:, None] + steps[None], -1, 0)
        return padded[x, y, z]

    own = suv[tuple(places.T)]
    shells = {name: around(inside, _offsets(*bounds)) for name, bounds in SHELLS_MM.items()}
    middle, back, front = _frame(suv)
    right_mm = (places[:, 0] - middle[places[:, 2]]) * CUBE_MM
    mirrored = inside.copy()
    mirrored[:, 0] = np.clip(np.rint(2 * middle[places[:, 2]] - places[:, 0]), 0, suv.shape[0] - 1).astype(int) + margin
    opposite = around(mirrored, _offsets(*BALLS_MM[0])).max(1)
    vertical = _offsets(*SHELLS_MM["beyond"])[:, 2] * CUBE_MM
    columns = [
        np.log(own),
        *(np.log(own / np.maximum(np.median(shell, axis=1), FLOOR_SUV)) for shell in shells.values()),
        *((around(inside, _offsets(*ball)) > 0.5 * own[:, None]).mean(1) for ball in BALLS_MM),
        *_extents(padded, inside, own),
        right_mm,
        np.abs(right_mm),
        (places[:, 1] - back[places[:, 2]]) / np.maximum(front - back, 1)[places[:, 2]],
        np.log(own / np.maximum(opposite, FLOOR_SUV)),
        np.percentile(shells["beyond"], 10, axis=1),
        *np.percentile(shells["far"], (10, 50, 90), axis=1),
        shells["beyond"][:, vertical > SHELLS_MM["near"][1]].mean(1),
        shells["beyond"][:, vertical < -SHELLS_MM["near"][1]].mean(1),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _from_liver(volume: Volume, world_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, 3) how far each place lies above the lobe's top, above its middle, and to the left of it."""
    lobe = right_lobe(volume)
    if lobe is None:
        return np.full((len(world_mm), 3), np.nan, np.float32)
    middle, top = lobe.world_mm.mean(axis=0), np.percentile(lobe.world_mm[:, 2], LIVER_TOP)
    x, _, z = world_mm.T
    return np.stack([z - top, z - middle[2], middle[0] - x], axis=1).astype(np.float32)


def _extents(padded: NDArray[np.float32], places: NDArray[np.intp], own: NDArray[np.float32]) -> list[NDArray]:
    """Of the connected part over half of each maximum: log volume (mL), log z to xy extent, log x to y extent."""
    import cc3d

    reach = int(REACH_MM // CUBE_MM)
    rows = []
    for (x, y, z), suv in zip(places, own, strict=True):
        near = padded[x - reach : x + reach + 1, y - reach : y + reach + 1, z - reach : z + reach + 1]
        labels = np.asarray(cc3d.connected_components(near > 0.5 * suv, connectivity=6))
        part = np.argwhere(labels == labels[reach, reach, reach]) * CUBE_MM
        spread = part.std(axis=0) + 1.0
        volume_ml = len(part) * CUBE_MM**3 / 1000
        across = np.sqrt(spread[0] * spread[1])
        rows.append((np.log(volume_ml), np.log(spread[2] / across), np.log(spread[0] / spread[1])))
    return list(np.array(rows).reshape(-1, 3).T)


def _frame(suv: NDArray[np.float32]) -> NDArray[np.float64]:
    """(3, Z) of each transverse slice: the body's middle in x, its back and its front in y, in cubes; where a slice is
    empty, what lies between its neighbours'."""
    body = suv > 2 * FLOOR_SUV
    frame = np.full((3, suv.shape[2]), np.nan)
    for z in range(suv.shape[2]):
        x, y = np.nonzero(body[:, :, z])
        if len(x):
            frame[:, z] = [np.median(x), *np.percentile(y, [2, 98])]
    known = np.flatnonzero(~np.isnan(frame[0]))
    if not len(known):
        return np.zeros_like(frame)
    slices = np.arange(suv.shape[2])
    return np.stack([np.interp(slices, known, row[known]) for row in frame])
