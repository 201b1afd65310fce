"""A file that is whole or absent: written beside its place, flushed to disk, then moved."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pointpet.core.errors import OutputError

PART_PREFIX = ".part-"
"""Names of unfinished files start so; the rest keeps the final name, so that its ending still tells the format."""

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a path to write to; move it to `path` when the block ends well, remove it when it does not.

    The folder is made where it is missing. What stood at `path` before stays whole until the last moment.

    Raises:
        OutputError: the disk is full, or the file system refuses.
    """
    part = path.with_name(f"{PART_PREFIX}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _flush(part)
        os.replace(part, path)
        _flush(path.parent)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _flush(path: Path) -> None:
    """Force a file or a folder's entry to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def not_written(path: Path, error: OSError) -> OutputError:
    """Turn a failed write into an error that names the file and the remedy."""
    if error.errno in _DISK_FULL:
        return OutputError(
            "PP-OUT-DISK", path.name, "cannot be written, the disk is full", "Free space and run the same command again"
        )
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return OutputError(
        "PP-OUT-WRITE", path.name, f"cannot be written ({reason})", "Check the folder's permissions, or choose another"
    )
