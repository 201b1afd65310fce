"""Surfaces lie where the mask ends."""

import numpy as np
import pytest

from pointpet.core import Mask
from pointpet.image.surface import mask_surface


def _ball(radius_mm: float, spacing: tuple[float, float, float]) -> Mask:
    shape = tuple(round(80 / step) for step in spacing)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-40, -40, 100]
    axes = [affine[k, 3] + spacing[k] * np.arange(shape[k]) for k in range(3)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return Mask(x**2 + y**2 + (z - 140) ** 2 <= radius_mm**2, affine)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (4.0, 2.0, 3.0)])
def test_a_ball_has_its_radius_and_outward_normals(spacing: tuple[float, float, float]):
    surface = mask_surface(_ball(20.0, spacing))
    from_centre = surface.corners_mm - [0, 0, 140]
    distance = np.linalg.norm(from_centre, axis=1)
    assert abs(np.median(distance) - 20.0) < max(spacing) / 2
    outward = (surface.normals * from_centre).sum(axis=1) / distance
    assert outward.min() > 0.3
    assert np.median(outward) > 0.95
    assert surface.triangles.max() < len(surface.corners_mm)


def test_a_single_voxel_keeps_a_surface():
    voxels = np.zeros((5, 5, 5), bool)
    voxels[0, 0, 4] = True
    surface = mask_surface(Mask(voxels, np.diag([2.0, 2, 2, 1])))
    np.testing.assert_allclose((surface.corners_mm.min(0) + surface.corners_mm.max(0)) / 2, [0, 0, 8], atol=1e-4)


def test_an_empty_mask_has_none():
    surface = mask_surface(Mask(np.zeros((3, 3, 3), bool), np.eye(4)))
    assert surface.corners_mm.shape == (0, 3)
    assert surface.triangles.shape == (0, 3)
