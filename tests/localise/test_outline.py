import numpy as np
import pytest

from pointpet.localise import RULES, LocaliseSettings, segment_point
from pointpet.localise.neighbourhood import cut
from pointpet.localise.outline import choose_by_size
from pointpet.phantom import generate_case


def test_every_rule_has_a_summary_of_one_line():
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.summary
        assert "\n" not in rule.summary


@pytest.mark.parametrize("name", RULES)
def test_no_rule_leaves_the_allowed_voxels(name, blobs):
    volume = blobs.volume(((60.0, 80.0, 100.0), 20.0, 8.0))
    allowed = np.zeros(volume.voxels.shape, bool)
    allowed[10:16] = True
    around = cut(volume.voxels, volume.affine[:3, :3], (15, 20, 25), extent_mm=60.0, allowed=allowed)
    region = RULES[name].draw(around, LocaliseSettings()).region
    assert around.allowed is not None
    assert region.any()
    assert not region[~around.allowed].any()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_works_in_two_dimensions(name, blobs):
    picture = blobs.volume(((60.0, 80.0, 100.0), 20.0, 8.0)).voxels[:, 20]
    around = cut(picture, np.eye(2) * 4, (15, 25), extent_mm=60.0)
    found = around.paste(RULES[name].draw(around, LocaliseSettings()).region, picture.shape)
    truth = picture > 1
    # `reach` smooths its edge by 5 mm, which adds a rim to a sharp disc.
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85


def lesion_with_body(blobs, radius_mm):
    """A hot sphere, and masks of regions about it: the neighbourhood, then each voxel's offset in mm."""
    centre = (160.0, 160.0, 160.0)
    volume = blobs.volume((centre, radius_mm, 8.0), shape=(80, 80, 80), background=0.8, blur_mm=3.0)
    around = cut(volume.voxels, volume.affine[:3, :3], (40, 40, 40), extent_mm=150.0)
    offsets = np.array(np.indices(around.suv.shape)) - np.array(around.point)[:, None, None, None]
    return around, 4.0 * offsets


def test_by_size_takes_a_mass_about_the_click_that_contrast_finds_a_core_of(blobs):
    around, _ = lesion_with_body(blobs, 12.0)
    mass = around.distance_mm <= 40.0
    assert around.sphere_ml(RULES["contrast"].draw(around, LocaliseSettings()).region) < 20.0
    found = choose_by_size(around, mass, LocaliseSettings())
    np.testing.assert_array_equal(found.region, mass)
    assert found.threshold_suv is None


def test_by_size_takes_contrast_where_the_region_is_small(blobs):
    around, _ = lesion_with_body(blobs, 20.0)
    small = around.distance_mm <= 28.0
    found = choose_by_size(around, small, LocaliseSettings())
    np.testing.assert_array_equal(found.region, RULES["contrast"].draw(around, LocaliseSettings()).region)
    chosen = choose_by_size(around, small, LocaliseSettings(ray_ml=50.0))
    np.testing.assert_array_equal(chosen.region, small)


@pytest.mark.parametrize(("radius_mm", "taken"), [(20.0, False), (36.0, True)])
def test_by_size_leaves_a_leak_but_not_a_mass_clicked_off_its_middle(blobs, radius_mm, taken):
    around, (x, y, z) = lesion_with_body(blobs, radius_mm)
    # The lesion and a bar to one side of it: 298 mL, eight times contrast's 36 mL, or 407 mL, twice its 204 mL.
    beside = (around.distance_mm <= radius_mm) | ((x >= 0) & (x <= 120) & (np.abs(y) < 24) & (np.abs(z) < 26))
    found = choose_by_size(around, beside, LocaliseSettings()).region
    contrast = RULES["contrast"].draw(around, LocaliseSettings()).region
    np.testing.assert_array_equal(found, beside if taken else contrast)


def test_by_size_does_not_follow_ray_into_an_organ():
    case = generate_case(0, patients=40, seed=7, preset="hard")
    truth = case.mask.voxels
    overlap = {}
    for rule in ("ray", "by_size"):
        found = segment_point(case.volume, case.points_mm[0], rule=rule).mask.voxels
        overlap[rule] = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert overlap["ray"] < 0.5
    assert overlap["by_size"] > 0.85
