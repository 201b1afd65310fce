"""A file is whole or absent."""

import errno
import os
from pathlib import Path

import pytest

from pointpet.core import OutputError
from pointpet.core.whole_file import atomic_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def write(target: Path) -> None:
    with atomic_path(target) as part:
        part.write_text("new")


def stop_half_way(part: Path) -> None:
    part.write_text("half")
    raise RuntimeError("stopped half-way")


def test_atomic_path_moves_the_finished_file_and_makes_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.nii.gz"
    with atomic_path(target) as part:
        assert part.parent == target.parent
        assert part.name.endswith("b.nii.gz")
        part.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert names(tmp_path) == ["a", "b.nii.gz"]


def test_atomic_path_leaves_the_old_file_when_the_block_fails(tmp_path: Path) -> None:
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="stopped half-way"), atomic_path(target) as part:
        stop_half_way(part)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_full_disk_is_named_and_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x.txt"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"x\.txt: cannot be written, the disk is full\. Free space") as caught:
        write(target)
    assert caught.value.code == "PP-OUT-DISK"
    assert target.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_other_write_failures_name_the_file_not_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"^x\.txt: cannot be written \(File exists\)") as caught:
        write(tmp_path / "file" / "x.txt")
    assert caught.value.code == "PP-OUT-WRITE"
    assert str(tmp_path) not in str(caught.value)
