"""`pointpet import` as a user starts it."""

import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from pointpet.core import Acquisition
from pointpet.io.dicom_write import write_pet_series
from pointpet.phantom import generate_case

PROGRAM = Path(sys.executable).with_name("pointpet")


@pytest.fixture
def tree(tmp_path) -> Path:
    """Two patients: one's weight is in grams, the other's dose is absent; and a text beside them."""
    volume = generate_case(0, patients=2, seed=5, preset="default").volume
    small = type(volume)(volume.voxels[::6, ::6, ::40].copy(), volume.affine)
    acquisition = Acquisition(weight_kg=70.0, dose_bq=3e8, half_life_s=6586.2, uptake_s=3600.0, sex="F", height_m=1.7)
    for patient in ("A", "B"):
        write_pet_series(small, acquisition, tmp_path / "tree" / patient, patient_id=patient)
    for path in (tmp_path / "tree").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        if dataset.PatientID == "A":
            dataset.PatientWeight = 70000
        else:
            del dataset.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose
        dataset.save_as(path)
    (tmp_path / "tree" / "letter.txt").write_text("Dear")
    return tmp_path / "tree"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, "import", *map(str, arguments)], capture_output=True, text=True)


def test_it_says_what_it_took_otherwise_what_it_left_out_and_what_failed(tree, tmp_path):
    done = run(tree, "-o", tmp_path / "out")
    assert done.returncode == 3
    assert done.stdout.splitlines()[:1] == ["left out: file letter.txt: no DICOM file"]
    assert "1 cases imported, 2 left out" in done.stdout
    assert "warning: case P001: [PP-SUV-GRAMS] (0010,1030) 70000 taken as 70 kg: it is in grams" in done.stderr
    assert "case P002 [PP-SUV-DOSE] PT series 1 (file slice_0000.dcm): " in done.stderr
    assert "(0018,1074) is absent. Correct the header, or set dose_bq in the manifest" in done.stderr
    assert done.stdout.count("P002") + done.stderr.count("case P002") == 1, "each failure is told once"


def test_strict(tree, tmp_path):
    done = run(tree, "-o", tmp_path / "out", "--strict", "--quiet")
    assert done.returncode == 1
    assert "case P001 [PP-SUV-STRICT]" in done.stderr
    assert not (tmp_path / "out" / "cohort.csv").exists()
    assert not list((tmp_path / "out").rglob("*.nii.gz"))
