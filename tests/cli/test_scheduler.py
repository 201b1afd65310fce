"""`--workers` and `--scheduler` of the commands that work through cases."""

import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import typer

from pointpet.cli import options, predict, prepare, quantify, study
from pointpet.cli.main import app


@pytest.mark.parametrize("command", [predict, prepare, quantify, study])
def test_help_shows_both(command):
    found = typer.main.get_command(app).commands[command.NAME]
    named = {name: option.help for option in found.params for name in option.opts}
    assert "Dask scheduler" in named["--scheduler"]
    assert "docs/cluster.md" in named["--scheduler"]
    assert named["--workers"]


def test_who_works():
    assert options.workforce(3, None) == 3
    assert options.workforce(1, "tcp://host:8786") == "tcp://host:8786"
    with pytest.raises(typer.BadParameter, match="give either --workers or --scheduler"):
        options.workforce(3, "tcp://host:8786")


def test_a_scheduler_that_is_not_there_ends_the_command_with_1(tmp_path):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    np.save(tmp_path / "a.npy", np.ones((20, 10), np.float32))
    (tmp_path / "cohort.csv").write_text("case_id,label,mip_coronal\nA,x,a.npy\nB,y,a.npy\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pointpet", "prepare", "cohort.csv", "-o", "p", "--scheduler", address],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert f"error [PP-CLUSTER-ADDRESS]: scheduler {address}: does not answer within 5 s" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 60
