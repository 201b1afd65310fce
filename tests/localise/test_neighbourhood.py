import numpy as np
import pytest

from pointpet.localise.neighbourhood import (
    ball,
    climb,
    closed,
    component_at,
    cut,
    fill_holes,
    hottest_within,
    opened,
    squared_distance,
)


def test_cut_is_zero_beyond_the_image_and_pastes_back():
    image = np.arange(27, dtype=np.float32).reshape(3, 3, 3) + 1
    around = cut(image, np.eye(3), (0, 1, 2), extent_mm=2.0)
    assert around.suv.shape == (5, 5, 5)
    assert around.point == (2, 2, 2)
    assert around.suv[around.point] == image[0, 1, 2]
    assert around.suv[:2].max() == 0
    assert np.count_nonzero(around.suv) == 3 * 3 * 3
    np.testing.assert_array_equal(around.paste(around.suv > 5, image.shape), image > 5)


def test_cut_reads_no_farther_than_the_extent():
    image = np.ones((50, 50, 50), np.float32)
    around = cut(image, np.diag([2.0, 4.0, 8.0]), (25, 25, 25), extent_mm=16.0)
    assert around.suv.shape == (17, 9, 5)


def test_distance_follows_oblique_axes():
    axes = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 0.5], [0.0, 0.0, 4.0]])
    found = squared_distance((4, 5, 6), (1, 2, 3), axes)
    for index in np.ndindex(4, 5, 6):
        expected = np.sum((axes @ (np.array(index) - (1, 2, 3))) ** 2)
        assert found[index] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_component_needs_a_common_face_and_is_empty_off_the_region():
    region = np.zeros((4, 4, 4), bool)
    region[0, 0, :2] = region[1, 1, 1] = region[3, 3, 3] = True
    assert component_at(region, (0, 0, 0)).sum() == 2
    assert not component_at(region, (2, 0, 0)).any()


def test_component_in_two_dimensions_needs_a_common_edge():
    region = np.eye(5, dtype=bool)
    region[0, 1] = True
    assert component_at(region, (0, 0)).sum() == 3


def test_nearest_component_is_the_one_that_comes_nearest_and_not_beyond_30_mm():
    around = cut(np.ones((41, 41, 41), np.float32), np.eye(3) * 4, (20, 20, 20), extent_mm=80.0)
    wanted = np.zeros(around.suv.shape, bool)
    wanted[20, 20, 25:27], wanted[20, 20, 10:16] = True, True
    assert around.nearest_component(wanted).sum() == 6
    wanted[20, 20, 15] = False
    assert around.nearest_component(wanted).sum() == 2
    wanted[20, 20, 25:28] = [False, False, True]
    wanted[20, 20, 10:16] = [True, True, True, False, False, False]
    assert around.nearest_component(wanted).sum() == 1
    wanted[20, 20, 27] = False
    assert not around.nearest_component(wanted).any()


def test_hottest_is_the_seed_unless_a_hotter_voxel_is_near_and_allowed():
    suv = np.ones((21, 21, 21), np.float32)
    suv[10, 10, 13], suv[10, 10, 18] = 3.0, 9.0
    allowed = np.ones(suv.shape, bool)
    around = cut(suv, np.eye(3) * 4, (10, 10, 10), extent_mm=40.0)
    assert around.hottest(8.0) == around.seed
    assert around.near_maximum(20.0) == 3.0
    assert around.near_maximum(32.0) == 9.0
    allowed[10, 10, 13] = False
    assert cut(suv, np.eye(3) * 4, (10, 10, 10), extent_mm=40.0, allowed=allowed).near_maximum(20.0) == 1.0


def test_sphere_volume_in_three_and_two_dimensions():
    solid = cut(np.ones((5, 5, 5), np.float32), np.eye(3) * 10, (2, 2, 2), extent_mm=20.0)
    assert solid.sphere_ml(solid.suv > 0) == pytest.approx(125.0)
    flat = cut(np.ones((5, 5), np.float32), np.eye(2) * 10, (2, 2), extent_mm=20.0)
    # 2500 mm² is the cross-section of a ball of radius 28.2 mm: 94.0 mL.
    assert flat.sphere_ml(flat.suv > 0) == pytest.approx(94.03, abs=0.01)


def test_opening_and_closing_by_a_ball_of_millimetres():
    axes = np.diag([2.0, 2.0, 4.0])
    assert ball(axes, 4.0).shape == (5, 5, 3)
    assert ball(axes, 4.0).sum() == 15
    bar = np.zeros((20, 20, 20), bool)
    bar[4:16, 4:16, 4:16] = True
    bar[10, 10, 16:] = True
    assert not opened(bar, axes, 4.0)[10, 10, 18]
    slit = bar.copy()
    slit[9, :, :] = False
    assert closed(slit, axes, 4.0)[9, 10, 10]


def test_closing_at_the_arrays_border_equals_closing_away_from_it():
    region = np.random.default_rng(0).random((8, 8, 8)) > 0.5
    wide = np.pad(region, 9)
    expected = closed(wide, np.eye(3), 2.0)[9:-9, 9:-9, 9:-9]
    np.testing.assert_array_equal(closed(region, np.eye(3), 2.0), expected)


def test_holes_are_filled_and_the_input_stays():
    region = np.zeros((7, 7, 7), bool)
    region[1:6, 1:6, 1:6] = True
    region[3, 3, 3] = False
    filled = fill_holes(region)
    assert filled[3, 3, 3]
    assert not region[3, 3, 3]
    assert filled.sum() == 125


def test_climb_ends_on_the_local_maximum_of_the_allowed_voxels():
    suv = np.zeros((1, 1, 9), np.float32)
    suv[0, 0] = [0, 1, 2, 3, 2, 1, 5, 9, 5]
    everywhere = np.ones(suv.shape, bool)
    assert climb(suv, (0, 0, 1), everywhere) == (0, 0, 3)
    assert climb(suv, (0, 0, 6), everywhere) == (0, 0, 7)
    allowed = everywhere.copy()
    allowed[0, 0, 7:] = False
    assert climb(suv, (0, 0, 6), allowed) == (0, 0, 6)


def test_hottest_within_ignores_hotter_voxels_farther_off():
    suv = np.zeros((20, 20, 20), np.float32)
    suv[5, 5, 5], suv[5, 5, 7], suv[5, 5, 9] = 1, 4, 9
    assert hottest_within(suv, np.eye(3) * 4, (5, 5, 5), 10.0) == (5, 5, 7)
    assert hottest_within(suv, np.eye(3) * 4, (5, 5, 5), 0.0) == (5, 5, 5)


def test_hottest_within_takes_the_nearest_of_equals():
    assert hottest_within(np.ones((9, 9, 9), np.float32), np.eye(3), (0, 4, 8), 3.0) == (0, 4, 8)


@pytest.mark.parametrize("axes", [np.diag([2.0, 3.0, 2.5]), np.diag([2.0, 2.0])], ids=["ball", "disc"])
def test_roundness_is_one_about_the_point_and_falls_as_a_ball_moves_away(axes):
    around = cut(np.zeros((41,) * len(axes), np.float32), axes, (20,) * len(axes), extent_mm=60.0)
    middle = around.distance_mm <= 24.0
    assert around.roundness(middle) == pytest.approx(1.0, abs=0.02)
    # Moved along the first axis by its radius: the mean square distance grows by the radius squared.
    moved = np.roll(middle, 12, axis=0)
    dimensions = len(axes)
    expected = (1 + (dimensions + 2) / dimensions) ** -1.5
    assert around.roundness(moved) == pytest.approx(expected, rel=0.03)


def test_roundness_of_little_and_of_nothing():
    around = cut(np.zeros((9, 9, 9), np.float32), np.eye(3) * 4, (4, 4, 4), extent_mm=16.0)
    region = np.zeros(around.suv.shape, bool)
    assert around.roundness(region) == 0.0
    region[around.point] = True
    # A voxel is a cube of edge a: its mean square distance from its centre is a² / 4.
    assert around.roundness(region) == pytest.approx(4.0**3 / (4 / 3 * np.pi * (5 / 3 * 4.0) ** 1.5))
