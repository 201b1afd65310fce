"""Worker processes on this machine: each is on its own, so that one that dies takes only its own task with it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from pointpet.core import PointpetError, WorkerError

LOG = logging.getLogger(__name__)

Item = TypeVar("Item")
Outcome = tuple[Any, PointpetError | None]
"""(result, None) or (None, error)."""

ATTEMPTS = 2
"""A task whose process died is tried once more: most deaths have nothing to do with the task. A second one has."""


def run_in_processes(
    task: Callable[[Item], Outcome], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Any, PointpetError | None]]:
    """Yield (item, result, error) as the tasks end, from `workers` processes.

    Spawned, not forked: torch's thread pools do not survive a fork. Each process has a pool of its own, since a pool
    whose process dies does not say which of its tasks was the cause, and loses all of them.
    """
    with _one_thread_each():
        team = _Team(workers)
        try:
            todo = iter(items)
            for place, item in zip(range(workers), todo, strict=False):
                team.start(place, task, item)
            for place, item, outcome in team.ended(task):
                # The next one begins before the caller works on this one's result.
                for following in todo:
                    team.start(place, task, following)
                    break
                yield (item, *outcome)
        finally:
            team.dismiss()


class _Team:
    """Processes by their place, and what each is at."""

    def __init__(self, workers: int) -> None:
        self._pools = [_pool() for _ in range(workers)]
        self._running: dict[Future[Outcome], tuple[int, Any, int]] = {}

    def start(self, place: int, task: Callable[[Any], Outcome], item: Any, number: int = 1) -> None:
        """Give the process at `place` a task to do, for the `number`th time."""
        try:
            future = self._pools[place].submit(task, item)
        except BrokenProcessPool:  # it died while it had nothing to do
            self._replace(place)
            future = self._pools[place].submit(task, item)
        self._running[future] = (place, item, number)

    def ended(self, task: Callable[[Any], Outcome]) -> Iterator[tuple[int, Any, Outcome]]:
        """Yield (place, item, outcome) as they come; a task whose process died is started again."""
        while self._running:
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                place, item, number = self._running.pop(future)
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    self._replace(place)
                    if number < ATTEMPTS:
                        LOG.warning("a worker process died, its task is started again")
                        self.start(place, task, item, number + 1)
                        continue
                    outcome = (None, worker_lost(number))
                yield place, item, outcome

    def _replace(self, place: int) -> None:
        self._pools[place].shutdown(wait=False)
        self._pools[place] = _pool()

    def dismiss(self) -> None:
        """End all processes, once what they are at is done."""
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in self._pools:
            pool.shutdown(wait=True)


def worker_lost(times: int) -> WorkerError:
    """The error of a task that took its worker with it so many times."""
    return WorkerError(
        "PP-WORKER-LOST",
        "worker process",
        f"died {times} times over this task: killed, or out of memory",
        "Give it more memory (fewer --workers), and run the same command again",
    )


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have processes started in this block keep to one thread each: several share the cores.

    Set here and not in the child, whose numerical libraries read it while they are loaded, before any of our code runs;
    with a pool of threads in every process the threads spend their time waiting for each other.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start_worker() -> None:
    """Send the worker's log messages where the parent's go, and end with the parent."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("pointpet").setLevel(os.environ.get("POINTPET_LOG_LEVEL", "WARNING"))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent's workers would wait for their next task for ever: each holds the queue's other end open too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
