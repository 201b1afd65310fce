"""The scanner: blur by the point spread function, the voxel grid, and correlated noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter1d
from scipy.special import ndtr

from pointpet.phantom.shapes import Field

FWHM_PER_SIGMA = 2.354820045
SUV_STEP = 2.0**-10
"""Stored SUV are multiples of this: well below the noise, and files compress to a third."""


@dataclass(frozen=True)
class Scanner:
    """A scanner and its reconstruction.

    Args:
        site: its name. pixel_mm, slice_mm: voxel edges. matrix: voxels across.
        blur_mm: full width at half maximum of the point spread function.
        noise: coefficient of variation in the liver of an average patient.
    """

    site: str
    pixel_mm: float
    slice_mm: float
    matrix: int
    blur_mm: float
    noise: float


SCANNERS = (
    Scanner("scanner-a", 4.06, 2.0, 144, 6.0, 0.13),
    Scanner("scanner-b", 4.6875, 3.27, 128, 6.6, 0.14),
    Scanner("scanner-c", 4.07, 3.0, 144, 5.4, 0.15),
    Scanner("scanner-d", 2.73, 3.27, 208, 5.8, 0.14),
)
HARD_SCANNERS = (
    *SCANNERS,
    Scanner("scanner-e", 5.31, 4.0, 112, 7.0, 0.15),
    Scanner("scanner-f", 4.0, 4.0, 144, 6.8, 0.20),
    Scanner("scanner-g", 3.18, 2.0, 176, 5.0, 0.20),
)


def draw_scanner(rng: np.random.Generator, preset: str) -> Scanner:
    """Draw one of the preset's scanners; its blur and noise vary a little from scan to scan."""
    choices = HARD_SCANNERS if preset == "hard" else SCANNERS
    base = choices[int(rng.integers(len(choices)))]
    blur = float(np.clip(base.blur_mm * rng.normal(1, 0.04), 5.0, 7.0))
    noise = float(base.noise * np.exp(rng.normal(0, 0.15)))
    return Scanner(base.site, base.pixel_mm, base.slice_mm, base.matrix, round(blur, 2), noise)


def native_axes(scanner: Scanner, low_mm: float, high_mm: float) -> tuple[NDArray, NDArray, NDArray]:
    """Voxel centres of a scan of z from `low_mm` to `high_mm`, the table's middle at x = y = 0."""
    across = (np.arange(scanner.matrix) - (scanner.matrix - 1) / 2) * scanner.pixel_mm
    slices = round((high_mm - low_mm) / scanner.slice_mm)
    along = low_mm + scanner.slice_mm * (0.5 + np.arange(slices))
    return across, across.copy(), along


def voxel_weights(fine: NDArray, native: NDArray, blur_mm: float) -> Field:
    """Weights (native, fine) of a Gaussian blur, then the mean over each native voxel; blur 0 is the mean alone."""
    step, edge = float(fine[1] - fine[0]), float(native[1] - native[0])
    distance = native[:, None] - fine[None, :]
    if blur_mm > 0:
        sigma = blur_mm / FWHM_PER_SIGMA
        weights = ndtr((distance + edge / 2) / sigma) - ndtr((distance - edge / 2) / sigma)
        weights *= step / edge
    else:
        overlap = np.minimum(distance + (edge + step) / 2, min(edge, step))
        weights = np.clip(np.minimum(overlap, (edge + step) / 2 - distance), 0, None) / edge
    weights[weights < 1e-7] = 0
    return weights.astype(np.float32)


def add_noise(clean: Field, scanner: Scanner, rng: np.random.Generator, *, girth: float) -> Field:
    """Add spatially correlated noise whose deviation grows with the square root of the activity and the body's girth.

    Ordered-subset reconstructions behave so: noise follows the image, correlated over about the reconstruction's
    filter (Barrett et al. 1994). Outside the body the result is 0.
    """
    body = _dilated_body(clean)
    spacing = np.array([scanner.pixel_mm, scanner.pixel_mm, scanner.slice_mm])
    where = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(body))
    inside = clean[where]
    sigma = scanner.blur_mm / FWHM_PER_SIGMA / spacing
    grain = gaussian_filter(rng.standard_normal(inside.shape, dtype=np.float32), sigma, truncate=3.0)
    grain /= grain[::3, ::3, ::3].std()
    spread = np.sqrt(np.maximum(inside, 0.02) * np.float32(2.25)) * np.float32(scanner.noise * girth)
    out = np.zeros_like(clean)
    out[where] = np.maximum(inside + grain * spread, 0) * body[where]
    return np.round(out / np.float32(SUV_STEP)) * np.float32(SUV_STEP)


def _dilated_body(clean: Field) -> NDArray[np.bool_]:
    """Where the body is, two voxels larger."""
    body = clean > 0.02
    for axis in range(2):
        body = np.asarray(maximum_filter1d(body, 5, axis=axis), bool)
    return body
