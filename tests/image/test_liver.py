"""The liver's SUV found without a segmentation, held against phantoms whose liver is known."""

import numpy as np
import pytest

from pointpet.core import Volume
from pointpet.image.liver import liver_suv, right_lobe
from pointpet.phantom import generate


@pytest.fixture
def painted(monkeypatch) -> list[float]:
    """The SUV that each phantom's liver was painted with."""
    values: list[float] = []
    paint = generate.paint_abdomen
    monkeypatch.setattr(generate, "paint_abdomen", lambda *a, **k: values.append(paint(*a, **k)) or values[-1])
    return values


@pytest.mark.parametrize("preset", ["default", "hard", "disease"])
def test_is_that_of_the_phantom(painted, preset):
    case = generate.generate_case(1, patients=2, seed=8, preset=preset)
    assert liver_suv(case.volume) == pytest.approx(painted[0], rel=0.08)


def test_muscle_of_a_long_scan_is_no_liver_though_more_of_it_is_even(painted):
    """Thighs and back of this phantom hold 1700 mL of even tissue at 0.7 g/mL, the liver 540 mL at 1.7."""
    case = generate.generate_case(173, patients=200, seed=4711, preset="hard")
    lobe = right_lobe(case.volume)
    assert lobe is not None
    assert lobe.suv == pytest.approx(painted[0], rel=0.08)
    heights = lobe.world_mm[:, 2]
    assert np.ptp(heights) < 160


def test_follows_a_calibration_that_is_off(painted):
    volume = generate.generate_case(0, patients=2, seed=8, preset="default").volume
    found = liver_suv(volume)
    assert found is not None
    assert liver_suv(Volume(volume.voxels * 0.4, volume.affine)) == pytest.approx(0.4 * found, rel=1e-4)


def test_is_not_found_where_there_is_none():
    """Without the liver's slices, with a liver as faint as the body, and in noise that hides everything."""
    volume = generate.generate_case(0, patients=2, seed=8, preset="default").volume
    x, _, z = volume.voxels.shape
    legs_and_pelvis = volume.voxels[:, :, : z // 3]
    assert liver_suv(Volume(legs_and_pelvis, volume.affine)) is None
    faint = np.where((volume.voxels > 1.0) & (np.arange(x) > x // 2)[:, None, None], 0.6, volume.voxels)
    assert liver_suv(Volume(faint.astype(np.float32), volume.affine)) is None
    noise = np.random.default_rng(0).normal(1, 1.5, volume.voxels.shape).clip(0)
    assert liver_suv(Volume((volume.voxels * noise).astype(np.float32), volume.affine)) is None


def test_a_crop_and_an_empty_image_have_none():
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    assert liver_suv(Volume(np.full((60, 60, 60), 2.0, np.float32), affine)) is None
    assert liver_suv(Volume(np.zeros((20, 20, 150), np.float32), affine)) is None


@pytest.mark.realdata
def test_of_a_real_scan(real_data):
    """STS_001, whole body; 2.0 g/mL as read off its right lobe."""
    from pointpet.io.dicom_pet import read_dicom_series

    volume = read_dicom_series(real_data / "sts001_raw/STS_001/FDG_PET/image").volume
    assert liver_suv(volume) == pytest.approx(2.02, abs=0.1)
