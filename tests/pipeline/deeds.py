"""What worker processes are asked to do in tests: a module of its own, which they can import by name."""

import os
import signal
import time
from pathlib import Path


def note_and_die_once(folder: str) -> int:
    """Kill the own process at the first call; give its id at the second."""
    mark = Path(folder) / "died"
    if not mark.exists():
        mark.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die_at(number: int) -> int:
    """Kill the own process over a negative number, at each call."""
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def write_pid_and_wait(folder: str) -> None:
    """Leave the own process id in `folder` and work for a minute."""
    Path(folder, f"{os.getpid()}.pid").touch()
    time.sleep(60)


def size_of(name: str) -> int:
    """Size of a file, whose path may be relative."""
    return Path(name).stat().st_size


def slowly(number: int) -> int:
    """A fifth of a second of work."""
    time.sleep(0.2)
    return number


def half_of(number: int) -> int:
    """Half of an even number."""
    if number % 2:
        raise ValueError("odd")
    return number // 2
