from dataclasses import replace

import numpy as np
import pytest

from pointpet.core import Case, ImageReadError, Mask, MipPair, ModelError, Plane
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.mip_files import write_mips
from pointpet.io.nifti import write_mask
from pointpet.methods.base import Given
from pointpet.pipeline.case_inputs import VolumeReader, case_input
from pointpet.pipeline.inputs import read_case, read_case_mask
from pointpet.pipeline.prepare import PreparedCase, read_case_volume

MIPS = MipPair(np.ones((4, 6)), np.ones((5, 6)), 2.0, np.zeros(3))


def prepared(folder, mips=MIPS, **values) -> PreparedCase:
    write_mips(folder / "C1.npz", mips)
    return PreparedCase(Case("C1", **values), folder / "C1.npz", "hash")


def test_nothing_passes_that_a_method_does_not_declare(tmp_path):
    case = prepared(
        tmp_path, pet=tmp_path, label="lung", points_mm=np.array([[2.0, 4.0, 6.0]]), mask=tmp_path / "m.nii.gz"
    )
    seen = case_input(case, frozenset(), VolumeReader())
    assert seen.label is None
    assert seen.points_mm.shape == (0, 3)
    assert not seen.pixels
    assert seen.load_mask is None
    assert seen.load_volume is not None


def test_what_is_declared_passes(tmp_path):
    case = prepared(
        tmp_path, pet=tmp_path, label="lung", points_mm=np.array([[2.0, 4.0, 6.0]]), mask=tmp_path / "m.nii.gz"
    )
    seen = case_input(case, frozenset(Given), VolumeReader())
    assert seen.label == "lung"
    assert seen.points_mm.tolist() == [[2.0, 4.0, 6.0]]
    assert seen.load_mask is not None
    # Row 0 is the head: z 6 mm is cell 3 of 6, so row 2. Column 0 is the patient's right (x 2 mm is cell 1 of 4, so
    # column 2) or front (y 4 mm is cell 2 of 5, so column 2).
    assert seen.pixels[Plane.CORONAL].tolist() == [[2.0, 2.0]]
    assert seen.pixels[Plane.SAGITTAL].tolist() == [[2.0, 2.0]]


def test_pixel_points_of_ready_made_pictures_pass_as_they_are(tmp_path):
    pixels = {Plane.CORONAL: np.array([[3.0, 1.0]])}
    case = prepared(tmp_path, MipPair(np.ones((4, 6)), None, 1.0), pixel_points=pixels)
    seen = case_input(case, frozenset({Given.POINT}), VolumeReader())
    assert seen.pixels[Plane.CORONAL].tolist() == [[3.0, 1.0]]
    assert seen.load_volume is None


def test_a_case_of_pictures_has_no_volume():
    with pytest.raises(ModelError, match="C1: has ready-made MIPs only"):
        read_case_volume(Case("C1"))


def test_a_case_without_a_mask_has_none_to_read(cohort_folder):
    case = replace(read_cohort(cohort_folder / "cohort.csv").cases[0], mask=None)
    with pytest.raises(ImageReadError, match=r"case C00: has no reference mask\. Fill in `mask`"):
        read_case_mask(case, read_case(case).volume)


def test_a_mask_without_a_voxel_inside_is_refused(cohort_folder, tmp_path):
    case = read_cohort(cohort_folder / "cohort.csv").cases[0]
    volume = read_case(case).volume
    write_mask(tmp_path / "empty.nii.gz", Mask(np.zeros(volume.voxels.shape, bool), volume.affine), volume.stored)
    with pytest.raises(ImageReadError, match="needs a voxel inside the PET, got none"):
        read_case_mask(replace(case, mask=tmp_path / "empty.nii.gz"), volume)
