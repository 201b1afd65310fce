"""Work on a real scheduler and its workers, each a process of its own."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pointpet.core import Case, ClusterError, MissingExtraError
from pointpet.pipeline import cluster, supply
from pointpet.pipeline.mapping import map_tasks, silent
from pointpet.pipeline.predict import predict_inputs
from pointpet.pipeline.prepare import prepare_cohort
from pointpet.pipeline.quantify import quantify_cohort
from pointpet.pipeline.study import StudyRequest, run_study

# Workers import what they run by its name.
sys.path.insert(0, str(Path(__file__).parent))
import deeds

Client = pytest.importorskip("distributed", reason="the extra `cluster` is not installed").Client

DASK = Path(sys.executable).with_name("dask")
START_S = 300.0
SETTLED_S = 3.0
"""A worker that dies while its nanny still starts it takes the nanny along, and nobody starts it again."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def scheduler_and_workers(folder: Path, workers: int) -> Iterator[tuple[str, subprocess.Popen]]:
    """(address, process of the scheduler) of a fresh cluster; all of it ends with the block."""
    paths = [str(Path(__file__).parent), *sys.path, os.environ.get("PYTHONPATH", "")]
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        "DASK_LOGGING__DISTRIBUTED": "critical",
    }
    address = f"tcp://127.0.0.1:{free_port()}"
    listen = ["--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"]
    join = [address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen:
            process = subprocess.Popen([str(DASK), *arguments], env=variables, cwd=folder, stderr=subprocess.DEVNULL)
            stack.callback(_end, process)
            return process

        scheduler = start("scheduler", *listen, "--scheduler-file", str(folder / "scheduler.json"))
        if workers:
            start("worker", *join, "--nworkers", str(workers))
        _until((folder / "scheduler.json").exists)
        yield address, scheduler


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until(holds: Callable[[], object], seconds: float = START_S) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory) -> Iterator[str]:
    with scheduler_and_workers(tmp_path_factory.mktemp("cluster"), 2) as (address, _):
        yield address


def test_one_failure_leaves_the_others_untouched(scheduler):
    found = {item: (result, error) for item, result, error in map_tasks(Case, ["A", "../x", 5], workers=scheduler)}
    assert found["A"][0].case_id == "A"
    assert found["../x"][1].code == "PP-COHORT-ID"
    assert found[5][1].code == "PP-INTERNAL"


def test_relative_paths_start_where_the_command_was_given(scheduler, tmp_path, monkeypatch):
    (tmp_path / "scan").write_bytes(b"123")
    monkeypatch.chdir(tmp_path)
    assert list(map_tasks(deeds.size_of, ["scan"], workers=scheduler)) == [("scan", 3, None)]


def test_more_tasks_than_are_told_to_the_scheduler_at_once(scheduler, monkeypatch):
    monkeypatch.setattr(supply, "FEWEST", 3)
    monkeypatch.setattr(supply, "A_WORKER", 1)
    reports = []
    tasks = map_tasks(abs, range(-20, 0), workers=scheduler, report=lambda *told: reports.append(told[:2]))
    assert sorted(result for _, result, _ in tasks) == list(range(1, 21))
    assert reports == [(done, 20) for done in range(21)]


def test_short_work_goes_out_together(scheduler, monkeypatch):
    sent, submit = [], Client.submit

    def counted(client, function, task, batch, *rest, **options):
        sent.append(len(batch))
        return submit(client, function, task, batch, *rest, **options)

    monkeypatch.setattr(Client, "submit", counted)
    found = {item: (result, error) for item, result, error in map_tasks(deeds.half_of, range(400), workers=scheduler)}
    assert {item: result for item, (result, error) in found.items() if error is None} == {
        number: number // 2 for number in range(0, 400, 2)
    }
    assert {found[number][1].code for number in range(1, 400, 2)} == {"PP-INTERNAL"}
    assert sum(sent) == 400
    assert len(sent) < 150


def test_a_worker_of_another_version_is_refused(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "__version__", "0.0.0")
    with pytest.raises(ClusterError, match=r"worker: has pointpet .*, this machine 0\.0\.0\. Install the same version"):
        list(map_tasks(abs, [1, 2], workers=scheduler))


def test_a_worker_that_cannot_load_the_code_is_named(scheduler, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def double(number): return 2 * number\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(ClusterError, match="worker: cannot load pointpet or what it needs, missing: only_here"):
        list(map_tasks(only_here.double, [1, 2], workers=scheduler))


def test_a_worker_that_does_not_see_the_files_is_named(scheduler, tmp_path, monkeypatch):
    gone = tmp_path / "unshared"
    gone.mkdir()
    monkeypatch.chdir(gone)
    tasks = map_tasks(deeds.slowly, range(50), workers=scheduler)
    next(tasks)
    gone.rename(tmp_path / "elsewhere")
    with pytest.raises(ClusterError, match="worker: does not see the working directory unshared"):
        list(tasks)


def test_nobody_at_the_address_is_said_within_seconds():
    started = time.monotonic()
    with pytest.raises(ClusterError, match=r"scheduler tcp:.*: does not answer within 5 s .* Start one"):
        list(map_tasks(abs, [1, 2], workers=f"tcp://127.0.0.1:{free_port()}"))
    assert time.monotonic() - started < 20


def test_somebody_who_listens_may_take_longer_to_answer(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    monkeypatch.setattr(cluster, "ANSWER_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ClusterError, match=r"scheduler tcp:.*: does not answer within 2 s"):
            list(map_tasks(abs, [1, 2], workers=address))


def test_it_works_where_a_loop_runs_already_as_in_a_notebook(scheduler):
    async def inside() -> list[int]:
        return sorted(result for _, result, _ in map_tasks(abs, [-1, -2], workers=scheduler))

    # In a thread of its own: the browser of other tests keeps a loop running in the main one.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, inside()).result() == [1, 2]


@pytest.mark.parametrize("content", ["{}", "nothing"])
def test_a_file_that_is_no_scheduler_file_is_refused(tmp_path, content):
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(ClusterError, match=r"scheduler s\.json: does not answer .* or its scheduler file"):
        list(map_tasks(abs, [1, 2], workers=str(tmp_path / "s.json")))


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ClusterError, match="correct --scheduler"):
        list(map_tasks(abs, [1, 2], workers="not-a-scheduler"))


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"--scheduler: needs Dask, .* pip install 'pointpet\[cluster\]'"):
        list(map_tasks(abs, [1, 2], workers="tcp://127.0.0.1:8786"))


@pytest.mark.slow
def test_lost_workers_and_a_lost_scheduler(tmp_path):
    """Workers that die over a task, once and each time; then the scheduler, in the middle of the work."""
    with scheduler_and_workers(tmp_path, 2) as (_, process):
        file = str(tmp_path / "scheduler.json")
        assert json.loads(Path(file).read_text())["workers"] == {}
        assert sorted(result for _, result, _ in map_tasks(abs, [-1, -2], workers=file)) == [1, 2]
        time.sleep(SETTLED_S)
        once = [str(tmp_path)]
        ((_, survivor, error),) = map_tasks(deeds.note_and_die_once, once, workers=file)
        assert error is None
        assert survivor != int((tmp_path / "died").read_text())
        time.sleep(SETTLED_S)
        ((_, _, error),) = map_tasks(deeds.die_at, [-1], workers=file)
        assert error.code == "PP-WORKER-LOST"
        assert "died 2 times over this task" in str(error)
        found = {item: (result, error) for item, result, error in map_tasks(deeds.die_at, [1, 2], workers=file)}
        assert found == {1: (2, None), 2: (4, None)}
        time.sleep(SETTLED_S)
        numbers = [*range(1, 100), -1, *range(100, 200)]
        found = {item: (result, error) for item, result, error in map_tasks(deeds.die_at, numbers, workers=file)}
        assert found.pop(-1)[1].code == "PP-WORKER-LOST"
        assert found == {number: (2 * number, None) for number in range(1, 200)}, "those handed out with it as well"
        tasks = map_tasks(deeds.slowly, range(500), workers=file)
        next(tasks)
        process.send_signal(signal.SIGKILL)
        started = time.monotonic()
        with pytest.raises(ClusterError, match="scheduler: was lost, or dropped a task"):
            list(tasks)
        assert time.monotonic() - started < 60


@contextmanager
def worker(folder: Path, address: str, *, after_s: float = 0.0) -> Iterator[subprocess.Popen]:
    """A worker that nobody starts again."""
    options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
    process = subprocess.Popen(
        ["sh", "-c", f'sleep {after_s}; exec "$@"', "sh", str(DASK), "worker", address, *options],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])},
    )
    try:
        yield process
    finally:
        _end(process)


@pytest.mark.slow
def test_work_waits_for_the_first_worker(tmp_path, caplog):
    with scheduler_and_workers(tmp_path, 0) as (address, _):
        tasks = map_tasks(abs, [-1, -2], workers=address)
        with worker(tmp_path, address, after_s=2):
            assert sorted(result for _, result, _ in tasks) == [1, 2]
    assert "the scheduler has no worker yet; waiting for one" in caplog.text


@pytest.mark.slow
def test_work_is_given_to_workers_that_join_and_waits_where_all_are_lost(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(cluster, "ASK_S", 0.5)
    with scheduler_and_workers(tmp_path, 0) as (address, _):
        tasks = map_tasks(deeds.slowly, range(30), workers=address)
        with worker(tmp_path, address) as first:
            found = [next(tasks)]
            first.kill()
        with worker(tmp_path, address, after_s=4):
            found += tasks
        assert sorted(result for _, result, _ in found) == list(range(30))
    assert "the scheduler has no worker left; waiting for one" in caplog.text


def contents(folder: Path, *endings: str) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name.endswith(endings))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def kill_a_worker(address: str) -> None:
    with Client(address, set_as_default=False) as client:
        os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)


@pytest.mark.slow
def test_every_command_gives_on_a_cluster_what_it_gives_here(scheduler, cohort_folder, quick, tmp_path):
    """A worker is killed in the middle of the study, and another in the middle of the prediction."""
    manifest, stages = cohort_folder / "cohort.csv", []

    def report(done: int, total: int, message: str) -> None:
        stage = message.partition(" ")[0] if message.startswith("fold") else "cases"
        if done == 1 and stage not in stages:
            stages.append(stage)
            kill_a_worker(scheduler)

    model = tmp_path / "study_here" / "models" / "proposed" / "fold_0"
    for place, team, told in (("here", 1, silent), ("there", scheduler, report)):
        prepare_cohort(manifest, tmp_path / f"prepared_{place}", quick.preparing(), workers=team)
        request = StudyRequest(manifest, ("proposed", "suv25"), folds=2, seed=3, workers=team)
        assert run_study(request, tmp_path / f"study_{place}", quick, report=told).failures == ()
        stages.clear()
        predict_inputs(model, [manifest], tmp_path / f"predicted_{place}", workers=team, report=told)
        quantify_cohort(manifest, tmp_path / f"quantified_{place}" / "f.csv", quick.radiomics, workers=team)
    assert stages == ["cases"]
    endings = ("weights.safetensors", ".nii.gz", ".npz", ".csv")
    for command in ("prepared", "study", "predicted", "quantified"):
        here, there = (contents(tmp_path / f"{command}_{place}", *endings) for place in ("here", "there"))
        assert here
        assert here == there, command
