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
"""So many batches are under way at least: the first workers that join find work."""

A_WORKER = 4
"""So many batches are under way for each worker: the next one waits at its door, and how many go together is not
settled long before."""

LATEST = 0.2
"""Weight of the latest batch in the seconds that an item takes."""


class Supply:
    """Hands out items, several together where each takes little time.

    Args:
        items: all of them.

    Attributes:
        workers: how many there are; to be kept up to date.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        self.workers = 0
        self._items = items
        self._given = self._under_way = 0
        self._item_s: float | None = None

    def batches(self) -> Iterator[Sequence[Any]]:
        """What is to be handed out now."""
        while self._given < len(self._items) and self._under_way < max(FEWEST, A_WORKER * self.workers):
            batch = self._items[self._given : self._given + self._together()]
            self._given += len(batch)
            self._under_way += 1
            yield batch

    def ended(self, count: int, seconds: float | None) -> None:
        """A batch of `count` items has ended, in so many seconds; None where it was lost."""
        self._under_way -= 1
        if seconds is not None:
            latest = seconds / count
            self._item_s = latest if self._item_s is None else (1 - LATEST) * self._item_s + LATEST * latest

    def _together(self) -> int:
        """So many that no worker is idle while another has several left."""
        if self._item_s is None:
            return 1
        left = len(self._items) - self._given
        wanted = min(int(TOGETHER_S / max(self._item_s, 1e-9)), MOST_TOGETHER, left // max(2 * self.workers, 1))
        return max(1, wanted)
