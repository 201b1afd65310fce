"""A map over cases or folds: in this process or in several, one failure never stopping the rest."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

from pointpet.core import PointpetError

Item = TypeVar("Item")
Report = Callable[[int, int, str], None]
"""Called with (done, total, message) as work goes on."""


def silent(done: int, total: int, message: str) -> None:
    """A `Report` that says nothing."""


def default_workers(tasks: int) -> int:
    """As many processes as there are usable cores, at most one a task."""
    return max(1, min(len(os.sched_getaffinity(0)), tasks))


class UnexpectedError(PointpetError):
    """A defect of pointpet itself, met on one case."""


def attempt(function: Callable[..., Any], *arguments: Any) -> tuple[Any, PointpetError | None]:
    """Call `function(*arguments)`; give (result, None), or (None, error) where it failed.

    A defect in one case must not lose the other 999, so that every exception becomes an error that is listed.
    """
    try:
        return function(*arguments), None
    except PointpetError as error:
        return None, error
    except Exception as error:
        if os.environ.get("POINTPET_TRACEBACK"):
            raise
        return None, UnexpectedError(
            "PP-INTERNAL",
            type(error).__name__,
            "is an error that pointpet did not foresee",
            "Set POINTPET_TRACEBACK=1, run again and report what it prints",
        )


def map_tasks(
    function: Callable[[Item], Any],
    items: Sequence[Item],
    *,
    workers: int = 1,
    report: Report = silent,
    describe: Callable[[Item], str] = str,
) -> Iterator[tuple[Item, Any, PointpetError | None]]:
    """Yield (item, result, error) as tasks end: in order with one worker, as completed with more.

    Processes are spawned, not forked: torch's thread pools do not survive a fork. `function` must be importable.
    """
    total = len(items)
    if workers <= 1 or total <= 1:
        for done, item in enumerate(items):
            report(done, total, describe(item))
            yield (item, *attempt(function, item))
        report(total, total, "")
        return
    context = multiprocessing.get_context("spawn")
    with (
        _one_thread_each(),
        ProcessPoolExecutor(min(workers, total), mp_context=context, initializer=_start_worker) as pool,
    ):
        futures = {pool.submit(attempt, function, item): item for item in items}
        report(0, total, "")
        for done, future in enumerate(as_completed(futures), start=1):
            item = futures[future]
            report(done, total, describe(item))
            yield (item, *future.result())


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
    """Send the worker's log messages where the parent's go."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("pointpet").setLevel(os.environ.get("POINTPET_LOG_LEVEL", "WARNING"))
