"""Boxes out of images, and images into larger ones."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pointpet.core import GeometryError, Grid, Mask, Unit, Volume
from pointpet.image.crop import bounding_box, crop, embed


def oblique() -> np.ndarray:
    affine = np.diag([3.0, 2.5, 4.0, 1.0])
    affine[:3, :3] = Rotation.from_euler("xyz", [0.2, -0.3, 0.4]).as_matrix() @ affine[:3, :3]
    affine[:3, 3] = (5.0, -6.0, 7.0)
    return affine


def test_a_crop_keeps_values_and_world() -> None:
    voxels = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    volume = Volume(voxels, oblique(), Unit.ACTIVITY, Grid((4, 5, 6), oblique()))
    box = crop(volume, (1, 2, 3), (4, 5, 6))
    assert np.array_equal(box.voxels, voxels[1:, 2:, 3:])
    assert np.allclose(box.grid.world(np.array([0, 0, 0])), volume.grid.world(np.array([1, 2, 3])))
    assert box.unit is Unit.ACTIVITY
    assert box.stored is None
    assert volume.voxels.shape == (4, 5, 6)


def test_embed_undoes_crop() -> None:
    voxels = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    volume = Volume(voxels, oblique())
    whole = embed(crop(volume, (1, 2, 3), (3, 4, 5)), (4, 5, 6), (1, 2, 3), fill=-1.0)
    assert whole.grid.matches(volume.grid)
    assert np.array_equal(whole.voxels[1:3, 2:4, 3:5], voxels[1:3, 2:4, 3:5])
    assert (whole.voxels == -1).sum() == 4 * 5 * 6 - 8


def test_masks_too() -> None:
    voxels = np.random.default_rng(0).random((4, 5, 6)) > 0.5
    mask = Mask(voxels, oblique())
    box = crop(mask, (0, 0, 1), (4, 5, 2))
    assert isinstance(box, Mask)
    assert np.array_equal(box.voxels[:, :, 0], voxels[:, :, 1])
    whole = embed(box, (4, 5, 6), (0, 0, 1))
    assert whole.grid.matches(mask.grid)
    assert whole.voxels.dtype == bool
    assert whole.voxels.sum() == box.voxels.sum()


@pytest.mark.parametrize(("lo", "hi"), [((-1, 0, 0), (2, 2, 2)), ((0, 0, 0), (5, 1, 1)), ((1, 1, 1), (1, 2, 2))])
def test_crop_refuses_a_box_outside_or_empty(lo: tuple, hi: tuple) -> None:
    volume = Volume(np.ones((4, 4, 4), np.float32), np.eye(4))
    with pytest.raises(GeometryError, match=r"crop: the box must hold a voxel and lie in \(4, 4, 4\), got"):
        crop(volume, lo, hi)


@pytest.mark.parametrize(("shape", "offset"), [((4, 4, 4), (1, 0, 0)), ((9, 9, 9), (-1, 0, 0))])
def test_embed_refuses_what_does_not_fit(shape: tuple, offset: tuple) -> None:
    volume = Volume(np.ones((4, 4, 4), np.float32), np.eye(4))
    with pytest.raises(GeometryError, match=r"embed: voxels .* must lie in"):
        embed(volume, shape, offset)


def test_a_bounding_box_just_holds_the_region() -> None:
    region = np.zeros((6, 7, 8), bool)
    region[1, 5, 2] = region[4, 3, 7] = True
    assert bounding_box(region) == (slice(1, 5), slice(3, 6), slice(2, 8))
    assert bounding_box(region[:, :, 7]) == (slice(4, 5), slice(3, 4))
    assert bounding_box(np.zeros((3, 4), bool)) is None
