import numpy as np
import pytest

from pointpet.core import ActivationMap, GeometryError, MipPair, Plane
from pointpet.localise.agreement import agreed_maps
from pointpet.localise.settings import LocaliseSettings

ORIGIN = np.zeros(3)
ALONE = LocaliseSettings(uptake_power=0.0)


def mips(coronal=None, sagittal=None, origin=ORIGIN) -> MipPair:
    ones = np.ones((3, 4))
    return MipPair(ones if coronal is None else coronal, ones if sagittal is None else sagittal, 2.0, origin)


def maps(coronal, sagittal) -> dict[Plane, ActivationMap]:
    return {
        Plane.CORONAL: ActivationMap(np.array(coronal, float), Plane.CORONAL, "lung", 2.0, ORIGIN),
        Plane.SAGITTAL: ActivationMap(np.array(sagittal, float), Plane.SAGITTAL, "lung", 2.0, ORIGIN),
    }


def two_peaks() -> dict[Plane, ActivationMap]:
    """The coronal map prefers height 3, which the sagittal one hardly knows; both know height 1."""
    coronal, sagittal = np.zeros((3, 4)), np.zeros((3, 4))
    coronal[0, 3], coronal[2, 1] = 1.0, 0.8
    sagittal[1, 1], sagittal[1, 3] = 1.0, 0.1
    return maps(coronal, sagittal)


def test_a_peak_that_the_other_view_does_not_know_loses():
    agreed = agreed_maps(two_peaks(), mips(), ALONE)
    assert agreed[Plane.CORONAL].peak_cell == (2, 1)
    assert agreed[Plane.SAGITTAL].peak_cell == (1, 1)
    # sqrt(1.0 * 0.1) against sqrt(0.8 * 1.0), divided by the larger.
    assert agreed[Plane.CORONAL].values[0, 3] == pytest.approx(np.sqrt(0.1 / 0.8), rel=1e-5)
    assert agreed[Plane.CORONAL].values.max() == 1


def test_without_agreement_and_uptake_the_maps_stay_as_they_are():
    given = two_peaks()
    agreed = agreed_maps(given, mips(), LocaliseSettings(agree=False, uptake_power=0.0))
    assert all(agreed[plane] is given[plane] for plane in Plane)


def test_of_two_equal_peaks_the_hotter_wins():
    coronal = np.zeros((3, 4))
    coronal[0, 1] = coronal[2, 1] = 1.0
    sagittal = np.zeros((3, 4))
    sagittal[1, 1] = 1.0
    uptake = np.ones((3, 4))
    uptake[2, 1] = 9.0
    agreed = agreed_maps(maps(coronal, sagittal), mips(uptake), LocaliseSettings(uptake_power=0.5))
    assert agreed[Plane.CORONAL].peak_cell == (2, 1)
    # sqrt(1 * 1 ** 0.5) against sqrt(1 * 9 ** 0.5).
    assert agreed[Plane.CORONAL].values[0, 1] == pytest.approx(np.sqrt(1 / 3), rel=1e-5)


def test_heights_of_ready_made_pictures_are_not_tied():
    given = two_peaks()
    agreed = agreed_maps(given, mips(origin=None), ALONE)
    assert agreed[Plane.CORONAL] is given[Plane.CORONAL]


def test_one_view_alone_is_weighted_by_its_uptake():
    given = {Plane.CORONAL: two_peaks()[Plane.CORONAL]}
    uptake = np.ones((3, 4))
    uptake[2, 1] = 100.0
    pair = MipPair(uptake, None, 2.0, ORIGIN)
    assert agreed_maps(given, pair, LocaliseSettings(uptake_power=0.5))[Plane.CORONAL].peak_cell == (2, 1)


def test_views_that_share_no_height_are_left_as_they_are():
    coronal, sagittal = np.zeros((3, 4)), np.zeros((3, 4))
    coronal[0, 0] = sagittal[0, 3] = 1.0
    given = maps(coronal, sagittal)
    assert agreed_maps(given, mips(), ALONE)[Plane.CORONAL] is given[Plane.CORONAL]


def test_other_mips_are_refused():
    with pytest.raises(
        GeometryError, match=r"coronal activation map: must have its MIP's shape \(5, 4\), got \(3, 4\)"
    ):
        agreed_maps(two_peaks(), mips(np.ones((5, 4))), ALONE)
