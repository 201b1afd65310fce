"""A contender in a process of its own, told when to run; the measuring side and the measured side.

Both contenders of a row are alive at once and run in turn, so that both meet the same load of the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from pointpet.bench.material import Material, Size
from pointpet.core import PointpetError


class BenchError(PointpetError):
    """A measurement that failed."""


class ContenderProcess:
    """Use in `with`: the process ends with the block.

    Args:
        name: `module:function` of a contender.
        material: what it works on. size: how much.
        log: takes what the process writes to standard error.
    """

    def __init__(self, name: str, material: Material, size: Size, log: Path) -> None:
        self.name = name
        self._log = log
        self._error = log.open("ab")
        asked = json.dumps({"name": name, "folder": str(material.folder), "size": asdict(size)})
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on our own module
            [sys.executable, "-m", "pointpet.bench.process", asked],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._error,
            text=True,
        )

    def run(self) -> float:
        """Seconds of one run.

        Raises:
            BenchError: the contender failed.
        """
        return float(self._ask("run")["seconds"])

    def rss_mb(self) -> float:
        """The most memory that the process has held so far, MB."""
        return float(self._ask("rss")["rss_mb"])

    def _ask(self, what: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(what + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            said = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise BenchError(
                "PP-BENCH-FAILED",
                f"contender {self.name.partition(':')[2]}",
                f"failed: {''.join(said) or 'it ended without a word'}",
                "Install what it needs, or report the failure",
            ) from error

    def __enter__(self) -> ContenderProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()
        self._error.close()


def peak_rss_mb() -> float:
    """The most memory that this process has held, MB.

    From VmHWM on Linux: `ru_maxrss` there starts at what the parent held when it started us.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts in bytes


def _serve(asked: dict[str, Any]) -> None:
    """Answer the measuring side's lines until it closes the pipe."""
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    module, _, function = asked["name"].partition(":")
    size = Size(**{**asked["size"], "voxels": tuple(asked["size"]["voxels"])})
    work = getattr(import_module(module), function)(Material(Path(asked["folder"])), size)
    for line in sys.stdin:
        if line.strip() == "run":
            started = time.perf_counter()
            stated = work()
            answer = {"seconds": time.perf_counter() - started if stated is None else stated}
        else:
            answer = {"rss_mb": peak_rss_mb()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
