import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import reconstruction

from pointpet.localise.neighbourhood import cut
from pointpet.localise.reach_rule import REACH_FLOOR, REACH_LEVELS, reach, reach_region


def bumpy(seed: int) -> np.ndarray:
    suv = ndimage.gaussian_filter(np.random.default_rng(seed).random((24, 22, 26)), 1.5)
    suv = 6 * (suv - suv.min()) / (suv.max() - suv.min())
    suv[12, 11, 13] = 8.0
    return suv.astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1])
def test_reach_is_morphological_reconstruction_within_one_level(seed):
    suv = bumpy(seed)
    around = cut(suv, np.eye(3) * 4, (12, 11, 13), extent_mm=200.0)
    marker = np.zeros_like(around.suv)
    marker[around.seed] = around.seed_suv
    exact = reconstruction(marker, around.suv, method="dilation", footprint=ndimage.generate_binary_structure(3, 1))
    found = reach(around)
    step = np.log(8.0 / REACH_FLOOR) / (REACH_LEVELS - 1)
    over = exact > REACH_FLOOR * 1.001
    assert over.any()
    assert (found <= exact + 1e-6).all()
    assert np.log(exact[over] / found[over]).max() <= step + 1e-4
    assert not found[exact < REACH_FLOOR].any()


def test_reach_keeps_to_the_allowed_voxels():
    suv = np.full((9, 9, 9), 4.0, np.float32)
    allowed = np.zeros(suv.shape, bool)
    allowed[:5] = True
    around = cut(suv, np.eye(3) * 4, (3, 4, 4), extent_mm=60.0, allowed=allowed)
    found = reach(around)
    assert around.allowed is not None
    assert found[around.allowed].min() > 3.9
    assert not found[~around.allowed].any()


def test_no_uptake_gives_no_reach_and_no_region():
    around = cut(np.full((9, 9, 9), 0.1, np.float32), np.eye(3) * 4, (4, 4, 4), extent_mm=40.0)
    assert not reach(around).any()
    assert not reach_region(around).any()


def test_the_bar_rises_with_the_distance():
    """A long band of even SUV 4: reach is 4 all along, the bar is 0.22 * 4^0.62 * exp(R / 55) = 4 at R = 130 mm."""
    suv = np.full((15, 15, 141), 0.1, np.float32)
    suv[3:12, 3:12, :] = 4.0
    around = cut(suv, np.eye(3) * 4, (7, 7, 70), extent_mm=300.0)
    expected = 55 * np.log(4 / (0.22 * 4**0.62))
    along = np.flatnonzero(reach_region(around)[around.point[0], around.point[1]])
    assert np.ptp(along) / 2 * 4 == pytest.approx(expected, abs=4)
