import numpy as np
import pytest
from scipy import ndimage

from pointpet.localise.neighbourhood import cut
from pointpet.localise.ray_rule import (
    FAR_MM,
    FEATURES,
    THRESHOLD,
    WEIGHTS,
    outward_slope,
    probable_region,
    ray_features,
    ray_maximum,
    ray_probability,
    ray_region,
)


def smooth_field(seed: int, shape) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 3.0, mode="wrap")
    return (5 * (field - field.min()) / (field.max() - field.min())).astype(np.float32)


@pytest.mark.parametrize(("shape", "point"), [((40, 36, 44), (20, 17, 25)), ((60, 50), (22, 31))])
def test_ray_maximum_equals_the_maximum_along_explicit_rays(shape, point):
    suv = smooth_field(0, shape)
    axes = np.diag([4.0, 4.2, 3.3][: len(shape)])
    around = cut(suv, axes, point, extent_mm=70.0)
    found = ray_maximum(around, around.suv)
    generator = np.random.default_rng(1)
    for _ in range(200):
        index = np.array([generator.integers(5, n - 5) for n in around.suv.shape])
        way = np.array(around.point) + np.linspace(0, 1, 400)[:, None] * (index - np.array(around.point))
        expected = ndimage.map_coordinates(around.suv, way.T, order=1, mode="constant").max()
        # The lattice of 12 mm and 24 samples cost a few per cent of the field's range of 5.
        assert found[tuple(index)] == pytest.approx(expected, abs=0.3)


def test_ray_maximum_at_the_point_is_the_suv_there():
    around = cut(smooth_field(2, (30, 30, 30)), np.eye(3) * 4, (15, 14, 16), extent_mm=50.0)
    assert ray_maximum(around, around.suv)[around.point] == pytest.approx(around.suv[around.point], rel=1e-5)


@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_outward_slope_is_the_change_over_10_mm_whatever_the_axes(turn):
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    axes = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1.0]]) @ np.diag([4.0, 5.0, 3.0])
    around = cut(np.zeros((40, 40, 40), np.float32), axes, (20, 20, 20), extent_mm=50.0)
    found = outward_slope(around, -0.03 * around.distance_mm)
    away = around.distance_mm > 15
    # Differences of neighbours round off the cone's tip, less and less farther out.
    np.testing.assert_allclose(found[away], -0.3, atol=0.02)
    assert found[around.point] == 0


def test_features_and_weights_have_one_order():
    around = cut(smooth_field(3, (20, 20, 20)), np.eye(3) * 4, (10, 10, 10), extent_mm=40.0)
    features = ray_features(around)
    assert len(features) == len(FEATURES) == len(WEIGHTS)
    np.testing.assert_allclose(features[FEATURES.index("distance")], around.distance_mm / 50, rtol=1e-5)
    assert all(feature.shape == around.suv.shape and np.isfinite(feature).all() for feature in features)


def test_a_threshold_keeps_what_is_probable_and_joined():
    around = cut(np.zeros((20, 20, 20), np.float32), np.eye(3) * 4, (10, 10, 10), extent_mm=40.0)
    probability = np.full(around.suv.shape, 0.3, np.float32)
    probability[8:13, 8:13, 8:13] = 0.5
    probability[0:3] = 0.9
    found = probable_region(around, probability, 0.4)
    assert found.sum() == 125
    assert found[around.point]


def test_a_mass_with_a_cold_core_is_taken_whole(blobs):
    centre = (100.0, 100.0, 100.0)
    # The body's level and a scanner's resolution of 7 mm: in a scan no edge is sharp, and the rule reads the slope.
    scan = {"shape": (50, 50, 50), "background": 0.8, "blur_mm": 3.0}
    volume = blobs.volume((centre, 50.0, 6.0), (centre, 20.0, 1.0), **scan)
    truth = blobs.volume((centre, 50.0, 6.0), shape=(50, 50, 50)).voxels > 1
    around = cut(volume.voxels, volume.affine[:3, :3], (25, 25, 25), extent_mm=180.0)
    found = around.paste(ray_region(around), truth.shape)
    assert found[25, 25, 25]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_nothing_beyond_the_farthest_tumour():
    around = cut(np.full((20, 20, 160), 5.0, np.float32), np.eye(3) * 4, (10, 10, 80), extent_mm=300.0)
    probability = ray_probability(around, ray_features(around), [0.0] * len(FEATURES), intercept=5.0)
    found = probable_region(around, probability, THRESHOLD)
    assert found.any()
    assert around.distance_mm[found].max() <= FAR_MM + 9.0
