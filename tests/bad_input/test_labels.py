"""Cases 63 to 71: masks, tables, outcomes and points that do not fit. Nothing is resampled in silence."""

import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from pointpet.core import Mask
from pointpet.io.nifti import write_mask
from pointpet.io.pet import read_pet

HEADER = "case_id,pet,label,mask,x_mm,y_mm,z_mm,outcome_r,mask_resample"
A, C = "A,A,lung,,,,,1,", "C,C,oesophagus,,,,,0,"


def manifest(cohort: Path, row: str, *more: str, header: str = HEADER) -> Path:
    """Write cohort.csv with `row` as case B."""
    (cohort / "cohort.csv").write_text("\n".join([header, A, row, C, *more]) + "\n")
    return cohort / "cohort.csv"


@pytest.fixture
def mask(cohort) -> nib.Nifti1Image:
    """A mask of case B, as its NIfTI image."""
    volume = read_pet(cohort / "B").volume
    write_mask(
        cohort / "m.nii.gz", Mask(volume.voxels > np.percentile(volume.voxels, 99.5), volume.affine), volume.stored
    )
    return nib.load(cohort / "m.nii.gz")


def other_grid(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """Every second voxel."""
    affine = image.affine @ np.diag([2, 2, 2, 1])
    return nib.Nifti1Image(np.asarray(image.dataobj)[::2, ::2, ::2], affine)


def empty(image: nib.Nifti1Image) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine)


def halves(image: nib.Nifti1Image) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.asarray(image.dataobj).astype(np.float32) / 2, image.affine)


MASKS: dict[str, tuple[Callable, str, str]] = {
    "63 mask on another grid": (other_grid, "PP-GEO-GRID", r"must lie on the PET's grid .* got .* mask_resample"),
    "64 empty mask": (empty, "PP-MASK-EMPTY", "a reference mask needs a voxel inside the PET, got none"),
    "65 non-integer mask": (halves, "PP-NIFTI-MASK", "mask values must be whole numbers from 0, got 0.5 in"),
}


@pytest.mark.parametrize("name", MASKS)
def test_mask(cohort, mask, cli, tmp_path, assert_bounded, name):
    """Refused with its case; the other cases, and the PET itself, are read."""
    spoil, code, message = MASKS[name]
    nib.save(spoil(mask), cohort / "bad.nii.gz")
    path = manifest(cohort, "B,B,oesophagus,bad.nii.gz,,,,1,")
    done = cli("check", path, "--json")
    assert done.status == 1
    (fault,) = done.json()["faults"]
    assert fault["code"] == code
    assert fault["subject"] == "case B: bad.nii.gz"
    assert re.search(message, fault["message"])
    assert [row["case_id"] for row in done.json()["rows"]] == ["A", "B", "C"]
    assert_bounded(done)


def test_a_mask_is_resampled_where_the_manifest_asks(cohort, mask, cli):
    nib.save(other_grid(mask), cohort / "bad.nii.gz")
    done = cli("check", manifest(cohort, "B,B,oesophagus,bad.nii.gz,,,,1,1"), "--json")
    assert done.status == 0, done.out
    voxel_ml = abs(np.linalg.det(mask.affine[:3, :3])) / 1000
    true_ml = float(np.asarray(mask.dataobj).sum()) * voxel_ml
    assert done.json()["rows"][1]["mask_ml"] == pytest.approx(true_ml, rel=0.15)


TABLES = {
    "67 duplicate id": (
        ("A,B,lung,,,,,1,",),
        "PP-COHORT-DUPLICATE",
        r"row 3 \(case A\): case_id must be unique, row 2",
    ),
    "70 formula in a cell": (("B,B,=cmd(),,,,,1,",), "PP-COHORT-FORMULA", r"row 3 \(case B\): label must not start as"),
    "76 id such as ../x": (("../x,B,lung,,,,,1,",), "PP-COHORT-ID", r"row 3 .*case_id must be .* got '../x'"),
}


def refused_whole(cli, path: Path, out: Path, code: str, message: str) -> None:
    """A fault of the table: nothing is read, nothing is written."""
    for arguments in (("check", path), ("prepare", path, "-o", out)):
        done = cli(*arguments)
        assert done.status == 1
        told = done.out + done.err
        assert f"[{code}]" in told
        assert re.search(message, told), told
        assert str(path.parent) not in told
    assert not list(out.rglob("*.npz"))


@pytest.mark.parametrize("name", TABLES)
def test_table(cohort, cli, tmp_path, name):
    rows, code, message = TABLES[name]
    refused_whole(cli, manifest(cohort, *rows), tmp_path / "out", code, message)


@pytest.mark.parametrize("name", ["66 unknown case"])
def test_unknown_case(cohort, cli, tmp_path, name):
    (cohort / "points.csv").write_text("case_id,x_mm,y_mm,z_mm\nZ,1,2,3\n")
    path = manifest(cohort, "B,B,oesophagus,,,,,1,")
    refused_whole(
        cli, path, tmp_path / "out", "PP-COHORT-UNKNOWN", r"points.csv row 2 \(case Z\): case_id must be a case"
    )


@pytest.mark.parametrize("name", ["68 blank outcome"])
def test_blank_outcome_is_unknown_and_told(cohort, cli, name):
    done = cli("check", manifest(cohort, "B,B,oesophagus,,,,,,"), "--json")
    assert done.status == 0
    (told,) = [one["message"] for one in done.json()["warnings"] if one["code"] == "PP-CHECK-OUTCOME"]
    assert "outcome_r is blank in 1 of 3 cases, which count as unknown" in told


@pytest.mark.parametrize("name", ["69 one class only"])
def test_one_class(cohort, cli, tmp_path, name):
    path = manifest(cohort, "B,B,lung,,,,,1,")
    path.write_text(path.read_text().replace("oesophagus", "lung"))
    checked = cli("check", path, "--json")
    assert [one["code"] for one in checked.json()["warnings"] if "class" in one["message"]] == ["PP-CHECK-CLASSES"]
    for command, out in (("train", "model"), ("study", "study")):
        done = cli(command, path, "-o", tmp_path / out)
        assert done.status == 1
        assert "[PP-COHORT-CLASSES]: cohort: all its labelled cases are of the class lung; " in done.err
        assert not (tmp_path / out / f"{out}.json").exists()


@pytest.mark.parametrize("name", ["71 centre outside the volume"])
def test_centre_outside(cohort, cli, refuses, tmp_path, name):
    manifest(cohort, "B,B,oesophagus,,5000,0,0,1,")
    refuses(cohort, "PP-POINT-OUTSIDE", r"point must lie inside the (PET|scan)", rows="ABC")
    done = cli("segment", cohort / "B", "--point=5000,0,0", "-o", tmp_path / "segmented")
    assert done.status == 1
    assert "[PP-POINT-OUTSIDE]" in done.err
    assert not (tmp_path / "segmented" / "mask.nii.gz").exists()
