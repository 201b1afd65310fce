from time import process_time

import numpy as np
import pytest

from pointpet.core import ActivationMap, Flag, Plane, Volume
from pointpet.localise import LocaliseSettings, localise, outline_names

CENTRE = (60.0, 80.0, 100.0)


def dice(a, b) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


SHARP = {"background": 0.5, "blur_mm": 0.0}
SCAN = {"background": 0.8, "blur_mm": 3.0}
"""The body's level and a scanner's resolution of 7 mm: `ray` reads the slope at the edge, which a step has not."""


@pytest.mark.parametrize(
    ("outline", "look"),
    [(name, SCAN if name == "ray" else SHARP) for name in outline_names() if name not in ("hull", "fixed41")],
)
def test_every_outline_finds_a_sphere_under_the_maps(blobs, outline, look):
    volume = blobs.volume((CENTRE, 16.0, 8.0), ((120.0, 80.0, 100.0), 24.0, 9.0), **look)
    truth = blobs.volume((CENTRE, 16.0, 8.0)).voxels > 1
    found = localise(volume, blobs.maps(CENTRE), LocaliseSettings(outline=outline, hull_threshold=0.3))
    assert dice(found.mask.voxels, truth) > 0.85
    assert found.flags == ()


def test_hotter_organ_outside_the_loose_region_is_left_alone(blobs):
    volume = blobs.volume((CENTRE, 16.0, 6.0), ((130.0, 80.0, 100.0), 24.0, 30.0))
    found = localise(volume, blobs.maps(CENTRE), LocaliseSettings(outline="share"))
    np.testing.assert_array_equal(found.mask.voxels, volume.voxels == 6.0)
    assert np.linalg.norm(found.seeds_mm[0] - CENTRE) <= 16.0


def test_hull_outline_is_the_hull_and_reads_no_suv(blobs):
    settings = LocaliseSettings(outline="hull")
    volume = blobs.volume((CENTRE, 16.0, 8.0))
    cold = Volume(np.ones(volume.voxels.shape, np.float32), volume.affine)
    found, blind = (localise(image, blobs.maps(CENTRE), settings) for image in (volume, cold))
    np.testing.assert_array_equal(found.mask.voxels, found.hull.voxels)
    np.testing.assert_array_equal(found.mask.voxels, blind.mask.voxels)
    assert found.mask.voxels.any()


def test_mask_lies_on_the_volumes_grid_oblique_too(blobs):
    volume = blobs.volume((CENTRE, 16.0, 8.0))
    turn = np.radians(12)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    oblique = Volume(volume.voxels, affine @ volume.affine)
    centre = (affine @ [*CENTRE, 1.0])[:3]
    maps = blobs.maps(centre, shape=(60, 50), origin_mm=(-40.0, 0.0, 0.0))
    found = localise(oblique, maps, LocaliseSettings(outline="share"))
    np.testing.assert_array_equal(found.mask.voxels, volume.voxels == 8.0)
    assert found.mask.grid.matches(oblique.grid)


def test_inputs_stay_unchanged(blobs):
    volume, maps = blobs.volume((CENTRE, 16.0, 8.0)), blobs.maps(CENTRE)
    before = volume.voxels.copy(), maps[Plane.CORONAL].values.copy()
    localise(volume, maps, LocaliseSettings())
    np.testing.assert_array_equal(volume.voxels, before[0])
    np.testing.assert_array_equal(maps[Plane.CORONAL].values, before[1])


def two_lesion_maps(blobs, first, second):
    merged = {}
    for plane in Plane:
        values = np.maximum(blobs.map(plane, first, 10.0).values, 0.8 * blobs.map(plane, second, 10.0).values)
        merged[plane] = ActivationMap(values, plane, "lung", 4.0, np.zeros(3))
    return merged


def test_two_lesions_at_one_height_without_their_ghosts(blobs):
    first, second = (40.0, 40.0, 100.0), (120.0, 120.0, 100.0)
    volume = blobs.volume((first, 14.0, 8.0), (second, 14.0, 7.0))
    maps = two_lesion_maps(blobs, first, second)
    one = localise(volume, maps, LocaliseSettings(outline="share"))
    both = localise(volume, maps, LocaliseSettings(outline="share", max_lesions=5))
    np.testing.assert_array_equal(one.mask.voxels, volume.voxels == 8.0)
    np.testing.assert_array_equal(both.mask.voxels, volume.voxels > 1.0)
    assert len(one.seeds_mm) == 1
    assert len(both.seeds_mm) == 2


def test_peaks_at_different_heights_are_no_lesion(blobs):
    first = (40.0, 40.0, 100.0)
    volume = blobs.volume((first, 14.0, 8.0), ((120.0, 120.0, 40.0), 14.0, 7.0), ((120.0, 120.0, 160.0), 14.0, 7.0))
    maps = {
        Plane.CORONAL: two_lesion_maps(blobs, first, (120.0, 120.0, 40.0))[Plane.CORONAL],
        Plane.SAGITTAL: two_lesion_maps(blobs, first, (120.0, 120.0, 160.0))[Plane.SAGITTAL],
    }
    found = localise(volume, maps, LocaliseSettings(outline="share", max_lesions=5))
    np.testing.assert_array_equal(found.mask.voxels, volume.voxels == 8.0)


def test_empty_map_gives_an_empty_mask_and_says_so(blobs):
    empty = ActivationMap(np.zeros((40, 50), np.float32), Plane.CORONAL, "lung", 4.0, np.zeros(3))
    found = localise(
        blobs.volume((CENTRE, 16.0, 8.0)), {**blobs.maps(CENTRE), Plane.CORONAL: empty}, LocaliseSettings()
    )
    assert not found.mask.voxels.any()
    assert not found.hull.voxels.any()
    assert found.seeds_mm.shape == (0, 3)
    assert found.flags == (Flag.EMPTY, Flag.MAP_EMPTY)


def test_a_scan_of_zeros_gives_an_empty_mask(blobs):
    volume = Volume(np.zeros((40, 40, 50), np.float32), np.diag([4.0, 4.0, 4.0, 1.0]))
    found = localise(volume, blobs.maps(CENTRE), LocaliseSettings())
    assert found.flags == (Flag.EMPTY,)


def test_maps_that_disagree_on_z_are_flagged(blobs):
    maps = {
        Plane.CORONAL: blobs.map(Plane.CORONAL, (60.0, 80.0, 80.0), 30.0),
        Plane.SAGITTAL: blobs.map(Plane.SAGITTAL, (60.0, 80.0, 120.0), 30.0),
    }
    found = localise(blobs.volume((CENTRE, 16.0, 8.0)), maps, LocaliseSettings())
    assert Flag.MAPS_DISAGREE in found.flags


def test_unsure_class_border_and_size_are_flagged(blobs):
    volume = blobs.volume((CENTRE, 30.0, 8.0))
    sure = localise(volume, blobs.maps(CENTRE, 25.0), LocaliseSettings(), probabilities={"a": 0.9, "b": 0.1})
    assert sure.flags == ()
    settings = LocaliseSettings(large_ml=50.0, border_margin_mm=40.0)
    unsure = localise(volume, blobs.maps(CENTRE, 25.0), settings, probabilities={"a": 0.55, "b": 0.45})
    assert unsure.flags == (Flag.LOW_PROBABILITY, Flag.HULL_AT_BORDER, Flag.LARGE)


def test_a_whole_body_takes_under_half_a_second():
    generator = np.random.default_rng(0)
    shape, affine = (168, 168, 400), np.diag([4.07, 4.07, 3.0, 1.0])
    volume = Volume(generator.random(shape, np.float32), affine)
    maps = {}
    for plane in Plane:
        u, z = np.ogrid[:342, :600]
        values = np.exp(-((u - 150) ** 2 + (z - 300) ** 2) / (2 * 20**2)).astype(np.float32)
        maps[plane] = ActivationMap(values, plane, "lung", 2.0, np.zeros(3))
    started = process_time()
    localise(volume, maps, LocaliseSettings())
    assert process_time() - started < 0.5
