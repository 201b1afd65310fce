"""What a command prints: progress, messages, errors; a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pointpet.cli.logs import configure_logging

PLAIN_INTERVAL_S = 5.0
"""Seconds between progress lines where the output is no terminal."""


class Console:
    """Messages of one command. Results go to standard output, everything else to standard error."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        configure_logging(quiet=quiet, verbose=verbose)

    def say(self, text: str) -> None:
        """A message for people, silent under --quiet."""
        if not self.quiet:
            print(text, flush=True)

    def result(self, text: str) -> None:
        """What the command is for: printed also under --quiet."""
        print(text, flush=True)

    def warn(self, text: str, *, always: bool = False) -> None:
        """A warning on standard error, silent under --quiet unless `always`: for what no output file says plainly."""
        if always or not self.quiet:
            print(f"warning: {text}", file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[int, int, str], None]]:
        """Give a progress report for one stage."""
        if self.quiet:
            yield lambda _done, _total, _message: None
        elif sys.stderr.isatty():
            yield from self._bar_progress(title)
        else:
            yield self._plain_progress(title)

    def _bar_progress(self, title: str) -> Iterator[Callable[[int, int, str], None]]:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=RichConsole(stderr=True), transient=True) as bar:
            task = bar.add_task(title)

            def update(done: int, total: int, message: str) -> None:
                bar.update(task, completed=done, total=total, description=f"{title} {message}".rstrip())

            yield update

    def _plain_progress(self, title: str) -> Callable[[int, int, str], None]:
        last = 0.0

        def update(done: int, total: int, message: str) -> None:
            nonlocal last
            now = time.monotonic()
            if done == total or now - last >= PLAIN_INTERVAL_S:
                last = now
                print(f"{title}: {done}/{total} {message}".rstrip(), file=sys.stderr, flush=True)

        return update

    def table(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, title: str = "") -> None:
        """A table of results."""
        from rich.console import Console as RichConsole
        from rich.table import Table

        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column.replace("_", " "))
        for row in rows:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        width = None if sys.stdout.isatty() else 200
        RichConsole(width=width, soft_wrap=False).print(table)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
