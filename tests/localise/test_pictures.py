import numpy as np
import pytest

from pointpet.core import ActivationMap, Flag, GeometryError, MipPair, Plane
from pointpet.localise import LocaliseSettings, localise_pictures, picture_flags


def disc(shape, centre, radius, suv, picture):
    u, z = np.ogrid[: shape[0], : shape[1]]
    picture[(u - centre[0]) ** 2 + (z - centre[1]) ** 2 <= radius**2] = suv


def bump(shape, centre, width):
    u, z = np.ogrid[: shape[0], : shape[1]]
    return np.exp(-((u - centre[0]) ** 2 + (z - centre[1]) ** 2) / (2 * width**2)).astype(np.float32)


@pytest.fixture
def coronal():
    picture = np.full((60, 80), 0.5, np.float32)
    disc(picture.shape, (20, 30), 5, 8.0, picture)
    disc(picture.shape, (45, 60), 4, 6.0, picture)
    disc(picture.shape, (40, 10), 6, 20.0, picture)
    values = np.maximum(bump(picture.shape, (20, 30), 4), 0.7 * bump(picture.shape, (45, 60), 4))
    return MipPair(picture, None, 4.0), {Plane.CORONAL: ActivationMap(values, Plane.CORONAL, "cancer", 4.0)}


def test_one_view_finds_the_main_lesion_and_all_when_asked(coronal):
    mips, maps = coronal
    one = localise_pictures(mips, maps, LocaliseSettings(outline="share"))
    both = localise_pictures(mips, maps, LocaliseSettings(outline="share", max_lesions=9))
    assert set(one) == {Plane.CORONAL}
    np.testing.assert_array_equal(one[Plane.CORONAL], mips.coronal == 8.0)
    np.testing.assert_array_equal(both[Plane.CORONAL], (mips.coronal == 8.0) | (mips.coronal == 6.0))


def test_hull_outline_is_the_thresholded_map(coronal):
    mips, maps = coronal
    found = localise_pictures(mips, maps, LocaliseSettings(outline="hull", hull_threshold=0.5))
    np.testing.assert_array_equal(found[Plane.CORONAL], maps[Plane.CORONAL].values >= 0.5)


def test_both_views_are_outlined_each_by_itself(coronal):
    mips, maps = coronal
    pair = MipPair(mips.coronal, mips.coronal[:50], 4.0)
    both = {**maps, Plane.SAGITTAL: ActivationMap(maps[Plane.CORONAL].values[:50], Plane.SAGITTAL, "cancer", 4.0)}
    found = localise_pictures(pair, both, LocaliseSettings(outline="share"))
    np.testing.assert_array_equal(found[Plane.SAGITTAL], pair.sagittal == 8.0)


def test_empty_map_gives_an_empty_mask_and_flags(coronal):
    mips, _ = coronal
    maps = {Plane.CORONAL: ActivationMap(np.zeros((60, 80), np.float32), Plane.CORONAL, "cancer", 4.0)}
    masks = localise_pictures(mips, maps, LocaliseSettings())
    assert not masks[Plane.CORONAL].any()
    flags = picture_flags(masks, maps, LocaliseSettings(), probabilities={"a": 0.51, "b": 0.49})
    assert flags == (Flag.EMPTY, Flag.MAP_EMPTY, Flag.LOW_PROBABILITY)


def test_views_that_disagree_on_height_are_flagged(coronal):
    mips, maps = coronal
    other = ActivationMap(bump((50, 80), (20, 60), 4), Plane.SAGITTAL, "cancer", 4.0)
    masks = localise_pictures(mips, maps, LocaliseSettings())
    assert picture_flags(masks, {**maps, Plane.SAGITTAL: other}, LocaliseSettings()) == (Flag.MAPS_DISAGREE,)


def test_a_map_of_another_shape_is_refused(coronal):
    mips, _ = coronal
    maps = {Plane.CORONAL: ActivationMap(np.zeros((30, 40), np.float32), Plane.CORONAL, "cancer", 8.0)}
    with pytest.raises(GeometryError, match=r"must have its MIP's shape \(60, 80\), got \(30, 40\)"):
        localise_pictures(mips, maps, LocaliseSettings())


def test_a_view_without_a_map_is_refused(coronal):
    with pytest.raises(GeometryError, match=r"coronal activation map: must have its MIP's shape \(60, 80\), got none"):
        localise_pictures(coronal[0], {}, LocaliseSettings())
