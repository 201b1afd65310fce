import numpy as np
import pytest

from pointpet.core import GeometryError, Mask, Volume
from pointpet.quantify import describe_lesions, suv_summary


def two_lesions():
    voxels = np.zeros((20, 20, 20), np.float32)
    voxels[2:5, 2:5, 2:5] = 2.0
    voxels[12:16, 12:16, 12:16] = 5.0
    voxels[13, 13, 13] = 9.0
    return Volume(voxels, np.diag([4.0, 4.0, 4.0, 1.0])), Mask(voxels > 0, np.diag([4.0, 4.0, 4.0, 1.0]))


def test_lesions_come_by_tlg_with_their_figures():
    volume, mask = two_lesions()
    hot, cool = describe_lesions(volume, mask)
    # 64 voxels of 0.064 mL: 63 at SUV 5, one at 9.
    assert (hot.number, cool.number) == (1, 2)
    assert hot.mtv_ml == pytest.approx(4.096)
    assert hot.suv_mean == pytest.approx((63 * 5 + 9) / 64)
    assert hot.tlg_g == pytest.approx(hot.mtv_ml * hot.suv_mean)
    assert hot.suv_max == 9.0
    assert hot.peak_mm == pytest.approx((52.0, 52.0, 52.0))
    assert hot.centroid_mm == pytest.approx((54.0, 54.0, 54.0))
    assert cool.mtv_ml == pytest.approx(27 * 0.064)
    assert cool.suv_mean == pytest.approx(2.0)


def test_the_lesion_with_the_seed_is_the_main_one():
    volume, mask = two_lesions()
    first, second = describe_lesions(volume, mask, seeds_mm=[(12.0, 12.0, 12.0)])
    assert first.suv_max == 2.0
    assert (first.number, second.number) == (1, 2)


@pytest.mark.parametrize("seed", [(40.0, 40.0, 40.0), (900.0, 0.0, 0.0)])
def test_a_seed_in_no_lesion_changes_nothing(seed):
    volume, mask = two_lesions()
    assert describe_lesions(volume, mask, seeds_mm=[seed]) == describe_lesions(volume, mask)


def test_components_join_over_corners():
    voxels = np.zeros((4, 4, 4), bool)
    voxels[1, 1, 1] = voxels[2, 2, 2] = True
    volume = Volume(voxels.astype(np.float32), np.eye(4))
    assert len(describe_lesions(volume, Mask(voxels, np.eye(4)))) == 1


def looped_peak(volume: Volume, mask: Mask) -> float:
    """Highest mean over voxels within 6.2 mm of a voxel of the mask, written out."""
    indices = np.argwhere(np.ones(volume.voxels.shape, bool))
    world = volume.grid.world(indices)
    best = -np.inf
    for centre in volume.grid.world(np.argwhere(mask.voxels)):
        near = indices[np.linalg.norm(world - centre, axis=1) <= 6.2]
        best = max(best, volume.voxels[tuple(near.T)].astype(float).mean())
    return best


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_suv_peak_equals_explicit_loops_oblique_and_at_the_border(seed):
    generator = np.random.default_rng(seed)
    affine = np.eye(4)
    turn = np.radians(25)
    affine[:3, :3] = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]) @ np.diag(
        [2.3, 3.1, 4.2]
    )
    volume = Volume(generator.random((9, 8, 7), np.float32), affine)
    mask = Mask(generator.random((9, 8, 7)) > 0.7, affine)
    expected = looped_peak(volume, mask)
    assert max(lesion.suv_peak for lesion in describe_lesions(volume, mask)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.realdata
def test_global_intensity_peak_of_the_ibsi_digital_phantom(real_data):
    """IBSI 1 reference value 3.1 (global intensity peak, 0F91), digital phantom."""
    nibabel = pytest.importorskip("nibabel")
    folder = real_data / "ibsi_digital_phantom" / "nifti"
    image = nibabel.load(next((folder / "image").glob("*.nii*")))
    mask = nibabel.load(next((folder / "mask").glob("*.nii*")))
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    volume = Volume(np.asarray(image.dataobj, np.float32), affine)
    region = Mask(np.asarray(mask.dataobj) > 0, affine)
    assert suv_summary(volume, region).suv_peak == pytest.approx(3.1, abs=0.05)


def test_summary_adds_up_the_lesions():
    volume, mask = two_lesions()
    summary = suv_summary(volume, mask)
    assert summary.lesion_count == 2
    assert summary.suv_max == 9.0
    assert summary.mtv_ml == pytest.approx((64 + 27) * 0.064)
    assert summary.tlg_g == pytest.approx(float(volume.voxels.sum()) * 0.064)
    assert summary.suv_mean == pytest.approx(float(volume.voxels[mask.voxels].mean()))
    # Centroids at 12 mm and 54 mm on each axis.
    assert summary.dmax_mm == pytest.approx(np.sqrt(3) * 42)


def test_summary_of_one_lesion_and_of_none():
    volume, mask = two_lesions()
    one = suv_summary(volume, Mask(volume.voxels > 3, volume.affine))
    assert one.dmax_mm == 0.0
    none = suv_summary(volume, Mask(np.zeros_like(mask.voxels), volume.affine))
    assert (none.mtv_ml, none.tlg_g, none.lesion_count) == (0.0, 0.0, 0)
    assert np.isnan([none.suv_max, none.suv_mean, none.suv_peak]).all()
    assert describe_lesions(volume, Mask(np.zeros_like(mask.voxels), volume.affine)) == ()


def test_a_mask_on_another_grid_is_refused():
    volume, mask = two_lesions()
    with pytest.raises(GeometryError, match="lesions: the mask must lie on the PET's grid"):
        describe_lesions(volume, Mask(mask.voxels, np.eye(4)))
