import warnings

import nibabel as nib
import numpy as np
import pytest

import pointpet as pp
from pointpet.core import Acquisition, GeometryError, ImageReadError
from pointpet.io.dicom_write import write_pet_series


@pytest.fixture
def volume(cohort_folder):
    return pp.read_pet(cohort_folder / "images" / "C00.nii.gz", units="suv")


def test_a_nifti_is_read_in_ras_and_keeps_its_own_grid(volume, cohort_folder):
    source = nib.load(cohort_folder / "images" / "C00.nii.gz")
    assert nib.aff2axcodes(source.affine) == ("L", "P", "S")
    assert nib.aff2axcodes(volume.affine) == ("R", "A", "S")
    np.testing.assert_allclose(volume.voxels[::-1, ::-1], np.asanyarray(source.dataobj), rtol=1e-6)


def test_an_assumed_unit_is_a_warning(cohort_folder):
    with pytest.warns(pp.PetWarning, match="SUV was assumed"):
        pp.read_pet(cohort_folder / "images" / "C00.nii.gz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pp.read_pet(cohort_folder / "images" / "C00.nii.gz", units="suv")


def test_a_dicom_folder_gives_suv_and_the_header_may_be_completed(volume, tmp_path):
    known = Acquisition(weight_kg=70.0, dose_bq=350e6, half_life_s=6586.2, uptake_s=3600.0)
    write_pet_series(volume, known, tmp_path / "series", patient_id="P1")
    read = pp.read_pet(tmp_path / "series")
    np.testing.assert_allclose(read.voxels, volume.voxels, atol=0.002)
    twice = pp.read_pet(tmp_path / "series", header={"weight_kg": 140.0})
    np.testing.assert_allclose(twice.voxels, 2 * read.voxels, rtol=1e-5)


def test_what_is_no_pet_is_refused(tmp_path):
    (tmp_path / "x.nii").write_bytes(b"nonsense")
    with pytest.raises(ImageReadError, match=r"x\.nii"):
        pp.read_pet(tmp_path / "x.nii", units="suv")


def test_a_mask_goes_back_to_the_files_own_grid(volume, cohort_folder, tmp_path):
    mask = pp.read_mask(cohort_folder / "masks" / "C00.nii.gz", volume)
    pp.write_mask(tmp_path / "mask.nii.gz", mask, volume)
    ours, theirs = (nib.load(path) for path in (tmp_path / "mask.nii.gz", cohort_folder / "masks" / "C00.nii.gz"))
    np.testing.assert_array_equal(ours.affine, theirs.affine)
    np.testing.assert_array_equal(np.asanyarray(ours.dataobj), np.asanyarray(theirs.dataobj))
    with pytest.raises(GeometryError, match="mask: the mask must lie on the PET's grid"):
        pp.write_mask(tmp_path / "other.nii.gz", pp.Mask(np.ones((2, 2, 2), bool), volume.affine), volume)


def test_one_click_and_its_figures(volume, cohort, cohort_folder):
    found = pp.segment_from_point(volume, cohort["C00"].points_mm[0])
    truth = pp.read_mask(cohort_folder / "masks" / "C00.nii.gz", volume)
    shared = (found.mask.voxels & truth.voxels).sum()
    assert 2 * shared / (found.mask.voxels.sum() + truth.voxels.sum()) > 0.9
    summary = pp.suv_statistics(volume, truth)
    assert summary.lesion_count == 1
    assert summary.suv_max == pytest.approx(float(volume.voxels[truth.voxels].max()))
    assert summary.mtv_ml == pytest.approx(truth.volume_ml)
    (lesion,) = pp.describe_lesions(volume, truth)
    np.testing.assert_allclose(lesion.centroid_mm, cohort["C00"].points_mm[0], atol=0.01)
