"""A small scan in place of a whole body."""

from pathlib import Path

import numpy as np
import pytest

from pointpet.bench.material import VOXEL_MM, Material, Size
from pointpet.core import Acquisition, Volume
from pointpet.io.dicom_write import write_pet_series

SMALL = Size(voxels=(24, 20, 16), runs=2, windows=1, views=8)


@pytest.fixture(scope="session")
def small() -> Size:
    return SMALL


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """A scan in memory and as DICOM."""
    made = Material(tmp_path_factory.mktemp("bench"))
    voxels = np.random.default_rng(3).gamma(2.0, 1.0, SMALL.voxels).astype(np.float32)
    affine = np.diag([*VOXEL_MM, 1.0])
    volume = Volume(voxels, affine)
    facts = Acquisition(weight_kg=70.0, sex="F", dose_bq=350e6, uptake_s=3600.0)
    write_pet_series(volume, facts, made.dicom, patient_id="BENCH")
    np.savez(made.scan, voxels=voxels, affine=affine)
    return made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"
