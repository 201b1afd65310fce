"""SUV statistics of a mask and of each of its lesions. A lesion is one 26-connected component.

Shape letters: X, Y, Z voxels; N seeds or lesions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.spatial.distance import pdist

from pointpet.core import Lesion, Mask, Volume, require_same_grid
from pointpet.image.crop import bounding_box

PEAK_RADIUS_MM = 6.2
"""Radius of the 1 mL sphere of SUVpeak as IBSI rounds it (reference manual 3.2.1: about 6.2 mm)."""


@dataclass(frozen=True)
class SuvSummary:
    """A mask as a whole. SUVs in g/mL; NaN where the mask is empty.

    Args:
        suv_max, suv_mean: over all voxels of the mask.
        suv_peak: highest mean of a 1 mL sphere centred in the mask.
        mtv_ml: metabolic tumour volume; 0 for an empty mask.
        tlg_g: total lesion glycolysis, SUVmean x MTV; 0 for an empty mask.
        dmax_mm: distance between the centroids of the two lesions farthest apart; 0 with fewer than two.
        lesion_count: 26-connected components.
    """

    suv_max: float
    suv_mean: float
    suv_peak: float
    mtv_ml: float
    tlg_g: float
    dmax_mm: float
    lesion_count: int


def describe_lesions(
    volume: Volume, mask: Mask, *, seeds_mm: NDArray[np.float64] | Sequence[Sequence[float]] | None = None
) -> tuple[Lesion, ...]:
    """Describe each lesion of `mask`, the main one first, then by TLG.

    Args:
        volume: SUV (X, Y, Z).
        mask: on the volume's grid.
        seeds_mm: (N, 3) world RAS+ mm; the lesion that holds the first seed is the main one. Without seeds, or where
            the first lies in no lesion, it is the one of highest TLG.

    Raises:
        GeometryError: the mask lies on another grid.
    """
    require_same_grid("lesions", volume, mask)
    outer = bounding_box(mask.voxels)
    if outer is None:
        return ()
    # cc3d takes no read-only array.
    labels = cc3d.connected_components(mask.voxels[outer].copy(), connectivity=26)
    lesions = [
        (number, _describe(volume, labels[box] == number, _within(outer, box)))
        for number, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    ]
    main = _label_at(mask, labels, outer, seeds_mm)
    lesions.sort(key=lambda item: (item[0] != main, -item[1].tlg_g, item[0]))
    return tuple(Lesion(**{**vars(lesion), "number": order}) for order, (_, lesion) in enumerate(lesions, start=1))


def suv_summary(volume: Volume, mask: Mask) -> SuvSummary:
    """Describe `mask` as a whole.

    Source of Dmax: Cottereau et al., J Nucl Med 2020;61:40-45 (the two lesions farthest apart).

    Raises:
        GeometryError: the mask lies on another grid.
    """
    lesions = describe_lesions(volume, mask)
    if not lesions:
        return SuvSummary(np.nan, np.nan, np.nan, mtv_ml=0.0, tlg_g=0.0, dmax_mm=0.0, lesion_count=0)
    mtv_ml, tlg_g = sum(lesion.mtv_ml for lesion in lesions), sum(lesion.tlg_g for lesion in lesions)
    centroids = np.array([lesion.centroid_mm for lesion in lesions])
    return SuvSummary(
        suv_max=max(lesion.suv_max for lesion in lesions),
        suv_mean=tlg_g / mtv_ml,
        suv_peak=max(lesion.suv_peak for lesion in lesions),
        mtv_ml=mtv_ml,
        tlg_g=tlg_g,
        dmax_mm=float(pdist(centroids).max()) if len(lesions) > 1 else 0.0,
        lesion_count=len(lesions),
    )


def suv_peak(volume: Volume, region: NDArray[np.bool_], box: tuple[slice, ...]) -> float:
    """Highest mean of a 1 mL sphere centred at a voxel of the lesion.

    The mean takes every voxel whose centre lies within 6.2 mm, in the lesion or not, beyond the image none: IBSI's
    global intensity peak (0F91), reference manual 3.2.2.

    Args:
        volume: SUV (X, Y, Z).
        region: the lesion's voxels inside `box`.
        box: slices into the volume.
    """
    reach = [n // 2 for n in _sphere(volume.affine[:3, :3]).shape]
    outer = tuple(
        slice(max(part.start - r, 0), min(part.stop + r, n))
        for part, r, n in zip(box, reach, volume.voxels.shape, strict=True)
    )
    means = sphere_means(volume.voxels[outer], volume.affine[:3, :3])
    inner = tuple(slice(part.start - big.start, part.stop - big.start) for part, big in zip(box, outer, strict=True))
    return float(means[inner][region].max())


def sphere_means(suv: NDArray, axes_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the voxels whose centre lies within the 1 mL sphere about each voxel, those that the image has.

    Args:
        suv: (X, Y, Z). axes_mm: (3, 3), one voxel's step along each axis in the columns.
    """
    kernel = _sphere(axes_mm)
    return _convolved(suv.astype(np.float64), kernel) / _voxels_within(kernel, suv.shape)


def _convolved(image: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the image's values about each voxel, weighted by a kernel of odd size; nothing lies beyond the image.

    As `scipy.signal.fftconvolve` has it, whose package takes longer to load than a tumour to describe.
    """
    size = [fft.next_fast_len(n + k - 1, real=True) for n, k in zip(image.shape, kernel.shape, strict=True)]
    spectra = [np.asarray(fft.rfftn(values, size)) for values in (image, kernel)]
    whole = np.asarray(fft.irfftn(spectra[0] * spectra[1], size))
    return whole[tuple(slice(k // 2, k // 2 + n) for n, k in zip(image.shape, kernel.shape, strict=True))]


def _voxels_within(kernel: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """How many of the kernel's voxels an image of `shape` has about each of its voxels."""
    # Away from the border they are all there: an image as large as the kernel has every case.
    small = tuple(min(n, k) for n, k in zip(shape, kernel.shape, strict=True))
    count = np.rint(_convolved(np.ones(small), kernel))
    places = []
    for n, k in zip(shape, small, strict=True):
        steps = np.arange(n)
        places.append(np.maximum(np.minimum(steps, k // 2), k - (n - steps)))
    return np.maximum(count[np.ix_(*places)], 1.0)


def _sphere(axes_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ones at voxels whose centre lies within the sphere about the middle voxel, odd in every axis."""
    # The sphere's extent along voxel axis i is the radius times the length of row i of the inverse: right for oblique.
    reach = np.floor(PEAK_RADIUS_MM * np.linalg.norm(np.linalg.inv(axes_mm), axis=1)).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1)
    return (np.linalg.norm(steps @ axes_mm.T, axis=-1) <= PEAK_RADIUS_MM).astype(np.float64)


def _within(outer: tuple[slice, ...], box: tuple[slice, ...]) -> tuple[slice, ...]:
    """Slices of the whole that are `box` of its part `outer`."""
    return tuple(slice(big.start + part.start, big.start + part.stop) for big, part in zip(outer, box, strict=True))


def _describe(volume: Volume, region: NDArray[np.bool_], box: tuple[slice, ...]) -> Lesion:
    """One lesion, not numbered yet."""
    start = np.array([part.start for part in box])
    indices = np.argwhere(region) + start
    values = volume.voxels[box][region].astype(np.float64)
    mtv_ml = len(values) * volume.grid.voxel_ml
    centroid, peak = volume.grid.world(np.stack([indices.mean(axis=0), indices[int(np.argmax(values))]]))
    return Lesion(
        number=0,
        centroid_mm=_triple(centroid),
        peak_mm=_triple(peak),
        mtv_ml=mtv_ml,
        tlg_g=float(values.mean()) * mtv_ml,
        suv_max=float(values.max()),
        suv_mean=float(values.mean()),
        suv_peak=suv_peak(volume, region, box),
    )


def _triple(point: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in point)
    return x, y, z


def _label_at(
    mask: Mask, labels: NDArray, box: tuple[slice, ...], seeds_mm: NDArray | Sequence[Sequence[float]] | None
) -> int:
    """Label, of those of the mask's `box`, of the component at the first seed; 0 where there is none."""
    seeds = np.asarray([] if seeds_mm is None else seeds_mm, np.float64).reshape(-1, 3)
    if not len(seeds) or not mask.grid.contains(seeds[:1])[0]:
        return 0
    x, y, z = np.rint(mask.grid.indices(seeds[:1])[0]).astype(int)
    inside = all(part.start <= n < part.stop for part, n in zip(box, (x, y, z), strict=True))
    return int(labels[x - box[0].start, y - box[1].start, z - box[2].start]) if inside else 0
