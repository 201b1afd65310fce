"""How much work goes out at a time: short items several together, and never all of a large cohort at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

TOGETHER_S = 1.0
"""Seconds of work that are handed out together: what Dask does for each task, some milliseconds, is then little beside
it, however short the work on one item is."""

MOST_TOGETHER = 16
"""Items that are handed out together at most: they are lost together where a worker is."""

FEWEST = 16
"""So many batches are under way at least, that workers which join find work."""

A_WORKER = 4
"""So many batches are under way for each worker: the next one waits at its door, and how many go together is not
settled long before."""

LATEST = 0.2
"""Weight of the latest batch in the seconds that an item takes."""


class Supply:
    """Hands out items, several together where each takes little time.

    Args:
        items: all of them.
        workers: how many are known of at the start.
    """

    def __init__(self, items: Sequence[Any], workers: int) -> None:
        self._items = items
        self._workers = max(workers, 1)
        self._seen: set[str] = set()
        self._given = self._under_way = 0
        self._item_s: float | None = None

    def batches(self) -> Iterator[Sequence[Any]]:
        """What is to be handed out now."""
        while self._given < len(self._items) and self._under_way < max(FEWEST, A_WORKER * self._workers):
            batch = self._items[self._given : self._given + self._together()]
            self._given += len(batch)
            self._under_way += 1
            yield batch

    def returned(self, count: int, seconds: float, worker: str) -> None:
        """A batch of `count` items is done, in so many seconds, by a worker of this name."""
        self._under_way -= 1
        self._seen.add(worker)
        self._workers = max(self._workers, len(self._seen))
        latest = seconds / count
        self._item_s = latest if self._item_s is None else (1 - LATEST) * self._item_s + LATEST * latest

    def lost(self) -> None:
        """A batch will not come back."""
        self._under_way -= 1

    def _together(self) -> int:
        """So many that no worker is idle while another has several left."""
        if self._item_s is None:
            return 1
        left = len(self._items) - self._given
        wanted = min(int(TOGETHER_S / max(self._item_s, 1e-9)), MOST_TOGETHER, left // (2 * self._workers))
        return max(1, wanted)
