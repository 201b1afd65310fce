"""What pointpet writes as DICOM, judged by a validator that is nobody's library here: dciodvfy of dicom3tools."""

import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest

from pointpet.core import Mask
from pointpet.io.dicom_masks import MaskOrigin
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_seg import write_seg
from pointpet.io.rtstruct_write import write_rtstruct

VALIDATOR = shutil.which("dciodvfy")
pytestmark = pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy is not installed (Debian: dicom3tools)")


@pytest.fixture(params=["seg", "rtstruct"])
def written(request, series, suv_volume, tmp_path) -> Path:
    """A mask of the series, as either kind of object."""
    if request.param == "seg":
        pytest.importorskip("highdicom")
    reading = read_dicom_series(series)
    mask = Mask(suv_volume.voxels > 1.5, suv_volume.affine)
    write = write_seg if request.param == "seg" else write_rtstruct
    write(tmp_path / "mask.dcm", mask, reading.volume.stored, reading.series, MaskOrigin("lung", "proposed", "1.2"))
    return tmp_path / "mask.dcm"


def errors(path: Path) -> list[str]:
    """What is said against the object; warnings are of taste."""
    done = subprocess.run([str(VALIDATOR), str(path)], capture_output=True, text=True)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Abort"))]


def test_masks_are_sound(written):
    assert errors(written) == []


def test_slices_of_a_series_are_sound(pristine_series):
    assert [errors(path) for path in sorted(pristine_series.iterdir())[:2]] == [[], []]


def test_it_finds_what_is_wrong(written):
    dataset = pydicom.dcmread(written)
    del dataset.StudyInstanceUID
    dataset.save_as(written)
    assert any("StudyInstanceUID" in line for line in errors(written))
