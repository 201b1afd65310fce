"""Every command through the installed program: what it prints, writes and exits with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pointpet import __version__

PROGRAM = Path(sys.executable).with_name("pointpet")
COMMANDS = (
    "demo",
    "phantom",
    "import",
    "check",
    "annotate",
    "prepare",
    "train",
    "predict",
    "bundle",
    "segment",
    "quantify",
    "study",
    "report",
    "view",
    "config",
    "methods",
    "doctor",
)


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "NO_COLOR": "1", "COLUMNS": "160", **environment}
    return subprocess.run(
        [str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, env=variables, timeout=240
    )


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "cohort"
    done = run("phantom", out, "--patients", 4, "--seed", 5, "--workers", 1)
    assert done.returncode == 0, done.stderr
    return out


def test_the_version():
    assert run("--version").stdout == f"pointpet {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_is_no_error(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Usage: pointpet" in done.stdout
    assert "--quiet" in done.stdout
    assert "--verbose" in done.stdout


def test_the_list_of_commands_cuts_no_sentence():
    lines = run("--help", COLUMNS="80").stdout.split("Commands:\n")[1].splitlines()
    assert len(lines) > len(COMMANDS)
    assert [line for line in lines if line.rstrip().endswith("...")] == []


def test_help_loads_no_heavy_library():
    code = (
        "import sys, pointpet.cli.main; print([m for m in ('torch', 'numpy', 'pandas', 'pydicom') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_wrong_usage_exits_with_2():
    assert run("study").returncode == 2
    assert run("no-such-command").returncode == 2
    assert run("segment", "scan.nii", "--point=1,2", "-o", "out").returncode == 2


def test_config_prints_yaml():
    done = run("config")
    assert done.returncode == 0
    assert done.stdout.startswith("# pointpet configuration")
    assert "cam_stride:" in done.stdout


def test_methods_say_what_each_is_given():
    lines = run("methods").stdout.splitlines()
    proposed = next(line for line in lines if line.startswith("proposed"))
    assert "class label + one point" in proposed
    assert next(line for line in lines if line.startswith("click41")).split()[1:2] == ["none"]


def test_phantom_check_segment(phantom, tmp_path):
    done = run("check", phantom / "cohort.csv", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert len(found["rows"]) == 4
    lines = (phantom / "cohort.csv").read_text().splitlines()
    row = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    point = f"--point={row['x_mm']},{row['y_mm']},{row['z_mm']}"
    done = run("segment", phantom / row["pet"], point, "-o", tmp_path / "seg", "--units", "suv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "seg" / "mask.nii.gz").is_file()
    assert json.loads((tmp_path / "seg" / "result.json").read_text())["warnings"] == []


def test_the_same_command_again_changes_nothing_and_another_is_refused(phantom):
    before = (phantom / "cohort.csv").read_bytes()
    again = run("phantom", phantom, "--patients", 4, "--seed", 5, "--workers", 1)
    assert again.returncode == 0
    assert "best attainable AUC of 3-year survival: " in again.stdout
    assert (phantom / "cohort.csv").read_bytes() == before
    done = run("phantom", phantom, "--patients", 4, "--seed", 6)
    assert done.returncode == 1
    assert "[PP-OUTPUT-EXISTS]" in done.stderr
    assert "--overwrite" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_preset_is_a_failure_that_names_the_choices(tmp_path):
    done = run("phantom", tmp_path / "x", "--preset", "easy")
    assert done.returncode == 1
    assert "must be one of default, hard, disease, got 'easy'" in done.stderr


def test_partial_failure_exits_with_3(phantom, tmp_path):
    import shutil

    cohort = tmp_path / "cohort"
    shutil.copytree(phantom, cohort)
    image = cohort / "images" / "P0002.nii.gz"
    image.write_bytes(image.read_bytes()[:1000])
    done = run("prepare", cohort / "cohort.csv", "-o", tmp_path / "p")
    assert done.returncode == 3
    assert "P0002" in done.stderr
    assert "3 cases prepared" in done.stdout
    done = run("check", cohort / "cohort.csv", "--quiet")
    assert done.returncode == 1
    assert "P0002" in done.stdout


def test_quantify_lists_a_failed_case_and_goes_on(phantom, tmp_path):
    import shutil

    cohort = tmp_path / "cohort"
    shutil.copytree(phantom, cohort)
    image = next((cohort / "images").glob("P0002*.nii.gz"))
    whole = image.read_bytes()
    image.write_bytes(whole[:1000])
    done = run("quantify", cohort / "cohort.csv", "-o", tmp_path / "features.csv")
    assert done.returncode == 3
    assert "P0002 [PP-" in done.stderr
    assert "features.csv: 3 cases" in done.stdout
    image.write_bytes(whole)
    done = run("quantify", cohort / "cohort.csv", "-o", tmp_path / "features.csv", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'features.csv'}: 4 cases\n"
    (tmp_path / "other.yaml").write_text("radiomics: {spacing_mm: 2.0}\n")
    done = run("quantify", cohort / "cohort.csv", "-o", tmp_path / "features.csv", "--config", tmp_path / "other.yaml")
    assert done.returncode == 1
    assert "[PP-OUTPUT-EXISTS]" in done.stderr


def test_a_faulty_manifest_exits_with_1_and_lists_all(tmp_path):
    path = tmp_path / "cohort.csv"
    path.write_text("case_id,pet,label\n../x,a.nii,lung\nB,b.nii,lung\n")
    done = run("study", path, "-o", tmp_path / "s")
    assert done.returncode == 1
    assert "../x" in done.stderr
    assert "b.nii" in done.stderr
    assert "Traceback" not in done.stderr
