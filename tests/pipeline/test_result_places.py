"""What the viewer says of a folder without results."""

import subprocess
import sys
from pathlib import Path

import pytest

from pointpet.core import OutputError
from pointpet.pipeline.result_places import require_results

KINDS = {
    "cohort.csv": "it is a cohort, scans and their manifest. Look at its scans with `pointpet annotate cohort.csv`",
    "model.json": "it is a model. Run `pointpet predict MODEL",
    "folds.csv": "the study has predicted no case yet. Run the same `pointpet study` to its end",
    "result.json": "it is one case. Give the folder of all cases",
    "study/folds.csv": "a study lies in study. Give study",
    "notes.txt": "nothing that pointpet predicted lies there",
    ".C00.partial/result.json": "nothing that pointpet predicted lies there",
}


@pytest.mark.parametrize("name", KINDS)
def test_what_a_folder_is_instead_is_said(tmp_path: Path, name: str):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    with pytest.raises(OutputError, match=f"{tmp_path.name}: holds no results: {KINDS[name]}"):
        require_results(tmp_path)


@pytest.mark.parametrize("place", ["C00", "predictions/proposed/C00"])
def test_a_prediction_and_a_study_hold_results(tmp_path: Path, place: str):
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "result.json").write_text("{}")
    require_results(tmp_path)


def test_looking_costs_no_heavy_import():
    code = (
        "import sys; from pathlib import Path; from pointpet.pipeline.result_places import require_results; "
        "import tempfile; f = Path(tempfile.mkdtemp()); (f / 'C').mkdir(); (f / 'C' / 'result.json').touch(); "
        "require_results(f); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "fastapi", "pandas"} & set(loaded)
