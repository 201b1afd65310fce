import numpy as np
import pytest

from pointpet.core import GeometryError, Mask, Volume
from pointpet.image.resample import isotropic_grid, resample_mask, resample_volume
from pointpet.quantify.radiomics import RadiomicsSettings
from pointpet.quantify.radiomics.region import prepare_region

AFFINE = np.diag([4.0, 4.0, 3.0, 1.0])


@pytest.mark.parametrize("spacing_mm", [2.0, 3.0])
def test_the_part_equals_the_whole_image_resampled(case, spacing_mm):
    """Cutting first changes no value: the spline's far memory is a ten-millionth."""
    volume, mask = case
    region = prepare_region(volume, mask, RadiomicsSettings(spacing_mm=spacing_mm))
    grid = isotropic_grid(volume.grid, spacing_mm)
    whole = resample_volume(volume, grid, "cubic").voxels
    inside = resample_mask(mask, grid, "linear").voxels
    assert region.shape.sum() == inside.sum()
    np.testing.assert_allclose(region.suv[region.shape], whole[inside], rtol=0, atol=5e-6)
    assert region.spacing_mm == (spacing_mm,) * 3


def test_without_resampling_the_values_are_those_of_the_pet(case):
    volume, mask = case
    region = prepare_region(volume, mask, RadiomicsSettings(spacing_mm=None, bin_suv=0.5))
    np.testing.assert_array_equal(region.suv[region.shape], volume.voxels[mask.voxels])
    np.testing.assert_array_equal(region.levels[region.inside], np.floor(volume.voxels[mask.voxels] / 0.5) + 1)
    assert region.spacing_mm == (4.0, 4.0, 3.0)


def test_the_rim_holds_the_peak_sphere(case):
    volume, mask = case
    region = prepare_region(volume, mask, RadiomicsSettings())
    for axis in range(3):
        hit = np.flatnonzero(region.shape.any(axis=tuple(other for other in range(3) if other != axis)))
        assert min(hit[0], region.shape.shape[axis] - 1 - hit[-1]) * 3.0 >= 6.2


def test_voxels_below_zero_leave_the_intensity_mask_and_stay_in_the_shape():
    voxels = np.zeros((16, 16, 16), np.float32)
    voxels[8, 8, 8] = 30.0  # a spline undershoots beside a spike
    mask = np.zeros(voxels.shape, bool)
    mask[4:13, 4:13, 4:13] = True
    region = prepare_region(Volume(voxels, AFFINE), Mask(mask, AFFINE), RadiomicsSettings(spacing_mm=2.0))
    assert region.suv[region.shape].min() < 0
    assert region.suv[region.inside].min() >= 0
    assert 0 < region.inside.sum() < region.shape.sum()
    assert region.levels.min() == 1


def test_a_tumour_in_the_first_slice_sees_that_slice_repeated(case):
    volume, mask = case
    cut = Volume(volume.voxels[:, :, 13:], AFFINE), Mask(mask.voxels[:, :, 13:], AFFINE)
    repeated = np.concatenate([np.repeat(cut[0].voxels[:, :, :1], 14, axis=2), cut[0].voxels], axis=2)
    extended = np.concatenate([np.zeros((24, 24, 14), bool), cut[1].voxels], axis=2)
    first = prepare_region(*cut, RadiomicsSettings(spacing_mm=3.0))
    second = prepare_region(Volume(repeated, AFFINE), Mask(extended, AFFINE), RadiomicsSettings(spacing_mm=3.0))
    # Both images have a whole number of 3 mm cubes along z, so that the cubes coincide.
    assert first.shape.sum() == second.shape.sum()
    np.testing.assert_allclose(first.suv[first.shape], second.suv[second.shape], atol=5e-6)


@pytest.mark.parametrize("spacing_mm", [3.0, None])
def test_nothing_is_left_of_an_empty_mask(case, spacing_mm):
    volume, mask = case
    empty = Mask(np.zeros_like(mask.voxels), AFFINE)
    assert prepare_region(volume, empty, RadiomicsSettings(spacing_mm=spacing_mm)) is None


def test_a_speck_lost_in_resampling_leaves_nothing(case):
    volume, mask = case
    speck = np.zeros_like(mask.voxels)
    speck[3, 3, 3] = True
    assert prepare_region(volume, Mask(speck, AFFINE), RadiomicsSettings(spacing_mm=10.0)) is None


def test_the_input_is_unchanged(case):
    volume, mask = case
    before = volume.voxels.copy(), mask.voxels.copy()
    prepare_region(volume, mask, RadiomicsSettings())
    np.testing.assert_array_equal(volume.voxels, before[0])
    np.testing.assert_array_equal(mask.voxels, before[1])


def test_a_mask_on_another_grid_is_refused(case):
    volume, mask = case
    with pytest.raises(GeometryError, match="radiomics: the mask must lie on the PET's grid"):
        prepare_region(volume, Mask(mask.voxels, np.eye(4)), RadiomicsSettings())
