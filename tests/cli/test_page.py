"""What the commands that serve a page say before they serve it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pointpet.cli import page
from pointpet.cli.console import Console
from pointpet.core import MissingExtraError, OutputError, Volume
from pointpet.io.nifti import write_volume
from pointpet.web.address import Address

RUN = "from pointpet.cli.main import run; run()"


def test_the_address_is_the_first_line_and_comes_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]):
    address = page.announce(Console(), 0)
    with address.listener:
        assert capsys.readouterr().out.splitlines()[0] == address.url


def test_the_address_costs_no_heavy_import():
    code = "import sys; from pointpet.web.address import Address; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "fastapi", "pandas", "pydantic"} & set(loaded)


def test_a_port_that_is_taken_is_named():
    held = Address.open()
    with held.listener, pytest.raises(OutputError, match=rf"--port {held.port}: cannot be listened on"):
        page.announce(Console(), held.port)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"need the extra `web`\. Run: pip install 'pointpet\[web\]'"):
        page.require_web()


@pytest.mark.parametrize(
    ("content", "message"),
    [("pet\nx.nii\n", "has no column case_id"), ("case_id,pet,pet_units\nA,a.nii,\n", "pet_units is required")],
)
def test_a_manifest_that_is_wrong_ends_it(tmp_path: Path, content: str, message: str):
    (tmp_path / "cohort.csv").write_text(content)
    command = [sys.executable, "-c", RUN, "annotate", str(tmp_path / "cohort.csv"), "--no-browser"]
    begin = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert time.monotonic() - begin < 30
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.csv"]


def test_a_folder_without_results_ends_it(tmp_path: Path):
    command = [sys.executable, "-c", RUN, "view", str(tmp_path), "--no-browser"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, "holds no results" in ended.stderr) == (1, True)
    assert ended.stdout == "", "no address of a page that will not be served"


def test_the_first_scan_waits_for_no_library_that_it_does_not_need(tmp_path: Path):
    write_volume(tmp_path / "p.nii.gz", Volume(np.ones((4, 4, 4), np.float32), np.diag([4.0, 4.0, 4.0, 1.0])))
    cohort = tmp_path / "cohort.csv"
    cohort.write_text("case_id,pet,pet_units\nP1,p.nii.gz,suv\n")
    code = """
import sys
from pathlib import Path
from pointpet.pipeline.annotate import AnnotationSession
session = AnnotationSession(Path(sys.argv[1]))
session.scans.scan(session.start)
print(*(name for name in ("scipy.stats", "skimage", "fastapi", "torch") if name in sys.modules))
"""
    answer = subprocess.run([sys.executable, "-c", code, str(cohort)], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""
