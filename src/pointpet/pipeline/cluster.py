"""Work on a Dask cluster: the scheduler's address is given, its workers see the same files under the same paths."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pointpet._version import __version__
from pointpet.core import ClusterError, MissingExtraError, PointpetError
from pointpet.pipeline.processes import Item, Outcome, worker_lost
from pointpet.pipeline.supply import Supply

if TYPE_CHECKING:
    from distributed import Client, Future

LOG = logging.getLogger(__name__)

CONNECT_S = 5.0
"""Seconds to wait for somebody to listen at the scheduler's address: that takes no time of the scheduler's own."""

ANSWER_S = 30.0
"""Seconds that one who listens there may take to answer: on a busy machine both sides wait for their turn. Dask itself
would wait for ever, and something else may listen there."""

ASK_S = 10.0
"""Seconds after which the scheduler is asked how many workers there are: some join late, and all may be lost."""

_ONE_AT_A_TIME = threading.Lock()
"""In a worker with several threads: random numbers, numbers of threads and the working directory are the process's."""


def run_on_cluster(
    task: Callable[[Item], Outcome], items: Sequence[Item], address: str
) -> Iterator[tuple[Item, Any, PointpetError | None]]:
    """Yield (item, result, error) as the items are done on the workers of the scheduler at `address`.

    Short work goes out several items at once. What was under way on a worker that is lost goes to another one, as often
    as the scheduler's `allowed-failures` says. Dask counts that for everything that the worker held, so that each item
    is then tried once more by itself, as often again, before it is given up.

    Raises:
        ClusterError: nobody answers at the address, the scheduler is lost on the way, or a worker is unfit.
        MissingExtraError: Dask is not installed.
    """
    _library()
    with _quiet_library(), _connect(address) as client:
        work = _Work(client, task, items)
        while work.is_unfinished():
            yield from work.next_outcomes()


class _Work:
    """Items on their way to the workers and back."""

    def __init__(self, client: Client, task: Callable[[Any], Outcome], items: Sequence[Any]) -> None:
        self._client, self._task, self._here = client, task, Path.cwd()
        self._supply = Supply(items)
        self._running: dict[Any, tuple[Future, Sequence[Any]]] = {}
        self._ended: SimpleQueue[Future] = SimpleQueue()
        self._suspects: deque[Any] = deque()
        self._on_trial: Any = None
        self._count_workers()
        self._start_all()

    def is_unfinished(self) -> bool:
        """Whether something is still under way."""
        return bool(self._running)

    def next_outcomes(self) -> Iterator[tuple[Any, Any, PointpetError | None]]:
        """What the next batch gave that ends; nothing where none did for `ASK_S`, or where it is tried once more."""
        try:
            future = self._ended.get(timeout=ASK_S)
        except Empty:
            self._count_workers()
            self._start_all()
            return
        _, batch = self._running.pop(future.key)
        done, was_trial = _done(future), future.key == self._on_trial
        if was_trial:
            self._on_trial = None
        else:
            self._supply.ended(len(batch), None if done is None else done.seconds)
        if done is None and not was_trial:
            self._suspects.extend(batch)
        if done is not None:
            self._supply.workers = max(self._supply.workers, 1)
        if time.monotonic() - self._asked > ASK_S:
            self._count_workers()
        self._start_all()
        if done is not None:
            for item, outcome in zip(batch, done.outcomes, strict=True):
                yield (item, *outcome)
        elif was_trial:
            yield batch[0], None, _lost(future)

    def _start_all(self) -> None:
        """Hand out what there is room for. What was lost with its workers goes one by one, each when the one before has
        ended: whoever else was lost with a killer is not given up for it."""
        for batch in self._supply.batches():
            self._start(batch)
        if self._suspects and self._on_trial is None:
            self._on_trial = self._start([self._suspects.popleft()])

    def _start(self, batch: Sequence[Any]) -> Any:
        future = self._client.submit(_on_worker, self._task, batch, self._here, __version__, pure=False)
        self._running[future.key] = future, batch
        future.add_done_callback(self._ended.put)
        return future.key

    def _count_workers(self) -> None:
        """Ask how many there are, and say where there are none. A scheduler that is gone ends what is under way."""
        self._asked = time.monotonic()
        try:
            workers = len(self._client.nthreads())  # type: ignore[arg-type] -- not asynchronous
        except (OSError, ValueError, RuntimeError):
            return
        if not workers and (self._supply.workers or not self._running):
            LOG.warning("the scheduler has no worker%s; waiting for one", " left" if self._running else " yet")
        self._supply.workers = workers


def _library() -> ModuleType:
    """Dask's distributed part, which the base install has not."""
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            "PP-EXTRA-CLUSTER",
            "--scheduler",
            f"needs Dask, missing: {error.name}",
            "Install it: pip install 'pointpet[cluster]'",
        ) from error
    return distributed


def _connect(address: str) -> Client:
    """A client of the scheduler at an address, or of the one that a scheduler file tells of."""
    library = _library()
    file = address if Path(address).is_file() else None
    try:
        heard = json.loads(Path(file).read_text())["address"] if file else address
        with ThreadPoolExecutor(1) as other:  # a notebook has a loop of its own, in which none can be started
            other.submit(lambda: asyncio.run(_hear(heard))).result()
        return library.Client(
            None if file else address, scheduler_file=file, timeout=ANSWER_S, set_as_default=False, name="pointpet"
        )
    except (OSError, ValueError, KeyError) as error:
        seconds = ANSWER_S if isinstance(error, TimeoutError) else CONNECT_S
        raise ClusterError(
            "PP-CLUSTER-ADDRESS",
            f"scheduler {Path(address).name if file else address}",
            f"does not answer within {seconds:.0f} s ({type(error).__name__})",
            "Start one (`dask scheduler`), or correct --scheduler: tcp://HOST:8786, or its scheduler file",
        ) from error


async def _hear(address: str) -> None:
    """Return once one who listens at `address` has greeted as Dask does.

    Raises:
        OSError: nobody listens within `CONNECT_S`. TimeoutError: who does says nothing within `ANSWER_S`.
        ValueError: it is no address.
    """
    from distributed.comm.core import connect
    from distributed.security import Security

    security = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=CONNECT_S, **security), ANSWER_S)
    comm.abort()


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Keep Dask's own remarks on lost connections back: what matters of them becomes an error of ours."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@dataclass(frozen=True)
class _Done:
    """What a worker gives back: outcomes in the items' order, and how many seconds they took."""

    outcomes: list[Outcome]
    seconds: float


def _on_worker(task: Callable[[Item], Outcome], batch: Sequence[Item], folder: Path, version: str) -> _Done:
    """Runs on the worker: the task on each item, in the caller's working directory, where relative paths start."""
    if version != __version__:
        raise ClusterError(
            "PP-CLUSTER-VERSION",
            "worker",
            f"has pointpet {__version__}, this machine {version}",
            "Install the same version on all machines",
        )
    with _ONE_AT_A_TIME, _inside(folder):
        started = time.monotonic()
        outcomes = [task(item) for item in batch]
        return _Done(outcomes, time.monotonic() - started)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Make `folder` the working directory until the block ends."""
    before = Path.cwd()
    try:
        os.chdir(folder)
    except OSError as error:
        raise ClusterError(
            "PP-CLUSTER-FILES",
            "worker",
            f"does not see the working directory {folder.name} ({type(error).__name__})",
            "Start workers where the same files have the same paths, on a shared file system",
        ) from error
    try:
        yield
    finally:
        os.chdir(before)


def _lost(future: Future) -> PointpetError:
    """Its workers died over this."""
    killed = future.exception()
    return worker_lost(killed.allowed_failures + 1)  # type: ignore[union-attr]


def _done(future: Future) -> _Done | None:
    """What a batch that ended gave; None where its workers died over it.

    Raises:
        ClusterError: it ended for a reason that would meet every other one too.
    """
    from distributed import KilledWorker

    error: BaseException | None
    try:
        return future.result()
    except CancelledError:
        error = None  # the scheduler is gone, and with it what it knew of the task
    except Exception as found:  # noqa: BLE001 - whatever it is, it becomes one of the errors below
        error = found
    if isinstance(error, KilledWorker):
        return None
    if isinstance(error, ClusterError) or (error is not None and os.environ.get("POINTPET_TRACEBACK")):
        raise error
    if error is not None and "deserializ" in str(error):  # Dask's word for a task that a worker cannot load
        cause = f", missing: {error.__cause__.name}" if isinstance(error.__cause__, ImportError) else ""
        raise ClusterError(
            "PP-CLUSTER-WORKER",
            "worker",
            f"cannot load pointpet or what it needs{cause}",
            "Install pointpet with the same extras on all machines",
        )
    reason = "cancelled" if error is None else type(error).__name__
    raise ClusterError(
        "PP-CLUSTER-LOST",
        "scheduler",
        f"was lost, or dropped a task ({reason})",
        "Start it again; the same command goes on from here",
    )
