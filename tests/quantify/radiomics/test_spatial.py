import numpy as np
import pytest

from pointpet.quantify.radiomics.region import Region
from pointpet.quantify.radiomics.spatial import autocorrelation_features, peak_features

SPACING = (2.0, 3.0, 1.5)


def region(suv, inside):
    return Region(suv, inside, inside, np.ones(suv.shape, np.int32), SPACING)


def looped(suv, inside):
    """Moran's I and Geary's C by their definition (IBSI 3.1.22, 3.1.23), pair by pair."""
    points, values = np.argwhere(inside) * SPACING, suv[inside]
    deviation, n = values - values.mean(), len(values)
    total = products = differences = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                weight = 1 / np.linalg.norm(points[i] - points[j])
                total += weight
                products += weight * deviation[i] * deviation[j]
                differences += weight * (values[i] - values[j]) ** 2
    square = (deviation**2).sum()
    return n / total * products / square, (n - 1) / (2 * total) * differences / square


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_autocorrelation_equals_the_loop_over_pairs(seed):
    rng = np.random.default_rng(seed)
    suv, inside = rng.gamma(2.0, 1.0, (7, 6, 9)), rng.random((7, 6, 9)) > 0.5
    inside[:, 0], inside[0] = False, False
    moran, geary = looped(suv, inside)
    found = autocorrelation_features(region(suv, inside))
    assert found["N365"] == pytest.approx(moran, rel=1e-9)
    assert found["NPT7"] == pytest.approx(geary, rel=1e-9)


def test_a_smooth_tumour_is_more_correlated_than_noise():
    rng = np.random.default_rng(3)
    inside = np.ones((8, 8, 8), bool)
    slope = np.indices((8, 8, 8))[0].astype(float)
    smooth = autocorrelation_features(region(slope, inside))
    noise = autocorrelation_features(region(rng.permutation(slope.ravel()).reshape(slope.shape), inside))
    assert smooth["N365"] > noise["N365"] + 0.1
    assert smooth["NPT7"] < noise["NPT7"] - 0.1


def test_one_voxel_and_a_flat_tumour_have_no_autocorrelation():
    inside = np.zeros((3, 3, 3), bool)
    inside[1, 1, 1] = True
    assert np.isnan(list(autocorrelation_features(region(np.ones((3, 3, 3)), inside)).values())).all()
    flat = np.full((3, 3, 3), 0.1)
    assert np.isnan(list(autocorrelation_features(region(flat, flat > 0)).values())).all()


def test_peaks_equal_means_over_near_voxels():
    rng = np.random.default_rng(4)
    suv, inside = rng.gamma(2.0, 1.0, (9, 8, 11)), rng.random((9, 8, 11)) > 0.6
    points = np.argwhere(np.ones(suv.shape, bool)) * SPACING

    def mean_at(index):
        return suv.ravel()[np.linalg.norm(points - np.array(index) * SPACING, axis=1) <= 6.2].mean()

    found = peak_features(region(suv, inside))
    hottest = np.argwhere(inside & (suv == suv[inside].max()))[0]
    assert found["VJGA"] == pytest.approx(mean_at(hottest), rel=1e-9)
    assert found["0F91"] == pytest.approx(max(mean_at(index) for index in np.argwhere(inside)), rel=1e-9)
