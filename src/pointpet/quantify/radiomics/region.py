"""From a PET and a mask to what IBSI computes features on: cubes, an intensity mask and grey levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Grid, Mask, Volume, require_same_grid
from pointpet.image.crop import crop
from pointpet.image.resample import Interpolation, isotropic_grid, resample_mask, resample_volume
from pointpet.quantify.radiomics.settings import RadiomicsSettings
from pointpet.quantify.suv_statistics import PEAK_RADIUS_MM

SPLINE_REACH_VOXELS = 12
"""A cubic B-spline's memory falls by 0.27 a voxel: at 12 voxels to 1.4e-7, below the rounding of float32."""


@dataclass(frozen=True, eq=False)
class Region:
    """A tumour on the grid that features are computed on, with a rim for the 1 mL sphere of the intensity peaks.

    Args:
        suv: (X, Y, Z) float64, g/mL. levels: (X, Y, Z) int32, grey levels from 1.
        shape: (X, Y, Z) bool, IBSI's morphological mask, at least one True.
        inside: (X, Y, Z) bool, IBSI's intensity mask: the part of `shape` that intensities are taken from.
        spacing_mm: (3,) voxel edges.
    """

    suv: NDArray[np.float64]
    shape: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    levels: NDArray[np.int32]
    spacing_mm: tuple[float, float, float]


def prepare_region(volume: Volume, mask: Mask, settings: RadiomicsSettings) -> Region | None:
    """Resample and discretise the surroundings of `mask`; None where no voxel is left.

    The grid is the one of the whole image (IBSI 1, section 2.4, centres aligned); only the mask's part of it is
    computed. A voxel is inside from a share of 0.5 of the interpolated mask. Where the spline undershoots 0, which no
    SUV is, a voxel is left out of the intensity mask (re-segmentation to [0, inf), section 2.5). Grey level =
    floor(SUV / bin) + 1 (fixed bin size from the lower bound of that range, section 2.7).

    Args:
        volume: SUV (X, Y, Z). mask: on the volume's grid. settings: spacing, bin size, interpolation.

    Raises:
        GeometryError: the mask lies on another grid.
    """
    require_same_grid("radiomics", volume, mask)
    if not mask.voxels.any():
        return None
    if settings.spacing_mm is None:
        volume, mask = _cut(volume, mask, _rim(volume.grid))
    else:
        whole = isotropic_grid(volume.grid, settings.spacing_mm)
        volume, mask = _cut(volume, mask, _rim(volume.grid) + SPLINE_REACH_VOXELS)
        target = _part(whole, mask, PEAK_RADIUS_MM + float(volume.spacing_mm.max()))
        volume = resample_volume(_continued(volume, mask), target, cast(Interpolation, settings.interpolation))
        mask = resample_mask(mask, target, cast(Interpolation, settings.mask_interpolation))
        if not mask.voxels.any():
            return None
        volume, mask = _cut(volume, mask, _rim(volume.grid))
    suv = volume.voxels.astype(np.float64)
    inside = mask.voxels & (suv >= 0)
    if not inside.any():
        return None
    levels = np.maximum(np.floor(suv / settings.bin_suv) + 1, 1).astype(np.int32)
    x, y, z = (float(edge) for edge in volume.spacing_mm)
    return Region(suv, mask.voxels, inside, levels, (x, y, z))


def _rim(grid: Grid) -> NDArray[np.int_]:
    """Voxels that the 1 mL sphere reaches beyond the mask, per axis."""
    return np.ceil(PEAK_RADIUS_MM / grid.spacing_mm).astype(int)


def _extent(mask: Mask) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First and last index of the mask along each axis."""
    inside = [np.flatnonzero(mask.voxels.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    return np.array([one[0] for one in inside]), np.array([one[-1] for one in inside])


def _cut(volume: Volume, mask: Mask, rim: NDArray[np.int_]) -> tuple[Volume, Mask]:
    """Both images cut to the mask's box and `rim` voxels around it, inside the image."""
    first, last = _extent(mask)
    low = np.maximum(first - rim, 0).tolist()
    high = np.minimum(last + 1 + rim, mask.voxels.shape).tolist()
    return crop(volume, low, high), crop(mask, low, high)


def _continued(volume: Volume, mask: Mask) -> Volume:
    """The image with its border voxels repeated where it ends within the spline's reach of the mask.

    A tumour in the first slice of a scan needs values beyond it; a spline mirrored there, as SimpleITK has it, lies
    outside what the teams of IBSI found for such a tumour.
    """
    first, last = _extent(mask)
    before = np.maximum(SPLINE_REACH_VOXELS - first, 0)
    after = np.maximum(SPLINE_REACH_VOXELS - (np.array(mask.voxels.shape) - 1 - last), 0)
    voxels = np.pad(volume.voxels, np.stack([before, after], axis=1), mode="edge")
    affine = volume.affine.copy()
    affine[:3, 3] = volume.grid.world(-before)[0]
    return Volume(voxels, affine, volume.unit)


def _part(whole: Grid, mask: Mask, rim_mm: float) -> Grid:
    """The part of `whole` that covers the voxels of `mask` and `rim_mm` around them."""
    indices = whole.indices(mask.grid.world(np.argwhere(mask.voxels)))
    rim = rim_mm / whole.spacing_mm
    low = np.clip(np.floor(indices.min(axis=0) - rim), 0, np.array(whole.shape) - 1).astype(int)
    high = np.clip(np.ceil(indices.max(axis=0) + rim), 0, np.array(whole.shape) - 1).astype(int)
    affine = whole.affine.copy()
    affine[:3, 3] = whole.world(low)[0]
    x, y, z = (int(n) for n in high - low + 1)
    return Grid((x, y, z), affine)
