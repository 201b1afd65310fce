"""The examples of docs/python.md run as they stand, in their order."""

import re
import shutil
from pathlib import Path

import pointpet as pp
from pointpet.core import Acquisition
from pointpet.io.dicom_write import write_pet_series

DOCUMENT = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_examples_run(cohort_folder, cohort, detector, tmp_path, monkeypatch, capsys):
    shutil.copytree(cohort_folder, tmp_path, dirs_exist_ok=True)
    volume = pp.read_pet(cohort.cases[0].pet, units="suv")
    known = Acquisition(weight_kg=70.0, dose_bq=350e6, half_life_s=6586.2, uptake_s=3600.0)
    write_pet_series(volume, known, tmp_path / "dicom_folder", patient_id="P1")
    detector.model_.save(tmp_path / "MODEL")
    monkeypatch.chdir(tmp_path)
    names = {"point_mm": cohort.cases[0].points_mm[0]}
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, DOCUMENT.name, "exec"), names)  # noqa: S102 - our own document
    assert all((tmp_path / name).exists() for name in ("tumour.nii.gz", "predicted.nii.gz", "my_model/model.json"))
    assert "['lung' 'oesophagus']" in capsys.readouterr().out


def test_the_table_names_what_there_is():
    documented = set(re.findall(r"`(\w+)\(", DOCUMENT.read_text().split("## A scan")[0]))
    functions = {name for name in pp.__all__ if callable(getattr(pp, name)) and name[0].islower()}
    assert documented == functions
