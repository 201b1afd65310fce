import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pointpet.pipeline.mapping import map_tasks

# Worker processes import what they run by its name.
sys.path.insert(0, str(Path(__file__).parent))
import deeds


@pytest.fixture(autouse=True)
def _importable_by_workers(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))


def test_worker_processes_keep_to_one_thread_each(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = [result for _, result, _ in map_tasks(os.getenv, ["OMP_NUM_THREADS"] * 2, workers=2)]
    assert found == ["1", "1"]
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_task_whose_process_dies_is_done_by_another(tmp_path, caplog):
    others = [tmp_path / str(number) for number in range(4)]
    for folder in others:
        folder.mkdir()
        (folder / "died").touch()
    found = {
        item: (result, error)
        for item, result, error in map_tasks(deeds.note_and_die_once, [str(tmp_path), *map(str, others)], workers=2)
    }
    assert len(found) == 5
    assert all(error is None for _, error in found.values())
    assert found[str(tmp_path)][0] != int((tmp_path / "died").read_text())
    assert "a worker process died, its task is started again" in caplog.text


def test_a_task_that_kills_its_process_twice_is_listed_and_the_others_are_done():
    found = {item: (result, error) for item, result, error in map_tasks(deeds.die_at, [1, -1, 2, 3, 4], workers=2)}
    result, error = found.pop(-1)
    assert result is None
    assert str(error) == (
        "worker process: died 2 times over this task: killed, or out of memory. "
        "Give it more memory (fewer --workers), and run the same command again."
    )
    assert {item: result for item, (result, _) in found.items()} == {1: 2, 2: 4, 3: 6, 4: 8}


def test_results_come_while_others_are_still_at_work():
    tasks = map_tasks(deeds.slowly, range(6), workers=2)
    first = next(tasks)
    assert first[0] in (0, 1)
    assert sorted(item for item, _, _ in tasks) == sorted(set(range(6)) - {first[0]})


def test_workers_end_with_a_killed_parent(tmp_path):
    code = (
        "import deeds; from pointpet.pipeline.mapping import map_tasks\n"
        f"if __name__ == '__main__': list(map_tasks(deeds.write_pid_and_wait, [{str(tmp_path)!r}] * 2, workers=2))"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, str(script)])
    try:
        workers = _until(lambda: sorted(int(path.stem) for path in tmp_path.glob("*.pid")), lambda pids: len(pids) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert _until(lambda: [pid for pid in workers if Path(f"/proc/{pid}").exists()], lambda alive: not alive) == []


def _until(look, right, seconds: float = 30.0):
    """What `look` gives as soon as it is `right`, or at the end of the time."""
    end = time.monotonic() + seconds
    while not right(found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found
