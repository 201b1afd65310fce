"""`pointpet doctor`: complete, and nothing in it tells whose machine it is."""

import getpass
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pointpet import __version__
from pointpet.cli.doctor import report_lines
from pointpet.pipeline.doctor import extra_status

PROGRAM = Path(sys.executable).with_name("pointpet")
REQUIREMENTS = [
    Requirement(text)
    for text in (
        "numpy<3,>=1.26",
        "pydicom<4,>=3.0.2",
        "torch<3,>=2.6; extra == 'train'",
        "fastapi<1,>=0.121; extra == 'web'",
        'oldlib>=1; python_version < "3" and extra == "web"',
    )
]


@pytest.fixture(scope="module")
def printed() -> dict:
    done = subprocess.run([str(PROGRAM), "doctor", "--json"], capture_output=True, text=True, timeout=240)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["problems"] else 0)
    return found


def test_it_says_what_a_bug_report_needs(printed):
    assert printed["pointpet"] == __version__
    assert printed["machine"]["python"] == platform.python_version()
    assert printed["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert printed["memory_gb"]["total"] > 0.1
    assert {pool["user_api"] for pool in printed["threads"]["pools"]} >= {"blas"}
    assert printed["torch"]["threads"] >= 1
    assert isinstance(printed["torch"]["bf16"], bool)
    assert {"dev", "dicom", "train", "web"} <= set(printed["extras"])
    assert printed["packages"]["numpy"].count(".") == 2


def test_it_names_no_path_host_or_user(printed):
    text = json.dumps(printed) + "\n".join(report_lines(printed, with_packages=True))
    personal = {platform.node(), str(Path.home()), str(Path.cwd()), sys.prefix, str(Path(__file__).parents[2])}
    personal |= {getpass.getuser()} - {"root"}
    assert not [name for name in personal if len(name) > 3 and name in text]
    assert "/lib" not in text


def test_missing_and_unfit_packages_come_with_the_command():
    installed = {"numpy": "2.1.0", "pydicom": "2.4.0", "fastapi": "0.130.0"}.get
    status = extra_status(REQUIREMENTS, installed)
    assert status[""]["unfit"] == ["pydicom 2.4.0 is installed, <4,>=3.0.2 is needed"]
    command = "pip install 'pointpet[train]'"
    assert status["train"] == {"complete": False, "missing": ["torch"], "unfit": [], "install": command}
    assert status["web"]["complete"], "a requirement of other Pythons is none"
    found = {
        "pointpet": "1",
        "machine": {"python": "3.11.0", "platform": "Linux", "cpu": "x", "cores": 2},
        "memory_gb": {"total": 8.0, "limit": None},
        "threads": {"variables": {"OMP_NUM_THREADS": "1"}, "pools": []},
        "torch": None,
        "extras": {"train": status["train"], "web": status["web"]},
        "methods": {"other": {"package": "otherlib 1", "error": "cannot be loaded (ImportError)"}},
        "models": [],
    }
    lines = report_lines(found, with_packages=False)
    assert "extra train: not complete (torch); pip install 'pointpet[train]'" in lines
    assert "extra web: complete" in lines
    assert "torch: not installed" in lines
    assert "memory: 8 GB, limit of the container: none known" in lines
    assert "threads: OMP_NUM_THREADS=1" in lines
    assert "method other of otherlib 1: cannot be loaded (ImportError)" in lines


def test_completion_is_offered_for_every_shell():
    for shell, words in {"bash": "complete -o", "zsh": "compdef", "fish": "complete --command pointpet"}.items():
        variables = {**os.environ, "_POINTPET_COMPLETE": f"source_{shell}"}
        done = subprocess.run([str(PROGRAM)], capture_output=True, text=True, env=variables, timeout=120)
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
