"""Back-projection against explicit loops over voxels."""

import numpy as np
import pytest

from pointpet.core import ActivationMap, GeometryError, Grid, Plane
from pointpet.localise import back_project


def rotated(degrees_z: float, degrees_x: float, spacing, origin) -> np.ndarray:
    a, b = np.radians([degrees_z, degrees_x])
    turn_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn_z @ turn_x @ np.diag(spacing)
    affine[:3, 3] = origin
    return affine


def random_map(generator, plane: Plane) -> ActivationMap:
    values = generator.random((12, 15)).astype(np.float32) ** 4
    return ActivationMap(values, plane, "lung", 3.0, np.array([-4.0, 2.0, -6.0]))


def looped_value(activation: ActivationMap, point_mm) -> float:
    """Bilinear value of a map at a world point, written out."""
    values, origin = activation.values, np.asarray(activation.origin_mm)
    u = (point_mm[activation.plane.axis] - origin[activation.plane.axis]) / activation.pixel_mm
    z = (point_mm[2] - origin[2]) / activation.pixel_mm
    n_u, n_z = values.shape
    if not (-0.5 <= u <= n_u - 0.5 and -0.5 <= z <= n_z - 0.5):
        return 0.0
    u, z = min(max(u, 0.0), n_u - 1.0), min(max(z, 0.0), n_z - 1.0)
    u0, z0 = min(int(u), n_u - 2), min(int(z), n_z - 2)
    fu, fz = u - u0, z - z0
    return float(
        values[u0, z0] * (1 - fu) * (1 - fz)
        + values[u0 + 1, z0] * fu * (1 - fz)
        + values[u0, z0 + 1] * (1 - fu) * fz
        + values[u0 + 1, z0 + 1] * fu * fz
    )


AFFINES = {
    "aligned": np.array([[4.1, 0, 0, -6], [0, 3.9, 0, 1], [0, 0, 2.5, -8], [0, 0, 0, 1.0]]),
    "oblique": rotated(17, -9, (4.1, 3.9, 2.5), (-2, 1, -7)),
    "flipped": np.array([[-4.1, 0, 0, 30], [0, -3.9, 0, 35], [0, 0, 2.5, -8], [0, 0, 0, 1.0]]),
    "permuted": np.array([[0, 3.9, 0, -5], [4.1, 0, 0, 1], [0, 0, 2.5, -8], [0, 0, 0, 1.0]]),
}


@pytest.mark.parametrize("name", AFFINES)
@pytest.mark.parametrize("seed", [0, 1])
def test_product_and_hull_equal_explicit_loops(name, seed):
    generator = np.random.default_rng(seed)
    grid = Grid((9, 10, 16), AFFINES[name])
    maps = {plane: random_map(generator, plane) for plane in Plane}
    threshold = 0.2
    product, both = np.zeros(grid.shape), np.zeros(grid.shape, bool)
    for index in np.ndindex(grid.shape):
        point = grid.world(np.array(index))[0]
        values = [looped_value(maps[plane], point) for plane in Plane]
        product[index] = values[0] * values[1]
        both[index] = min(values) >= threshold
    found = back_project(grid, maps, threshold=threshold)
    assert found is not None
    hull = np.zeros(grid.shape, bool)
    hull[found.box] = found.both_over(threshold)
    assert both.any()
    np.testing.assert_array_equal(hull, both)
    np.testing.assert_allclose(np.broadcast_to(found.product, hull[found.box].shape), product[found.box], atol=1e-6)


def test_the_box_holds_every_voxel_over_the_threshold_and_is_smaller_than_the_grid(blobs):
    grid = Grid((40, 40, 50), np.diag([4.0, 4.0, 4.0, 1.0]))
    found = back_project(grid, blobs.maps((60.0, 80.0, 100.0), 8.0), threshold=0.5)
    assert found is not None
    # exp(-r²/2/8²) = 0.5 at r = 9.42 mm: two 4 mm voxels to either side, one more of slack.
    assert [part.stop - part.start for part in found.box] == [7, 7, 7]
    assert found.both_over(0.5).sum() == 5 * 5 * 5 - sum(
        1
        for x, y, z in np.ndindex(5, 5, 5)
        if max(np.hypot(x - 2, z - 2), np.hypot(y - 2, z - 2)) * 4 > 8 * np.sqrt(2 * np.log(2))
    )


def test_axis_aligned_maps_stay_two_dimensional(blobs):
    grid = Grid((40, 40, 50), np.diag([4.0, 4.0, 4.0, 1.0]))
    found = back_project(grid, blobs.maps((60.0, 80.0, 100.0)), threshold=0.15)
    assert found is not None
    assert found.coronal.shape[1] == 1
    assert found.sagittal.shape[0] == 1


def test_maps_under_the_threshold_give_nothing(blobs):
    empty = ActivationMap(np.zeros((40, 50), np.float32), Plane.CORONAL, "lung", 4.0, np.zeros(3))
    maps = {**blobs.maps((60.0, 80.0, 100.0)), Plane.CORONAL: empty}
    assert back_project(Grid((40, 40, 50), np.diag([4.0, 4.0, 4.0, 1.0])), maps, threshold=0.15) is None


def test_maps_that_share_no_height_give_nothing(blobs):
    maps = {
        Plane.CORONAL: blobs.map(Plane.CORONAL, (60.0, 80.0, 20.0), 8.0),
        Plane.SAGITTAL: blobs.map(Plane.SAGITTAL, (60.0, 80.0, 180.0), 8.0),
    }
    assert back_project(Grid((40, 40, 50), np.diag([4.0, 4.0, 4.0, 1.0])), maps, threshold=0.15) is None


def test_a_grid_beside_the_maps_gives_nothing(blobs):
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[0, 3] = 1000.0
    assert back_project(Grid((40, 40, 50), affine), blobs.maps((60.0, 80.0, 100.0)), threshold=0.15) is None


def test_a_missing_view_is_refused(blobs):
    maps = {Plane.CORONAL: blobs.map(Plane.CORONAL, (60.0, 80.0, 100.0), 8.0)}
    with pytest.raises(GeometryError, match="sagittal activation map: is needed for a 3D mask, got none"):
        back_project(Grid((4, 4, 4), np.eye(4)), maps, threshold=0.15)


def test_a_map_without_world_coordinates_is_refused():
    maps = {plane: ActivationMap(np.ones((4, 4), np.float32), plane, "lung", 1.0) for plane in Plane}
    with pytest.raises(GeometryError, match="coronal activation map: has no world coordinates"):
        back_project(Grid((4, 4, 4), np.eye(4)), maps, threshold=0.15)
