import numpy as np
import pytest

from pointpet.phantom.shapes import (
    Canvas,
    curve,
    ellipsoid,
    linear_weights,
    resample,
    rotation_to,
    smooth_max,
    smooth_min,
    smooth_noise,
    tube,
)


@pytest.fixture
def canvas() -> Canvas:
    return Canvas([np.arange(-40, 40, 2.0)] * 3)


def test_box_covers_its_corners_and_is_clipped(canvas: Canvas) -> None:
    patch = canvas.box((-10, -10, -10), (10, 10, 100))
    assert patch.x.min() <= -10
    assert patch.x.max() >= 10
    assert patch.z.max() == 38
    assert patch.shape == canvas.activity[patch.slices].shape


def test_box_outside_is_empty_and_painting_it_changes_nothing(canvas: Canvas) -> None:
    patch = canvas.box((100, 100, 100), (120, 120, 120))
    assert patch.is_empty
    canvas.paint(patch, np.zeros(patch.shape), 1.0)
    assert canvas.activity.max() == 0


def test_painted_ellipsoid_has_its_analytic_volume(canvas: Canvas) -> None:
    patch = canvas.box((-40, -40, -40), (40, 40, 40))
    canvas.paint(patch, ellipsoid(patch, (1, -2, 3), (12, 17, 25), rotation_to((1, 2, 3))), 3.0)
    # 4/3 pi abc, the volume of an ellipsoid.
    assert canvas.activity.sum() / 3 * 8 == pytest.approx(4 / 3 * np.pi * 12 * 17 * 25, rel=0.01)
    assert canvas.activity.max() == pytest.approx(3.0)


def test_ellipsoid_is_the_exact_distance_of_a_sphere(canvas: Canvas) -> None:
    patch = canvas.box((-40, -40, -40), (40, 40, 40))
    distance = ellipsoid(patch, (0, 0, 0), (15, 15, 15))
    expected = np.sqrt(patch.x**2 + patch.y**2 + patch.z**2) - 15
    near = np.abs(expected) < 10
    np.testing.assert_allclose(distance[near], expected[near], atol=1e-3)


def test_tube_has_the_volume_of_a_capsule_and_carries_values(canvas: Canvas) -> None:
    patch, distance, value = tube(canvas, np.array([(0, 0, -20), (0, 0, 20)]), 8.0, [1.0, 5.0], spacing=0.2)
    canvas.paint(patch, distance, 1.0)
    # Cylinder and two half balls.
    assert canvas.activity.sum() * 8 == pytest.approx(np.pi * 64 * 40 + 4 / 3 * np.pi * 512, rel=0.02)
    middle = patch.slices[0].start
    assert value[20 - middle, 20 - patch.slices[1].start, 20 - patch.slices[2].start] == pytest.approx(3.0, abs=0.2)


def test_tube_outside_the_canvas_is_empty(canvas: Canvas) -> None:
    patch, distance, _ = tube(canvas, np.array([(200, 0, 0), (220, 0, 0)]), 5.0)
    assert patch.is_empty
    assert distance.size == 0


def test_smooth_noise_is_standard_normal_and_smooth() -> None:
    axes = [np.arange(0, 240, 2.0)] * 3
    field = smooth_noise(np.random.default_rng(0), axes, 12)
    assert abs(field.mean()) < 0.05
    assert field.std() == pytest.approx(1.0, abs=0.05)
    near, far = field[:-1] * field[1:], field[:-20] * field[20:]
    assert near.mean() > 0.9
    assert abs(far.mean()) < 0.05


def test_smooth_noise_repeats_with_its_seed() -> None:
    axes = [np.arange(0, 20, 2.0)] * 3
    first, second = (smooth_noise(np.random.default_rng(5), axes, 7) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_smooth_noise_of_an_empty_box_is_empty() -> None:
    assert smooth_noise(np.random.default_rng(0), [np.zeros(0), np.arange(3.0), np.arange(4.0)], 5).shape == (0, 3, 4)


def test_linear_weights_reproduce_a_linear_function() -> None:
    few, fine = np.arange(0, 25, 6.0), np.arange(0, 24, 2.0)
    grid = few[:, None, None] + 2 * few[None, :, None] - few[None, None, :]
    weights = linear_weights(fine, few)
    expected = fine[:, None, None] + 2 * fine[None, :, None] - fine[None, None, :]
    np.testing.assert_allclose(resample(grid.astype(np.float32), (weights,) * 3), expected, atol=1e-4)


def test_smooth_maximum_equals_the_maximum_away_from_the_edge() -> None:
    first, second = np.array([-10.0, 0.0, 3.0]), np.array([5.0, 0.0, -4.0])
    np.testing.assert_allclose(smooth_max(first, second, 4.0), [5, 1, 3])
    np.testing.assert_allclose(smooth_min(first, second, 4.0), [-10, -1, -4])


def test_curve_passes_its_knots_and_stays_constant_beyond() -> None:
    line = curve([(10, 2), (0, 1), (20, 8)])
    np.testing.assert_allclose(line([0, 10, 20]), [1, 2, 8])
    assert line(-100) == pytest.approx(1)
    assert line(100) == pytest.approx(8)


def test_scaled_canvas_shares_activity_and_scales_axes(canvas: Canvas) -> None:
    larger = canvas.scaled((2, 1, 1))
    larger.activity[0, 0, 0] = 7
    assert canvas.activity[0, 0, 0] == 7
    np.testing.assert_allclose(larger.axes[0], canvas.axes[0] * 2)


@pytest.mark.parametrize("direction", [(0, 0, 1), (1, -2, 0.5), (0, -1, 0)])
def test_rotation_is_orthonormal_with_the_direction_last(direction: tuple[float, float, float]) -> None:
    rotation = rotation_to(direction)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation[2], np.array(direction) / np.linalg.norm(direction))
