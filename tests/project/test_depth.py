"""A click on one view becomes a point in space."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pointpet.core import GeometryError, MipPair, Plane, Volume
from pointpet.project import coarsen, project, ray_depth


def volume(oblique: bool = False) -> Volume:
    voxels = np.random.default_rng(0).random((12, 13, 14)).astype(np.float32)
    affine = np.diag([4.0, 3.5, 3.0, 1.0])
    affine[:3, 3] = (-20.0, 10.0, 100.0)
    if oblique:
        affine[:3, :3] = Rotation.from_euler("xyz", [0.2, 0.1, -0.3]).as_matrix() @ affine[:3, :3]
    return Volume(voxels, affine)


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("plane", list(Plane))
def test_the_voxel_at_the_depth_holds_the_pictures_value(plane: Plane, oblique: bool) -> None:
    pet = volume(oblique)
    mips = project(pet)
    picture = mips.picture(plane)
    compared = 0
    for row in range(0, picture.shape[0], 3):
        for column in range(0, picture.shape[1], 3):
            if picture[row, column] == 0:
                continue
            point = ray_depth(pet, mips, plane, (row + 0.3, column - 0.4))
            voxel = tuple(np.floor(pet.grid.indices(point)[0] + 0.5 + 1e-4).astype(int))
            assert pet.voxels[voxel] == picture[row, column]
            assert np.allclose(mips.pixels(plane, point)[0], (row, column), atol=1e-6)
            compared += 1
    assert compared > 50


def test_a_hot_spot_is_found_from_either_view_and_from_a_coarser_picture() -> None:
    voxels = np.zeros((20, 20, 20), np.float32)
    voxels[5, 12, 7] = 9.0
    pet = Volume(voxels, np.diag([4.0, 4.0, 4.0, 1.0]))
    mips = project(pet)
    for pictures in (mips, coarsen(mips, 2)):
        for plane in Plane:
            click = pictures.pixels(plane, np.array([[20.0, 48.0, 28.0]]))[0]
            found = ray_depth(pet, pictures, plane, (click[0], click[1]))
            assert np.abs(found - [20.0, 48.0, 28.0]).max() <= 2.0


def test_refusals() -> None:
    pet = volume()
    mips = project(pet)
    rows, columns = mips.picture(Plane.CORONAL).shape
    for point in ((-0.6, 0.0), (0.0, columns - 0.4), (rows, 0.0)):
        with pytest.raises(GeometryError, match=f"must lie in the picture of {rows} rows and {columns} columns"):
            ray_depth(pet, mips, Plane.CORONAL, point)
    with pytest.raises(GeometryError, match="has no world coordinates"):
        ray_depth(pet, MipPair(np.ones((3, 3)), None, 1.0), Plane.CORONAL, (0, 0))
    turned = volume(oblique=True)
    pictures = project(turned)
    with pytest.raises(GeometryError, match="its ray misses the volume"):
        ray_depth(turned, pictures, Plane.CORONAL, (0, 0))
