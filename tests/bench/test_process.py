"""A contender's own process: its time, its memory, its failure."""

import json
import os
import subprocess
import sys

import pytest

from pointpet.bench.process import BenchError, ContenderProcess, peak_rss_mb

OURS = "pointpet.bench.contenders"


@pytest.mark.parametrize("name", ["project_ours", "prepare_ours"])
def test_a_run_gives_seconds_and_the_process_its_peak_memory(name, material, small, log) -> None:
    with ContenderProcess(f"{OURS}:{name}", material, small, log) as contender:
        assert 0 < contender.run() < 60
        assert 20 < contender.rss_mb() < 1000


def test_memory_is_the_processs_own_and_not_what_its_parent_held() -> None:
    held = b"x" * 400_000_000
    program = "from pointpet.bench.process import peak_rss_mb; print(peak_rss_mb())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 300
    assert peak_rss_mb() > len(held) / 1e6


def test_what_a_contender_prints_does_not_mix_with_its_answers(material, small, log, monkeypatch, tmp_path) -> None:
    (tmp_path / "talker.py").write_text("def work(*_):\n    return lambda: print('hello') or 2.5\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with ContenderProcess("talker:work", material, small, log) as contender:
        assert contender.run() == 2.5
    assert json.dumps("hello").strip('"') in log.read_text()


def test_a_contender_that_fails_is_named_with_its_last_word(material, small, log, monkeypatch, tmp_path) -> None:
    (tmp_path / "broken.py").write_text("def work(*_):\n    raise RuntimeError('no such scanner')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with (
        ContenderProcess("broken:work", material, small, log) as contender,
        pytest.raises(BenchError, match="contender work: failed: RuntimeError: no such scanner"),
    ):
        contender.run()
