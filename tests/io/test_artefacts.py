"""Files are whole or absent, and a folder has one writer."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pointpet.core import OutputError
from pointpet.io.artefacts import (
    LOCK_NAME,
    PART_PREFIX,
    lock_folder,
    read_json,
    require_fresh,
    write_bytes,
    write_csv,
    write_json,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_write_bytes(tmp_path: Path) -> None:
    write_bytes(tmp_path / "x.bin", b"\x00\x01")
    assert (tmp_path / "x.bin").read_bytes() == b"\x00\x01"


def test_json_takes_numpy_and_turns_undefined_numbers_into_null(tmp_path: Path) -> None:
    content = {"a": np.float32(0.5), "b": np.arange(3), "c": float("nan"), "d": (1, True, None), 5: "é"}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == {"a": 0.5, "b": [0, 1, 2], "c": None, "d": [1, True, None], "5": "é"}
    assert "NaN" not in (tmp_path / "x.json").read_text()


def test_json_refuses_a_path(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "x.json", {"where": tmp_path})
    assert names(tmp_path) == []


def test_read_json_faults(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"x\.json: is missing or cannot be read"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(OutputError, match=r"x\.json: must be JSON, and is not"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(OutputError, match="must be JSON"):
        read_json(tmp_path / "x.json")


def test_csv_of_mappings(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "x.csv", [{"a": 1, "b": None}, {"b": float("nan"), "c": True}, {"a": "x,y", "c": np.float32(0.5)}]
    )
    assert (tmp_path / "x.csv").read_text() == 'a,b,c\n1,,\n,,1\n"x,y",,0.5\n'


def test_csv_columns_are_ordered_and_selected(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", [{"a": 1, "b": 2}], ["b", "c"])
    assert (tmp_path / "x.csv").read_text() == "b,c\n2,\n"
    write_csv(tmp_path / "x.csv", [], ["b"])
    assert (tmp_path / "x.csv").read_text() == "b\n"


def test_csv_of_a_pandas_table_equals_that_of_its_rows(tmp_path: Path) -> None:
    rows = [{"case_id": "a", "dice": 1 / 3}, {"case_id": "b", "dice": None}]
    write_csv(tmp_path / "x.csv", rows)
    write_csv(tmp_path / "y.csv", pd.DataFrame(rows))
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


def test_require_fresh(tmp_path: Path) -> None:
    require_fresh(tmp_path / "absent", overwrite=False)
    require_fresh(tmp_path, overwrite=False)
    (tmp_path / LOCK_NAME).touch()
    require_fresh(tmp_path, overwrite=False)
    (tmp_path / "x").touch()
    require_fresh(tmp_path, overwrite=True)
    with pytest.raises(OutputError, match=r"exists already\. Give another place, or --overwrite"):
        require_fresh(tmp_path, overwrite=False)
    with pytest.raises(OutputError, match=r"^x: exists already"):
        require_fresh(tmp_path / "x", overwrite=False)


def test_lock_is_exclusive_within_a_process_and_free_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with lock_folder(folder) as held:
        assert held == folder
        with (
            pytest.raises(OutputError, match="out: another pointpet process is writing here") as caught,
            lock_folder(folder),
        ):
            pass
        assert caught.value.code == "PP-OUT-LOCKED"
    assert names(tmp_path) == ["out"]
    with lock_folder(folder):
        pass


def test_lock_is_freed_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock_folder(tmp_path):
        1 / 0  # noqa: B018
    with lock_folder(tmp_path):
        pass


def test_lock_removes_unfinished_files_of_a_killed_owner(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / f"{PART_PREFIX}1-ab-x.npz").touch()
    (tmp_path / "cases" / "y.npz").touch()
    with lock_folder(tmp_path):
        assert names(tmp_path) == [LOCK_NAME, "cases", "y.npz"]


def test_lock_where_no_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file: cannot be written \(File exists\)"), lock_folder(tmp_path / "file"):
        pass


HOLDER = """
    import os, sys, time
    from pathlib import Path
    from pointpet.io.artefacts import lock_folder
    with lock_folder(Path(sys.argv[1])):
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)
            time.sleep(60)
            os._exit(0)
        time.sleep(60)
"""


def test_second_process_is_refused_at_once_and_a_killed_owner_blocks_nobody(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        try:
            start = time.monotonic()
            with pytest.raises(OutputError, match="another pointpet process"), lock_folder(tmp_path):
                pass
            assert time.monotonic() - start < 2
            owner.send_signal(signal.SIGKILL)
            owner.wait()
            os.kill(child, 0)  # the forked worker outlives its owner
            with lock_folder(tmp_path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_json_is_readable_by_others(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": [1.5]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"b": 1, "a": [1.5]}
    assert (tmp_path / "x.json").read_text().endswith("}\n")
