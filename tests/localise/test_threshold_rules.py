import numpy as np
import pytest

from pointpet.localise.neighbourhood import cut
from pointpet.localise.threshold_rules import clipped_region, contrast_threshold

CENTRE = (60.0, 80.0, 100.0)
INDEX = (15, 20, 25)


def about(volume):
    return cut(volume.voxels, volume.affine[:3, :3], INDEX, extent_mm=100.0)


@pytest.mark.parametrize("background", [0.5, 2.0])
def test_contrast_threshold_lies_between_background_and_peak(blobs, background):
    around = about(blobs.volume((CENTRE, 20.0, 8.0), background=background))
    assert contrast_threshold(around, 0.35) == pytest.approx(background + 0.35 * (8.0 - background))


def test_contrast_threshold_reads_no_air_and_no_far_organ(blobs):
    volume = blobs.volume(((60.0, 80.0, 160.0), 30.0, 20.0), (CENTRE, 20.0, 8.0), background=0.0)
    assert contrast_threshold(about(volume), 0.35) == pytest.approx(0.35 * 8.0)


def test_contrast_threshold_in_a_flat_image_is_the_share_of_the_seed(blobs):
    assert contrast_threshold(about(blobs.volume(background=2.0)), 0.35) == pytest.approx(0.7)


@pytest.mark.parametrize(("suv", "threshold"), [(2.0, 1.0), (8.0, 2.4), (20.0, 3.0)])
def test_clipped_threshold_stays_between_1_and_3(blobs, suv, threshold):
    assert clipped_region(about(blobs.volume((CENTRE, 20.0, suv))))[1] == pytest.approx(threshold)


def test_clipped_cuts_a_thin_bridge_and_closes_a_thin_gap(blobs):
    volume = blobs.volume((CENTRE, 24.0, 8.0), ((60.0, 80.0, 180.0), 16.0, 8.0))
    voxels = volume.voxels.copy()
    voxels[15, 20, 25:46] = 8.0
    voxels[15, :20, 25] = 0.5
    around = cut(voxels, volume.affine[:3, :3], INDEX, extent_mm=100.0)
    found = around.paste(clipped_region(around)[0], voxels.shape)
    assert found[15, 18, 25]
    assert not found[15, 20, 45]


def test_clipped_keeps_a_lesion_too_small_to_open(blobs):
    voxels = np.full((20, 20, 20), 0.5, np.float32)
    voxels[10, 10, 10] = 6.0
    around = cut(voxels, np.eye(3) * 4, (10, 10, 10), extent_mm=40.0)
    assert clipped_region(around)[0].sum() == 1
