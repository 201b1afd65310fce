"""A command's cost: processor time of it and its processes, and the most memory that each of them held."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_S = 0.1
"""Between two looks at a command's processes. What a look finds is the most that each has held so far."""


@dataclass(frozen=True)
class Cost:
    """Of one command: processor seconds with its processes, seconds by the clock, and the most memory in MB of the
    command itself and of the largest process that it started (0 where it started none)."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    worker_mb: float


def measure(words: Sequence[object], *, paths: Sequence[Path] = ()) -> Cost:
    """Run Python with these words to its end.

    Args:
        words: arguments of the interpreter, such as ("-m", "pointpet", "doctor").
        paths: folders that it finds modules in before others.

    Raises:
        SystemExit: it failed; what it said stands on the error output.
    """
    started = time.monotonic()
    variables = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, paths), os.environ.get("PYTHONPATH", "")])}
    child = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.DEVNULL, env=variables)
    peak_mb = worker_mb = 0.0
    ended = 0
    while not ended:
        own_mb, workers_mb = _peaks(child.pid)
        peak_mb, worker_mb = max(peak_mb, own_mb), max(worker_mb, *workers_mb, 0.0)
        time.sleep(LOOK_S)
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"status {child.returncode}: {' '.join(map(str, words))}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - started, peak_mb, worker_mb)


def _peaks(pid: int) -> tuple[float, list[float]]:
    """The most memory so far, MB, of a process and of each that it started."""
    try:
        workers = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        workers = []
    return _peak_mb(pid), [_peak_mb(worker.pid) for worker in workers]


def _peak_mb(pid: int) -> float:
    """VmHWM on Linux: `ru_maxrss` there starts at what the parent held when it started the process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
