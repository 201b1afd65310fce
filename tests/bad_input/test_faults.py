"""Faults of the machine and of its user, not of the data: full disk, closed folder, two runs at once, damaged cache.

A disk that fills up during a training: tests/learn/test_train.py. Kill -9 at random moments is measured by
`experiments/kill_faults.py`; for workers that die see tests/pipeline/test_processes.py.
"""

import shutil
import subprocess

import pytest

from pointpet.io.artefacts import lock_folder


def test_a_full_disk_is_named_and_what_stood_stays(cli, cohort, clean_outputs, small_disk):
    kept = small_disk / "notes.txt"
    kept.write_text("mine")
    command = ("prepare", cohort / "cohort.csv", "-o", small_disk / "p")
    done = cli(*command)
    assert done.status in (1, 3)
    assert "[PP-OUT-DISK]" in done.err
    assert "cannot be written, the disk is full. Free space and run the same command again." in done.err
    assert kept.read_text() == "mine"
    written = [path for path in small_disk.rglob("*") if path.is_file() and path.suffix == ".npz"]
    for path in written:
        whole = clean_outputs.get(path.stem)
        assert whole is None or path.read_bytes() == whole
    assert not list(small_disk.rglob(".part-*"))
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    assert cli(*command).status == 0
    for name, content in clean_outputs.items():
        assert (small_disk / "p" / "cases" / f"{name}.npz").read_bytes() == content


def test_a_folder_that_may_not_be_written_to(cli, cohort, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    try:
        done = cli("prepare", cohort / "cohort.csv", "-o", closed / "p")
    finally:
        closed.chmod(0o755)
    assert done.status == 1
    assert "error [PP-OUT-WRITE]: p: cannot be written (Permission denied). Check the folder's permissions" in done.err
    assert str(tmp_path) not in done.err
    assert list(closed.iterdir()) == []


def test_a_second_run_on_one_folder_is_refused_at_once(cli, cohort, tmp_path):
    out = tmp_path / "p"
    with lock_folder(out):
        done = cli("prepare", cohort / "cohort.csv", "-o", out)
    assert done.status == 1
    assert "error [PP-OUT-LOCKED]: p: another pointpet process is writing here" in done.err
    assert done.seconds < 2
    assert list(out.iterdir()) == []
    assert cli("prepare", cohort / "cohort.csv", "-o", out).status == 0


@pytest.mark.parametrize("damage", ["A.npz", "A.turned.npz", "A.json"])
def test_a_cut_cache_is_made_again(cli, cohort, tmp_path, clean_outputs, damage):
    out = tmp_path / "p"
    assert cli("prepare", cohort / "cohort.csv", "-o", out).status == 0
    whole = {path.name: path.read_bytes() for path in (out / "cases").iterdir()}
    (out / "cases" / damage).write_bytes(whole[damage][:100])
    untouched = (out / "cases" / "C.npz").stat()
    assert cli("prepare", cohort / "cohort.csv", "-o", out).status == 0
    assert {path.name: path.read_bytes() for path in (out / "cases").iterdir()} == whole
    assert (out / "cases" / "C.npz").stat().st_ino == untouched.st_ino


def test_a_stale_lock_and_unfinished_files_are_recovered(cli, cohort, tmp_path):
    out = tmp_path / "p"
    assert cli("prepare", cohort / "cohort.csv", "-o", out).status == 0
    whole = {path.name: path.read_bytes() for path in (out / "cases").iterdir()}
    (out / ".pointpet.lock").touch()
    (out / "cases" / ".part-1-abcd-A.npz").write_bytes(b"half")
    shutil.copy(out / "cases" / "A.npz", out / "cases" / ".part-2-abcd-C.npz")
    assert cli("prepare", cohort / "cohort.csv", "-o", out).status == 0
    assert {path.name: path.read_bytes() for path in (out / "cases").iterdir()} == whole
    assert not (out / ".pointpet.lock").exists()
