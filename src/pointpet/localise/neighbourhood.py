"""The surroundings of a seed, cut out of an image of two or three axes, and growing regions in them.

A neighbourhood has a fixed size about its seed and is zero outside the image, so nothing that works on it can see how
large the image is or how far its border lies. Shape letters: D axes (2 or 3), S the neighbourhood's shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointpet.image.crop import bounding_box

NEAREST_MM = 30.0
"""A region that begins farther from the click than this is not what was clicked."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Voxels (or pixels) about a seed.

    Args:
        suv: (S) float32, 0 outside the image.
        axes_mm: (D, D) columns are the voxel axes in mm.
        point: (D) index in `suv` of what was clicked, or of the seed where there is no click.
        seed: (D) index in `suv` of the voxel to grow from.
        window: where `suv` meets the image: slices into the image.
        inner: the same part as slices into `suv`.
        allowed: (S) bool, voxels a region may take; all where None.
        scan_max: highest SUV of the whole image.
    """

    suv: NDArray[np.float32]
    axes_mm: NDArray[np.float64]
    point: tuple[int, ...]
    seed: tuple[int, ...]
    window: tuple[slice, ...]
    inner: tuple[slice, ...]
    allowed: NDArray[np.bool_] | None
    scan_max: float

    @property
    def seed_suv(self) -> float:
        """SUV of the seed."""
        return float(self.suv[self.seed])

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """(D,) voxel edge lengths in mm."""
        return np.linalg.norm(self.axes_mm, axis=0)

    def sphere_ml(self, region: NDArray[np.bool_]) -> float:
        """Volume of `region` in mL; in two dimensions that of the ball whose cross-section has its area."""
        measure = np.count_nonzero(region) * abs(float(np.linalg.det(self.axes_mm)))
        return (measure if region.ndim == 3 else 4 / 3 * np.pi * (measure / np.pi) ** 1.5) / 1000.0

    def roundness(self, region: NDArray[np.bool_]) -> float:
        """Volume of `region` by that of the ball about the point that has its root mean square distance from the point.

        1: a ball about the point; less for what is long, thin or beside the point; 0 where `region` is empty.
        """
        if not region.any():
            return 0.0
        # Of the voxels' centres, and of the voxels about their own.
        mean = float(np.square(self.distance_mm[region]).mean(dtype=np.float64)) + np.square(self.spacing_mm).sum() / 12
        # In D dimensions a ball of radius r has a mean square distance of D / (D + 2) r² from its centre.
        radius_mm = np.sqrt((region.ndim + 2) / region.ndim * mean)
        return float(self.sphere_ml(region) / (4 / 3 * np.pi * radius_mm**3 / 1000.0))

    @cached_property
    def distance_mm(self) -> NDArray[np.float32]:
        """(S) distance from `point` in mm."""
        return np.sqrt(squared_distance(self.suv.shape, self.point, self.axes_mm))

    def hottest(self, radius_mm: float) -> tuple[int, ...]:
        """Index of the hottest allowed voxel within `radius_mm` of the point; the seed where none is hotter."""
        box = self._box(radius_mm)
        near = self.distance_mm[box] <= radius_mm
        if self.allowed is not None:
            near &= self.allowed[box]
        heights = np.where(near, self.suv[box], -np.inf)
        best = np.unravel_index(int(np.argmax(heights)), heights.shape)
        if not heights[best] > self.seed_suv:
            return self.seed
        return tuple(int(n) + part.start for n, part in zip(best, box, strict=True))

    def near_maximum(self, radius_mm: float) -> float:
        """Highest SUV within `radius_mm` of the point, among the voxels allowed; at least the seed's."""
        return float(self.suv[self.hottest(radius_mm)])

    def grow(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The connected part of `wanted` that holds the seed, its holes filled; empty where the seed is not in it."""
        return self.finish(component_at(self._permitted(wanted), self.seed))

    def nearest_component(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The connected part of `wanted` that comes nearest to the point, within 30 mm; else empty."""
        wanted = self._permitted(wanted)
        box = self._box(NEAREST_MM)
        away = np.where(wanted[box], self.distance_mm[box], np.inf)
        nearest = np.unravel_index(int(np.argmin(away)), away.shape)
        if away[nearest] > NEAREST_MM:
            return np.zeros_like(wanted)
        return component_at(wanted, [int(n) + part.start for n, part in zip(nearest, box, strict=True)])

    def finish(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`region` with its holes filled, inside the voxels allowed."""
        return self._permitted(fill_holes(region))

    def _permitted(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return region if self.allowed is None else region & self.allowed

    def _box(self, radius_mm: float) -> tuple[slice, ...]:
        """Slices that hold every voxel within `radius_mm` of the point."""
        # Along axis i a sphere reaches the radius times the length of row i of the inverse: right for oblique axes too.
        reach = np.ceil(radius_mm * np.linalg.norm(np.linalg.inv(self.axes_mm), axis=1)).astype(int)
        return tuple(slice(max(at - int(r), 0), at + int(r) + 1) for at, r in zip(self.point, reach, strict=True))

    def paste(self, region: NDArray[np.bool_], shape: Sequence[int]) -> NDArray[np.bool_]:
        """Return `region` (S) in an otherwise empty image of `shape`."""
        image = np.zeros(tuple(shape), bool)
        image[self.window] = region[self.inner]
        return image


def squared_distance(shape: Sequence[int], index: Sequence[int], axes_mm: NDArray) -> NDArray[np.float32]:
    """Squared distance in mm² of each voxel of `shape` from the voxel `index`, any voxel axes."""
    steps = np.ogrid[tuple(slice(0, n) for n in shape)]
    offsets = [step.astype(np.float32) - np.float32(at) for step, at in zip(steps, index, strict=True)]
    total = np.zeros(tuple(shape), np.float32)
    for row in np.asarray(axes_mm, np.float32):
        world = sum((weight * offset for weight, offset in zip(row, offsets, strict=True) if weight), np.float32(0))
        total += np.square(world)
    return total


def component_at(region: NDArray[np.bool_], index: Sequence[int]) -> NDArray[np.bool_]:
    """The connected component of `region` at `index`; empty where `index` is not in it.

    Neighbours share a face (or an edge of a pixel): on real tumours that leaks less than corners do.
    """
    if not region[tuple(index)]:
        return np.zeros_like(region)
    labels = cc3d.connected_components(region, connectivity=4 if region.ndim == 2 else 6)
    return labels == labels[tuple(index)]


def box_around(region: NDArray[np.bool_], spacing_mm: NDArray, margin_mm: float) -> tuple[slice, ...] | None:
    """Slices that hold `region` with a margin; None where it is empty."""
    box = bounding_box(region)
    if box is None:
        return None
    margin = np.ceil(margin_mm / spacing_mm).astype(int)
    return tuple(
        slice(max(part.start - int(m), 0), min(part.stop + int(m), n))
        for part, m, n in zip(box, margin, region.shape, strict=True)
    )


def fill_holes(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `region` with what it encloses; works on its bounding box only."""
    box = box_around(region, np.ones(region.ndim), 0.0)
    if box is None:
        return region
    filled = region.copy()
    filled[box] = ndimage.binary_fill_holes(region[box])
    return filled


def opened(region: NDArray[np.bool_], axes_mm: NDArray, radius_mm: float) -> NDArray[np.bool_]:
    """`region` without what a ball of `radius_mm` does not fit into."""
    return np.asarray(ndimage.binary_opening(region, ball(axes_mm, radius_mm)), dtype=np.bool_)


def closed(region: NDArray[np.bool_], axes_mm: NDArray, radius_mm: float) -> NDArray[np.bool_]:
    """`region` with gaps that a ball of `radius_mm` does not fit into."""
    element = ball(axes_mm, radius_mm)
    box = box_around(region, np.ones(region.ndim), 0.0)
    if box is None:
        return region
    # A margin of the ball's size on every side: SciPy erodes from the array's border inward.
    margin = [(n, n) for n in element.shape]
    part = np.asarray(ndimage.binary_closing(np.pad(region[box], margin), element))
    whole = np.pad(np.zeros_like(region), margin)
    whole[tuple(slice(b.start, b.stop + 2 * m) for b, (m, _) in zip(box, margin, strict=True))] = part
    return whole[tuple(slice(m, -m) for m, _ in margin)]


def ball(axes_mm: NDArray, radius_mm: float) -> NDArray[np.bool_]:
    """Voxels whose centre lies within `radius_mm` of the middle one, odd in every axis."""
    reach = np.floor(radius_mm * np.linalg.norm(np.linalg.inv(axes_mm), axis=1) + 1e-6).astype(int)
    return np.array(squared_distance(2 * reach + 1, reach, axes_mm) <= radius_mm**2 + 1e-3, dtype=np.bool_)


def cut(
    image: NDArray[np.float32],
    axes_mm: NDArray,
    point: Sequence[int],
    *,
    extent_mm: float,
    seed: Sequence[int] | None = None,
    allowed: NDArray[np.bool_] | None = None,
    scan_max: float | None = None,
) -> Neighbourhood:
    """Cut `extent_mm` to either side of voxel `point` along each voxel axis out of `image`, zero beyond its edge.

    `allowed` has the image's shape. The seed is the point unless given.
    """
    axes = np.asarray(axes_mm, np.float64)
    reach = np.ceil(extent_mm / np.linalg.norm(axes, axis=0)).astype(int)
    low, high = np.asarray(point) - reach, np.asarray(point) + reach + 1
    shape = np.array(image.shape)
    window = tuple(slice(int(a), int(b)) for a, b in zip(np.maximum(low, 0), np.minimum(high, shape), strict=True))
    inner = tuple(slice(s.start - int(a), s.stop - int(a)) for s, a in zip(window, low, strict=True))
    suv = np.zeros(tuple(high - low), np.float32)
    suv[inner] = image[window]
    permitted = None
    if allowed is not None:
        permitted = np.zeros(suv.shape, bool)
        permitted[inner] = allowed[window]
    return Neighbourhood(
        suv=suv,
        axes_mm=axes,
        point=tuple(int(n) for n in reach),
        seed=tuple(int(n) for n in np.asarray(point if seed is None else seed) - low),
        window=window,
        inner=inner,
        allowed=permitted,
        scan_max=float(image.max()) if scan_max is None else scan_max,
    )


def climb(suv: NDArray[np.float32], index: Sequence[int], allowed: NDArray[np.bool_]) -> tuple[int, ...]:
    """Walk uphill from `index` to the local maximum, always to the hottest allowed neighbour."""
    here = tuple(int(n) for n in index)
    while True:
        box = tuple(slice(max(n - 1, 0), n + 2) for n in here)
        heights = np.where(allowed[box], suv[box], -np.inf)
        best = np.unravel_index(int(np.argmax(heights)), heights.shape)
        if heights[best] <= suv[here]:
            return here
        here = tuple(int(step) + part.start for step, part in zip(best, box, strict=True))


def hottest_within(
    suv: NDArray[np.float32], axes_mm: NDArray, point: Sequence[int], radius_mm: float
) -> tuple[int, ...]:
    """Index of the hottest voxel within `radius_mm` of voxel `point`; the nearest of equals, then the first."""
    around = cut(suv, axes_mm, point, extent_mm=radius_mm, scan_max=0.0)
    inside = np.zeros(around.suv.shape, bool)
    inside[around.inner] = True
    inside &= around.distance_mm <= radius_mm + 1e-3
    hottest = inside & (around.suv >= around.suv[inside].max())
    chosen = np.unravel_index(int(np.argmin(np.where(hottest, around.distance_mm, np.inf))), around.suv.shape)
    return tuple(
        int(n) - part.start + image.start for n, part, image in zip(chosen, around.inner, around.window, strict=True)
    )
