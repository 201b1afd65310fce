import numpy as np
import pytest

from pointpet.core import GeometryError, Mask, MissingExtraError, Volume
from pointpet.quantify.radiomics import FEATURES, RadiomicsSettings, features, radiomic_features, radiomics_backend

AFFINE = np.diag([4.0, 4.0, 3.0, 1.0])


def values(volume, mask, settings=None):
    table = radiomic_features(volume, mask, settings or RadiomicsSettings())
    return dict(zip(table.names, table.values[0], strict=True))


def test_one_row_with_names_codes_and_units(case):
    table = radiomic_features(*case, RadiomicsSettings(), case_id="P1")
    assert table.case_ids == ("P1",)
    assert table.names == tuple(feature.name for feature in FEATURES)
    assert table.ibsi_codes == tuple(feature.code for feature in FEATURES)
    assert table.units[table.names.index("morph_volume_RNU0")] == "mm3"
    assert np.isfinite(table.values).all()


def test_a_ball_has_a_balls_features(case):
    found = values(*case, RadiomicsSettings(spacing_mm=2.0))
    volume = 4 / 3 * np.pi * 14.0**3
    assert found["morph_volume_RNU0"] == pytest.approx(volume, rel=0.05)
    assert found["morph_diam_L0JK"] == pytest.approx(28.0, abs=4.0)
    # The mesh of a binary ball has steps: its area is an eighth too large.
    assert 0.85 < found["morph_sphericity_QCFX"] < 0.95
    assert found["morph_pca_elongation_Q3CK"] > 0.95
    assert found["stat_max_84IY"] == pytest.approx(case[0].voxels.max(), rel=0.05)


def test_features_scale_with_the_voxels(case):
    volume, mask = case
    larger = np.diag([8.0, 8.0, 6.0, 1.0])
    small = values(volume, mask, RadiomicsSettings(spacing_mm=3.0))
    large = values(Volume(volume.voxels, larger), Mask(mask.voxels, larger), RadiomicsSettings(spacing_mm=6.0))
    assert large["morph_volume_RNU0"] == pytest.approx(8 * small["morph_volume_RNU0"], rel=1e-6)
    assert large["morph_diam_L0JK"] == pytest.approx(2 * small["morph_diam_L0JK"], rel=1e-6)
    assert large["cm_contrast_ACUI"] == pytest.approx(small["cm_contrast_ACUI"], rel=1e-9)


def test_the_order_of_the_axes_and_the_place_do_not_matter(case):
    volume, mask = case
    moved = np.array([[0.0, 4.0, 0.0, 100.0], [4.0, 0.0, 0.0, -50.0], [0.0, 0.0, 3.0, 7.0], [0.0, 0.0, 0.0, 1.0]])
    first, second = values(volume, mask), values(Volume(volume.voxels, moved), Mask(mask.voxels, moved))
    np.testing.assert_allclose(list(first.values()), list(second.values()), rtol=1e-6)


def test_finer_bins_give_more_levels(case):
    coarse, fine = values(*case, RadiomicsSettings(bin_suv=0.5)), values(*case, RadiomicsSettings(bin_suv=0.25))
    assert fine["ih_entropy_TLU2"] > coarse["ih_entropy_TLU2"]
    assert fine["stat_mean_Q4LE"] == coarse["stat_mean_Q4LE"]


@pytest.mark.parametrize("name", ["interpolation", "mask_interpolation"])
def test_each_interpolation_is_used(case, name):
    nearest, default = values(*case, RadiomicsSettings(**{name: "nearest"})), values(*case)
    assert nearest["stat_energy_N8CA"] != default["stat_energy_N8CA"]


def test_the_same_input_gives_the_same_values(case):
    assert list(values(*case).values()) == list(values(*case).values())


def test_an_empty_mask_has_no_features(case):
    volume, mask = case
    assert np.isnan(list(values(volume, Mask(np.zeros_like(mask.voxels), AFFINE)).values())).all()


@pytest.mark.parametrize("spacing_mm", [3.0, None])
@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 5, 5), (2, 2, 2)])
@pytest.mark.parametrize("corner", [0, 9])
@pytest.mark.parametrize("height", ["noise", "flat", "zero"])
def test_no_tumour_is_too_small(case, spacing_mm, size, corner, height):
    volume, mask = case
    suv = {"noise": volume.voxels, "flat": np.full_like(volume.voxels, 2.0), "zero": np.zeros_like(volume.voxels)}
    inside = np.zeros_like(mask.voxels)
    inside[tuple(slice(corner, corner + n) for n in size)] = True
    found = values(Volume(suv[height], AFFINE), Mask(inside, AFFINE), RadiomicsSettings(spacing_mm=spacing_mm))
    assert not np.isinf(list(found.values())).any()
    if spacing_mm is None:
        assert found["stat_mean_Q4LE"] == pytest.approx(suv[height][inside].astype(float).mean(), rel=1e-6)
        assert found["morph_vol_approx_YEKZ"] == pytest.approx(inside.sum() * 48.0)


def test_a_mask_on_another_grid_is_refused(case):
    with pytest.raises(GeometryError, match="radiomics: the mask must lie on the PET's grid"):
        radiomic_features(case[0], Mask(case[1].voxels, np.eye(4)), RadiomicsSettings())


def test_a_missing_library_names_the_extra(case, monkeypatch):
    monkeypatch.setattr(features, "BACKENDS", ("no_such_library",))
    with pytest.raises(MissingExtraError, match=r"needs no_such_library, and Python 3\.\d+ has none"):
        radiomic_features(*case, RadiomicsSettings())


def test_the_library_is_named_with_its_version():
    backend = radiomics_backend()
    assert backend.name in features.BACKENDS
    assert backend.version[0].isdigit()
