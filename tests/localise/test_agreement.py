import numpy as np
import pytest

from pointpet.core import ActivationMap, GeometryError, MipPair, Plane, Unit, Volume
from pointpet.localise.agreement import agreed_maps, weighted_maps
from pointpet.localise.candidates import WeightedCandidates
from pointpet.localise.settings import LocaliseSettings
from pointpet.project import project

SHAPE = (12, 10, 14)
ALONE = LocaliseSettings(uptake_power=0.0)
WEIGHTED = LocaliseSettings(uptake_power=0.5)


def volume(hot: dict[tuple[int, int, int], float] | None = None) -> Volume:
    values = np.ones(SHAPE, np.float32)
    for place, suv in (hot or {}).items():
        values[place] = suv
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = 1.0
    return Volume(values, affine, Unit.SUVBW)


def maps(coronal: dict[tuple[int, int], float], sagittal: dict[tuple[int, int], float]) -> dict[Plane, ActivationMap]:
    """Maps on the projection grid of `volume`: zero but at the given cells (x or y, z)."""
    found = {}
    for plane, cells in ((Plane.CORONAL, coronal), (Plane.SAGITTAL, sagittal)):
        values = np.zeros((SHAPE[plane.axis], SHAPE[2]), np.float32)
        for cell, value in cells.items():
            values[cell] = value
        found[plane] = ActivationMap(values, plane, "lung", 2.0, np.ones(3))
    return found


def two_peaks() -> dict[Plane, ActivationMap]:
    """The coronal map prefers height 9, which the sagittal one hardly knows; both know height 3."""
    return maps({(2, 9): 1.0, (8, 3): 0.8}, {(4, 3): 1.0, (4, 9): 0.1})


def test_a_peak_that_the_other_view_does_not_know_loses():
    agreed = agreed_maps(volume(), two_peaks(), ALONE)
    assert agreed[Plane.CORONAL].peak_cell == (8, 3)
    assert agreed[Plane.SAGITTAL].peak_cell == (4, 3)
    # sqrt(1.0 * 0.1) against sqrt(0.8 * 1.0), divided by the larger.
    assert agreed[Plane.CORONAL].values[2, 9] == pytest.approx(np.sqrt(0.1 / 0.8), rel=1e-5)
    assert agreed[Plane.CORONAL].values.max() == 1


def test_two_spots_of_one_height_are_told_apart_by_the_voxel_that_holds_uptake():
    # Either map lights both spots; the crossing of their rays is as bright in both MIPs, and only the volume knows.
    hot = volume({(2, 7, 5): 9.0, (8, 1, 5): 4.0})
    both = maps({(2, 5): 0.9, (8, 5): 1.0}, {(7, 5): 0.9, (1, 5): 0.7})
    agreed = agreed_maps(hot, both, LocaliseSettings(uptake_power=1.0))
    assert agreed[Plane.CORONAL].peak_cell == (2, 5)
    assert agreed[Plane.SAGITTAL].peak_cell == (7, 5)
    # 9 * 0.9 * 0.9 at one spot; 4 * 1.0 * 0.7 at the other.
    assert agreed[Plane.CORONAL].values[8, 5] == pytest.approx(np.sqrt(2.8 / 7.29), rel=1e-5)


def test_an_oblique_volume_is_asked_on_its_own_voxels():
    plain = volume({(8, 4, 3): 9.0})
    tilt = np.eye(4)
    tilt[:2, :2] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    tilted = Volume(plain.voxels, tilt @ plain.affine, Unit.SUVBW)
    mips = project(tilted)
    given = {
        plane: ActivationMap(
            np.ones_like(mips.values(plane), dtype=np.float32), plane, "lung", mips.pixel_mm, mips.origin_mm
        )
        for plane in Plane
    }
    spot = tilted.grid.world(np.array([8, 4, 3]))
    for plane, activation in agreed_maps(tilted, given, WEIGHTED).items():
        row, column = mips.pixels(plane, spot)[0]
        hottest = np.argwhere(MipPair(activation.values, None, 2.0).picture(Plane.CORONAL) == 1.0).mean(axis=0)
        assert np.abs(hottest - [row, column]).max() <= 1.0


def test_candidates_far_from_both_maps_leave_the_views_agreement_as_it_is():
    far = WeightedCandidates(np.array([[500.0, 500.0, 500.0]]), np.ones(1), sigma_mm=4.0)
    agreed, alone = (agreed_maps(volume(), two_peaks(), ALONE, found) for found in (far, None))
    assert agreed[Plane.CORONAL].peak_cell == (8, 3)
    for plane in Plane:
        np.testing.assert_array_equal(agreed[plane].values, alone[plane].values)
    near = WeightedCandidates(volume().grid.world(np.array([[2, 4, 9]])), np.ones(1), sigma_mm=2.0)
    assert agreed_maps(volume(), two_peaks(), ALONE, near)[Plane.CORONAL].peak_cell == (2, 9)


def test_a_map_that_is_blind_for_a_candidate_does_not_rule_it_out():
    blind = maps({(8, 3): 1.0}, {(3, 12): 1.0, (4, 3): 1.0})
    weights = np.array([0.1**2 / 1.1**2 * 0.5, 1.0])
    places = volume().grid.world(np.array([[8, 4, 3], [2, 6, 9]]))
    found = WeightedCandidates(places, weights, sigma_mm=2.0)
    assert agreed_maps(volume(), blind, ALONE, found)[Plane.CORONAL].peak_cell == (2, 9)
    found = WeightedCandidates(places, weights * [4.0, 1.0], sigma_mm=2.0)
    assert agreed_maps(volume(), blind, ALONE, found)[Plane.CORONAL].peak_cell == (8, 3)
    cold = volume()
    without = Volume(np.where(np.indices(cold.voxels.shape)[0] < 5, 0, cold.voxels), cold.affine, cold.unit)
    only_there = WeightedCandidates(places[1:], np.ones(1), sigma_mm=1.0)
    powered = LocaliseSettings(uptake_power=1.0)
    alone = agreed_maps(without, blind, powered)
    for plane, found in agreed_maps(without, blind, powered, only_there).items():
        np.testing.assert_array_equal(found.values, alone[plane].values)
    none = WeightedCandidates(places, np.zeros(2), sigma_mm=2.0)
    assert agreed_maps(volume(), blind, ALONE, none)[Plane.CORONAL].peak_cell == (8, 3)


def test_maps_that_share_no_voxel_are_left_as_they_are():
    given = maps({(2, 0): 1.0}, {(3, 12): 1.0})
    agreed = agreed_maps(volume(), given, ALONE)
    assert all(agreed[plane] is given[plane] for plane in Plane)


def test_maps_of_another_scan_are_refused():
    given = two_peaks()
    other = ActivationMap(np.ones((5, 14), np.float32), Plane.CORONAL, "lung", 2.0, np.ones(3))
    with pytest.raises(
        GeometryError, match=r"coronal activation map: must have its MIP's shape \(12, 14\), got \(5, 14\)"
    ):
        agreed_maps(volume(), {**given, Plane.CORONAL: other}, ALONE)


def test_one_view_alone_is_weighted_by_its_uptake():
    given = {Plane.CORONAL: maps({(2, 3): 0.5, (8, 3): 1.0}, {})[Plane.CORONAL]}
    uptake = np.ones((12, 14), np.float32)
    uptake[8, 3] = 9.0
    weighted = weighted_maps(given, MipPair(uptake, None, 2.0), WEIGHTED)[Plane.CORONAL]
    assert weighted.peak_cell == (8, 3)
    # 0.5 * sqrt(1 ** 0.5) against 1 * sqrt(9 ** 0.5).
    assert weighted.values[2, 3] == pytest.approx(0.5 / np.sqrt(3), rel=1e-5)


def test_without_uptake_a_view_stays_as_it_is():
    given = {Plane.CORONAL: two_peaks()[Plane.CORONAL]}
    pair = MipPair(np.ones((12, 14), np.float32), None, 2.0)
    assert weighted_maps(given, pair, ALONE)[Plane.CORONAL] is given[Plane.CORONAL]


def test_other_mips_are_refused():
    pair = MipPair(np.ones((5, 4), np.float32), None, 2.0)
    with pytest.raises(
        GeometryError, match=r"coronal activation map: must have its MIP's shape \(5, 4\), got \(12, 14\)"
    ):
        weighted_maps({Plane.CORONAL: two_peaks()[Plane.CORONAL]}, pair, ALONE)
