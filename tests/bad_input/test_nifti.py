"""Cases 52 to 62: NIfTI files that are damaged, hostile, or hold no SUV."""

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from pointpet.io.nifti import write_volume
from pointpet.io.pet import read_pet


def altered(**changes: object):
    """The good image with its voxels changed by `voxels` and its header bytes by `patch` (place, bytes)."""

    def spoil(path: Path) -> None:
        image = nib.load(path)
        voxels = np.asanyarray(image.dataobj).astype(np.float32)
        if "voxels" in changes:
            voxels = changes["voxels"](voxels)
        nib.save(nib.Nifti1Image(voxels, image.affine, dtype=np.float32), path)
        if "patch" in changes:
            place, content = changes["patch"]
            raw = bytearray(gzip.decompress(path.read_bytes()))
            raw[place : place + len(content)] = content
            path.write_bytes(gzip.compress(bytes(raw), 1))

    return spoil


def bomb(path: Path) -> None:
    altered(patch=(42, np.array([2000, 2000, 1200], "<i2").tobytes()))(path)
    head = gzip.decompress(path.read_bytes())[:352]
    path.write_bytes(gzip.compress(head + bytes(200_000_000), 9))


def with_nan(voxels: np.ndarray) -> np.ndarray:
    voxels[1, 2, 3] = np.nan
    return voxels


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


HUGE = np.array([2000, 2000, 1200], "<i2").tobytes()
REFUSED = {
    "52 huge dimensions": (altered(patch=(42, HUGE)), "NIFTI-(SIZE|TRUNCATED)", r"19,200,000,352"),
    "53 gzip bomb": (bomb, "NIFTI-SIZE", "would unpack to 19,200,000,352, more than an image can"),
    "54 truncated gzip": (truncated, "NIFTI-TRUNCATED", "ends early or is damaged"),
    "55 NaN": (altered(voxels=with_nan), "NIFTI-FINITE", r"NaN or Inf in 1, the first at index \(1, 2, 3\)"),
    "55 Inf": (altered(voxels=lambda v: np.where(v == v.max(), np.inf, v)), "NIFTI-FINITE", "NaN or Inf in 1"),
    "56 all zero": (altered(voxels=lambda v: 0 * v), "NIFTI-EMPTY", "needs a positive voxel, got none"),
    "57 4-D": (altered(voxels=lambda v: np.stack([v, v], -1)), "NIFTI-AXES", "needs three axes, got shape"),
    "58 singular affine": (altered(patch=(280, bytes(16))), "NIFTI-GEOMETRY", "its affine is wrong"),
    "59 negative spacing": (
        altered(patch=(80, np.array([-4.0], "<f4").tobytes())),
        "NIFTI-SPACING",
        r"voxel sizes must be over 0 mm, got \[-4.0",
    ),
    "61 Bq/ml given as SUV": (
        altered(voxels=lambda v: 5000 * v),
        "SUV-ACTIVITY",
        "is taken as SUV, but the body's median is .* looks like Bq/mL. Set pet_units .* to bqml",
    ),
    "62 Git LFS pointer": (pointer, "NIFTI-LFS", "is a Git LFS pointer, not the image. Fetch the image"),
}


@pytest.fixture
def image(cohort) -> Path:
    """Case B as a NIfTI in SUV, in the manifest."""
    path = cohort / "B.nii.gz"
    write_volume(path, read_pet(cohort / "B").volume)
    header, a, b, c = (cohort / "cohort.csv").read_text().splitlines()
    b = b.replace("B,B", "B,B.nii.gz")
    (cohort / "cohort.csv").write_text(f"{header},pet_units\n{a},\n{b},suv\n{c},\n")
    return path


def test_the_good_image_is_read(cohort, cli, image):
    done = cli("check", cohort / "cohort.csv", "--json")
    assert (done.status, len(done.json()["rows"])) == (0, 3)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(cohort, image, refuses, name):
    spoil, code, message = REFUSED[name]
    spoil(image)
    refuses(cohort, f"PP-{code}", f"case B: B.nii.gz: .*{message}")


@pytest.mark.parametrize("name", ["60 values that are hardly SUV"])
def test_hardly_suv(cohort, image, cli, name):
    """Outside 0.1 to 3 a warning, far outside refused (61); a hot bladder is neither."""
    altered(voxels=lambda v: 20 * v)(image)
    done = cli("check", cohort / "cohort.csv", "--json")
    assert done.status == 0
    (told,) = [one for one in done.json()["warnings"] if "median SUV" in one["message"]]
    assert told["subject"] == "case B"
    assert "usual are 0.1 to 3: the values may not be SUV" in told["message"]


@pytest.mark.parametrize("name", ["60 a hot bladder"])
def test_a_hot_bladder_is_no_fault(cohort, image, cli, name):
    altered(voxels=lambda v: np.where(v > np.percentile(v, 99.9), 250.0, v))(image)
    done = cli("check", cohort / "cohort.csv", "--json")
    assert done.status == 0
    assert not [one for one in done.json()["warnings"] if "median SUV" in one["message"]]
    assert json.loads(done.out)["rows"][1]["suv_max"] == 250
