"""Synthetic blobs with known maps."""

from collections.abc import Mapping

import numpy as np
import pytest
from scipy import ndimage

from pointpet.core import ActivationMap, Plane, Volume


def bump_map(plane: Plane, centre_mm, width_mm: float, *, shape=(40, 50), pixel_mm=4.0, origin_mm=(0.0, 0.0, 0.0)):
    """A map with one Gaussian bump at the projection of a world point."""
    u = origin_mm[plane.axis] + pixel_mm * np.arange(shape[0])[:, None] - centre_mm[plane.axis]
    z = origin_mm[2] + pixel_mm * np.arange(shape[1])[None] - centre_mm[2]
    values = np.exp(-(u**2 + z**2) / (2 * width_mm**2)).astype(np.float32)
    return ActivationMap(values / values.max(), plane, "lung", pixel_mm, np.array(origin_mm))


def bump_maps(centre_mm, width_mm: float = 20.0, **kwargs) -> Mapping[Plane, ActivationMap]:
    """The same bump in both planes."""
    return {plane: bump_map(plane, centre_mm, width_mm, **kwargs) for plane in Plane}


def sphere_volume(*spheres, shape=(40, 40, 50), spacing=4.0, background=0.5, blur_mm=0.0) -> Volume:
    """Spheres (centre_mm, radius_mm, suv) on a flat background, blurred by `blur_mm` (sd); voxel 0 at the origin."""
    grid = np.stack(np.meshgrid(*(spacing * np.arange(n) for n in shape), indexing="ij"), axis=-1)
    voxels = np.full(shape, background, np.float32)
    for centre, radius, suv in spheres:
        voxels[np.linalg.norm(grid - np.array(centre), axis=-1) <= radius] = suv
    if blur_mm:
        ndimage.gaussian_filter(voxels, blur_mm / spacing, mode="nearest", output=voxels)
    return Volume(voxels, np.diag([spacing, spacing, spacing, 1.0]))


@pytest.fixture
def blobs():
    """The builders, as one object: tests run under importmode=importlib and cannot import this file."""

    class Blobs:
        map = staticmethod(bump_map)
        maps = staticmethod(bump_maps)
        volume = staticmethod(sphere_volume)

    return Blobs
