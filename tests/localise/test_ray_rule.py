import numpy as np
import pytest
from scipy import ndimage

from pointpet.localise.neighbourhood import cut
from pointpet.localise.ray_rule import FAR_MM, FEATURES, WEIGHTS, probable_region, ray_features, ray_mean, ray_region


def smooth_field(seed: int, shape) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 3.0, mode="wrap")
    return (5 * (field - field.min()) / (field.max() - field.min())).astype(np.float32)


@pytest.mark.parametrize(("shape", "point"), [((40, 36, 44), (20, 17, 25)), ((60, 50), (22, 31))])
def test_ray_mean_equals_the_mean_along_explicit_rays(shape, point):
    suv = smooth_field(0, shape)
    axes = np.diag([4.0, 4.2, 3.3][: len(shape)])
    around = cut(suv, axes, point, extent_mm=70.0)
    found = ray_mean(around)
    blurred = ndimage.gaussian_filter(around.suv, 2.0 / around.spacing_mm, mode="constant", truncate=3.0)
    generator = np.random.default_rng(1)
    for _ in range(200):
        index = np.array([generator.integers(5, n - 5) for n in around.suv.shape])
        fractions = (np.arange(400) + 0.5) / 400
        way = np.array(around.point) + fractions[:, None] * (index - np.array(around.point))
        expected = ndimage.map_coordinates(blurred, way.T, order=1, mode="constant").mean()
        # The lattice of 12 mm and 24 samples cost a few per cent of the field's range of 5.
        assert found[tuple(index)] == pytest.approx(expected, abs=0.2)


def test_ray_mean_at_the_point_is_the_blurred_suv_there():
    around = cut(smooth_field(2, (30, 30, 30)), np.eye(3) * 4, (15, 14, 16), extent_mm=50.0)
    blurred = ndimage.gaussian_filter(around.suv, 0.5, mode="constant", truncate=3.0)
    assert ray_mean(around)[around.point] == pytest.approx(blurred[around.point], rel=1e-5)


def test_features_and_weights_have_one_order():
    around = cut(smooth_field(3, (20, 20, 20)), np.eye(3) * 4, (10, 10, 10), extent_mm=40.0)
    features = ray_features(around)
    assert len(features) == len(FEATURES) == len(WEIGHTS)
    np.testing.assert_allclose(features[3], around.distance_mm / 50, rtol=1e-5)
    assert all(feature.shape == around.suv.shape and np.isfinite(feature).all() for feature in features)


def test_a_mass_with_a_cold_core_is_taken_whole(blobs):
    centre = (100.0, 100.0, 100.0)
    volume = blobs.volume((centre, 50.0, 6.0), (centre, 20.0, 1.0), shape=(50, 50, 50))
    truth = blobs.volume((centre, 50.0, 6.0), shape=(50, 50, 50)).voxels > 1
    around = cut(volume.voxels, volume.affine[:3, :3], (25, 25, 25), extent_mm=180.0)
    found = around.paste(ray_region(around), truth.shape)
    assert found[25, 25, 25]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_nothing_beyond_the_farthest_tumour():
    around = cut(np.full((20, 20, 160), 5.0, np.float32), np.eye(3) * 4, (10, 10, 80), extent_mm=300.0)
    found = probable_region(around, (0.0, 0.0, 0.0, 0.0), intercept=5.0)
    assert found.any()
    assert around.distance_mm[found].max() <= FAR_MM + 9.0
