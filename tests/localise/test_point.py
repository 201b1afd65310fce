import numpy as np
import pytest

from pointpet.core import ConfigError, Flag, GeometryError, Volume
from pointpet.localise import RULES, LocaliseSettings, segment_point

CENTRE = (60.0, 80.0, 100.0)


def embed(volume: Volume, before, after) -> Volume:
    """The same scan inside a larger empty one, off-centre."""
    affine = volume.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.array(before)
    return Volume(np.pad(volume.voxels, list(zip(before, after, strict=True))), affine)


def noisy(blobs, seed: int) -> Volume:
    """A lesion of uneven uptake that reaches the scan's edge, in noise."""
    generator = np.random.default_rng(seed)
    volume = blobs.volume((CENTRE, 24.0, 8.0), ((90.0, 80.0, 100.0), 20.0, 5.0), shape=(30, 40, 40))
    return Volume(volume.voxels * generator.uniform(0.6, 1.4, volume.voxels.shape), volume.affine)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_rule_sees_the_images_extent(blobs, rule, seed):
    volume = noisy(blobs, seed)
    before, after = (3, 40, 11), (55, 2, 30)
    small = segment_point(volume, CENTRE, rule=rule).mask.voxels
    large = segment_point(embed(volume, before, after), CENTRE, rule=rule).mask.voxels
    inner = tuple(slice(b, b + n) for b, n in zip(before, volume.voxels.shape, strict=True))
    assert small.any()
    np.testing.assert_array_equal(large[inner], small)
    assert large.sum() == small.sum()


@pytest.mark.parametrize("rule", [name for name in RULES if name != "fixed41"])
def test_every_rule_finds_a_sharp_sphere_and_fills_its_core(blobs, rule):
    volume = blobs.volume((CENTRE, 20.0, 8.0), (CENTRE, 6.0, 1.5), ((140.0, 80.0, 150.0), 12.0, 30.0))
    truth = blobs.volume((CENTRE, 20.0, 8.0)).voxels > 1
    found = segment_point(volume, CENTRE, rule=rule)
    overlap = 2 * (found.mask.voxels & truth).sum() / (found.mask.voxels.sum() + truth.sum())
    assert overlap > 0.9
    assert found.mask.voxels[15, 20, 25]
    assert found.rule == rule


def test_fixed41_follows_the_whole_scans_maximum(blobs):
    cool = blobs.volume((CENTRE, 20.0, 8.0))
    hot = blobs.volume((CENTRE, 20.0, 8.0), ((140.0, 80.0, 150.0), 12.0, 30.0))
    assert segment_point(cool, CENTRE, rule="fixed41").threshold_suv == pytest.approx(0.41 * 8)
    found = segment_point(hot, CENTRE, rule="fixed41")
    assert found.threshold_suv == pytest.approx(0.41 * 30)
    assert found.flags == (Flag.EMPTY,)


def test_click41_cuts_at_41_percent_of_the_maximum_within_10_mm(blobs):
    volume = blobs.volume((CENTRE, 20.0, 8.0), ((68.0, 80.0, 100.0), 2.0, 10.0))
    found = segment_point(volume, CENTRE, rule="click41")
    assert found.threshold_suv == pytest.approx(4.1)
    np.testing.assert_allclose(found.seed_mm, (68.0, 80.0, 100.0))


def test_share_is_a_setting(blobs):
    volume = blobs.volume((CENTRE, 24.0, 3.0), (CENTRE, 12.0, 8.0))
    narrow = segment_point(volume, CENTRE, rule="share", settings=LocaliseSettings(share=0.6))
    wide = segment_point(volume, CENTRE, rule="share", settings=LocaliseSettings(share=0.3))
    np.testing.assert_array_equal(narrow.mask.voxels, volume.voxels == 8.0)
    np.testing.assert_array_equal(wide.mask.voxels, volume.voxels > 1.0)


@pytest.mark.parametrize(("core", "cold"), [(0.9, True), (1.1, True), (1.3, False)])
def test_a_click_into_a_cold_core_is_flagged(blobs, core, cold):
    volume = blobs.volume((CENTRE, 20.0, 12.0), (CENTRE, 6.0, core))
    assert (Flag.COLD_POINT in segment_point(volume, CENTRE).flags) is cold


def test_oblique_volume_gives_the_same_voxels(blobs):
    volume = blobs.volume((CENTRE, 20.0, 8.0), (CENTRE, 6.0, 1.5))
    turn = np.radians(20)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    oblique = Volume(volume.voxels, affine @ volume.affine)
    point = (affine @ [*CENTRE, 1.0])[:3]
    for rule in RULES:
        np.testing.assert_array_equal(
            segment_point(oblique, point, rule=rule).mask.voxels, segment_point(volume, CENTRE, rule=rule).mask.voxels
        )


def test_an_unknown_rule_is_refused(blobs):
    with pytest.raises(ConfigError, match=r"rule: must be one of suv25, .*got 'magic'"):
        segment_point(blobs.volume(), CENTRE, rule="magic")


def test_a_point_outside_the_volume_is_refused(blobs):
    with pytest.raises(GeometryError, match=r"point: must lie inside the volume, got \[-60.0, 80.0, 100.0\] mm RAS"):
        segment_point(blobs.volume(), (-60.0, 80.0, 100.0))


@pytest.mark.parametrize("point", [(1.0, 2.0), (1.0, float("nan"), 2.0)])
def test_a_point_that_is_not_three_numbers_is_refused(blobs, point):
    with pytest.raises(GeometryError, match="point: must be three finite numbers in mm"):
        segment_point(blobs.volume(), point)
