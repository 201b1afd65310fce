import numpy as np
import pytest

from pointpet.core import Flag, GeometryError, Volume
from pointpet.localise import LocaliseSettings
from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Given, Method
from pointpet.methods.thresholds import build_click41, build_fixed41, build_suv25, build_suv40

BUILDERS = [build_suv25, build_suv40, build_fixed41, build_click41]


@pytest.fixture
def scan():
    """A lesion of SUV 3 and an organ of SUV 10."""
    voxels = np.full((20, 20, 20), 0.5, np.float32)
    voxels[4:8, 4:8, 4:8] = 3.0
    voxels[12:18, 12:18, 12:18] = 10.0
    return Volume(voxels, np.diag([4.0, 4.0, 4.0, 1.0]))


def predict(build, volume, points=()):
    method = build(None, LocaliseSettings())
    fitted = method.fit([], FitContext(seed=0))
    points_mm = np.array(points, float).reshape(-1, 3)
    return fitted.predict(CaseInput("P1", "P1", load_volume=lambda: volume, points_mm=points_mm))


@pytest.mark.parametrize("build", BUILDERS)
def test_each_is_a_method_that_trains_on_nothing_and_saves_nothing(build, tmp_path):
    method = build(None, LocaliseSettings())
    assert isinstance(method, Method)
    assert isinstance(method.load(tmp_path), FittedMethod)
    assert not method.supervision.trains
    method.fit([], FitContext(seed=0)).save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_the_click_is_given_a_point():
    assert build_click41(None, LocaliseSettings()).supervision.testing == {Given.POINT}
    for build in BUILDERS[:3]:
        assert build(None, LocaliseSettings()).supervision.testing == frozenset()


@pytest.mark.parametrize(("build", "threshold"), [(build_suv25, 2.5), (build_suv40, 4.0), (build_fixed41, 4.1)])
def test_whole_scan_thresholds_take_organs_too(build, threshold, scan):
    found = predict(build, scan)
    np.testing.assert_array_equal(found.mask.voxels, scan.voxels >= threshold)
    assert found.probabilities == {}
    assert found.flags == ()


def test_nothing_over_the_threshold_is_flagged(scan):
    cold = Volume(scan.voxels * 0.1, scan.affine)
    assert predict(build_suv25, cold).flags == (Flag.EMPTY,)


def test_click_grows_the_lesion_clicked(scan):
    found = predict(build_click41, scan, [(20.0, 20.0, 20.0)])
    np.testing.assert_array_equal(found.mask.voxels, scan.voxels == 3.0)
    assert found.seeds_mm.shape == (1, 3)
    assert found.flags == ()


def test_two_clicks_give_both_lesions(scan):
    found = predict(build_click41, scan, [(20.0, 20.0, 20.0), (60.0, 60.0, 60.0)])
    np.testing.assert_array_equal(found.mask.voxels, scan.voxels >= 3.0)
    assert found.seeds_mm.shape == (2, 3)


def test_without_a_click_the_mask_is_empty(scan):
    found = predict(build_click41, scan)
    assert not found.mask.voxels.any()
    assert found.flags == (Flag.EMPTY,)


@pytest.mark.parametrize("build", BUILDERS)
def test_pictures_are_refused(build):
    with pytest.raises(GeometryError, match="P1: this method needs a 3D PET, got ready-made pictures"):
        build(None, LocaliseSettings()).predict(CaseInput("P1", "P1"))
