"""Files that are whole or absent: written beside their place, flushed to disk, then moved; and folders that one process
owns at a time."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointpet.core import OutputError
from pointpet.core.whole_file import PART_PREFIX, atomic_path, not_written

if TYPE_CHECKING:
    import pandas as pd

LOCK_NAME = ".pointpet.lock"
_HELD: set[int] = set()
"""File handles of the locks that this process holds."""


def write_bytes(path: Path, content: bytes | bytearray | memoryview) -> None:
    """Write `content` whole or not at all."""
    with atomic_path(path) as part:
        part.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 with Unix line ends, whole or not at all."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON; NumPy values become numbers and lists, an undefined number becomes null.

    Raises:
        TypeError: a value that JSON does not know. Paths are among them on purpose: they must not reach an output.
    """
    write_text(path, json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    """Reduce `value` to what JSON holds."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def read_json(path: Path) -> Any:
    """Read a JSON file of ours.

    Raises:
        OutputError: missing, unreadable or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise OutputError(
            "PP-OUT-READ", Path(path).name, "is missing or cannot be read", "Run the command that writes it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise OutputError(
            "PP-OUT-JSON", Path(path).name, "must be JSON, and is not", "Remove it and run the command that writes it"
        ) from error


def read_earlier(path: Path) -> dict[str, Any]:
    """A record that an earlier run may have left; empty where there is none that can be read."""
    try:
        return read_json(path)
    except OutputError:
        return {}


def write_csv(
    path: Path, rows: Sequence[Mapping[str, object]] | pd.DataFrame, columns: Sequence[str] | None = None
) -> None:
    """Write rows as UTF-8 CSV with a header line; None and NaN become blank cells, True and False 1 and 0.

    Args:
        path: the file.
        rows: one mapping a row, or a pandas table (its index is not written).
        columns: their order; the order of first appearance where absent.
    """
    if not isinstance(rows, Sequence):
        columns = list(rows.columns) if columns is None else columns
        rows = rows.to_dict("records")
    names = list(dict.fromkeys(name for row in rows for name in row)) if columns is None else list(columns)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    write_text(path, text.getvalue())


def _cell(value: object) -> object:
    """One cell of a CSV row."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return int(value) if isinstance(value, bool) else value


def require_fresh(path: Path, overwrite: bool) -> None:
    """Stop where `path` holds something already and may not be overwritten; an empty folder is fresh.

    Raises:
        OutputError: it exists and `overwrite` is false.
    """
    path = Path(path)
    occupied = any(entry.name != LOCK_NAME for entry in path.iterdir()) if path.is_dir() else path.exists()
    if occupied and not overwrite:
        raise OutputError("PP-OUT-EXISTS", path.name, "exists already", "Give another place, or --overwrite")


@contextmanager
def lock_folder(folder: Path) -> Iterator[Path]:
    """Own `folder` (made where missing) until the block ends; what a killed owner left unfinished is removed.

    The operating system drops the lock with the process that holds it, so a killed run never blocks the next one.

    Raises:
        OutputError: another process owns the folder (at once, without waiting), or it cannot be made.
    """
    folder = Path(folder)
    path = folder / LOCK_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = acquire_lock(path)
    except OSError as error:
        raise not_written(folder, error) from error
    if handle is None:
        raise OutputError(
            "PP-OUT-LOCKED", folder.name, "another pointpet process is writing here", "Wait for it, or choose another"
        )
    _HELD.add(handle)
    try:
        for leftover in folder.rglob(f"{PART_PREFIX}*"):
            leftover.unlink(missing_ok=True)
        yield folder
    finally:
        if handle in _HELD:
            _HELD.discard(handle)
            path.unlink(missing_ok=True)
            os.close(handle)


def _drop_locks() -> None:
    """Close a forked child's copies, or a worker that outlives its killed parent would hold the lock for ever."""
    while _HELD:
        os.close(_HELD.pop())


os.register_at_fork(after_in_child=_drop_locks)


def acquire_lock(path: Path) -> int | None:
    """Open and lock `path`; None where another process holds it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        # The last owner may have removed the file between our opening and our locking it: then we hold a lock on
        # nothing, and open again.
        with suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == os.stat(path).st_ino:
                return handle
        os.close(handle)
