"""The body's extent and its median, whatever the unit."""

from pathlib import Path

import numpy as np
import pytest

from pointpet.core import Volume
from pointpet.image.body import body_mask, body_median_suv, body_threshold


def patient(scale: float = 1.0) -> Volume:
    """A cylinder of SUV 0.8 with lungs of 0.4, a liver of 2.5, a brain of 8 and a bladder of 300, in noisy air."""
    x, y, z = np.indices((60, 60, 80)) - np.array([29.5, 29.5, 0])[:, None, None, None]
    air = np.abs(np.random.default_rng(0).normal(0, 0.01, x.shape))
    body = air + 0.8 * (np.hypot(x, y) < 20)
    body[(np.hypot(x + 9, y) < 6) & (z > 45) & (z < 60)] = 0.02
    body[(np.hypot(x - 8, y) < 7) & (z > 30) & (z < 45)] = 2.5
    body[(np.hypot(x, y) < 8) & (z > 70)] = 8.0
    body[(np.hypot(x, y) < 3) & (z < 5)] = 300.0
    return Volume(scale * body, np.diag([4.0, 4.0, 4.0, 1.0]))


def test_median_of_suv_is_that_of_the_body() -> None:
    assert body_median_suv(patient()) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("scale", [5000.0, 1e-3])
def test_other_units_show_in_the_median(scale: float) -> None:
    median = body_median_suv(patient(scale))
    assert median == pytest.approx(0.8 * scale, rel=0.05)
    assert not 0.1 <= median <= 3


def test_nothing_positive_gives_0() -> None:
    assert body_median_suv(Volume(np.zeros((4, 4, 4), np.float32), np.eye(4))) == 0.0


def test_mask_is_the_body_with_its_lungs() -> None:
    volume = patient()
    mask = body_mask(volume)
    x, y = np.indices((60, 60)) - 29.5
    assert np.array_equal(mask.voxels, np.repeat((np.hypot(x, y) < 20)[:, :, None], 80, axis=2))
    assert np.array_equal(mask.affine, volume.affine)
    assert body_threshold(volume) < 0.8


@pytest.mark.realdata
def test_real_crops_are_suv(real_data: Path) -> None:
    nib = pytest.importorskip("nibabel")
    medians = []
    for path in sorted((real_data / "sts" / "nifti").glob("*/PET_image.nii.gz"))[:6]:
        image = nib.load(path)
        medians.append(body_median_suv(Volume(image.get_fdata(dtype=np.float32), image.affine)))
    assert len(medians) == 6
    assert all(0.1 <= median <= 3 for median in medians), medians
