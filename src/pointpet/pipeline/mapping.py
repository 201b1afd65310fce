"""A map over cases or folds: in this process, in several, or on a cluster; one failure never stops the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from pointpet.core import PointpetError

Item = TypeVar("Item")
Report = Callable[[int, int, str], None]
"""Called with (done, total, message) as work goes on."""

Workers = int | str
"""Who works: a number of processes on this machine, or the address of a Dask scheduler."""


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
    workers: Workers = 1,
    report: Report = silent,
    describe: Callable[[Item], str] = str,
) -> Iterator[tuple[Item, Any, PointpetError | None]]:
    """Yield (item, result, error) as tasks end: in order with one worker, as completed with more.

    Args:
        function: importable, so that other processes find it.
        items: what it is called with; what is under way at a time does not grow with their number.
        workers: processes here, or a Dask scheduler's address.
        report: told of each task that ends (one worker: that begins). describe: what it is told.

    Raises:
        ClusterError: no scheduler at the address, or it is lost on the way.
    """
    total = len(items)
    if not total or (isinstance(workers, int) and (workers <= 1 or total <= 1)):
        for done, item in enumerate(items):
            report(done, total, describe(item))
            yield (item, *attempt(function, item))
        report(total, total, "")
        return
    report(0, total, "")
    for done, (item, result, error) in enumerate(_elsewhere(partial(attempt, function), items, workers), start=1):
        report(done, total, describe(item))
        yield item, result, error


def _elsewhere(
    task: Callable[[Item], tuple[Any, PointpetError | None]], items: Sequence[Item], workers: Workers
) -> Iterator[tuple[Item, Any, PointpetError | None]]:
    """Run the tasks in other processes; the modules that start them are loaded only here."""
    if isinstance(workers, str):
        from pointpet.pipeline.cluster import run_on_cluster

        return run_on_cluster(task, items, workers)
    from pointpet.pipeline.processes import run_in_processes

    return run_in_processes(task, items, min(workers, len(items)))
