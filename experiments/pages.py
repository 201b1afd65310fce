"""What the experiments share beside what they measure: progress, their own command line, tables of a page."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from pointpet.pipeline.mapping import Report
from pointpet.report.wording import number


def printed(title: str) -> Report:
    """A progress report as plain lines."""

    def report(done: int, total: int, message: str) -> None:
        if done == total or done % 10 == 0:
            print(f"{title}: {done}/{total} {message}", file=sys.stderr, flush=True)

    return report


def shown_command() -> str:
    """The command line as anyone can run it: the scratch folder is not part of the result."""
    words = list(sys.argv)
    if "--work" in words:
        words[words.index("--work") + 1] = "WORK"
    return shlex.join(["python", *words])


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table."""
    cells = frame.map(lambda value: number(value, 3) if isinstance(value, float) else str(value))
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|" + "---|" * len(frame.columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in cells.to_numpy()])


def publish(heading: str, columns: Sequence[str], rows: Iterable[Sequence[object]], out: Path | None) -> None:
    """Print a table; write it under `heading` where asked."""
    cells = [columns, ["---"] * len(columns), *rows]
    table = "\n".join("| " + " | ".join(map(str, row)) + " |" for row in cells)
    print(table)
    if out is not None:
        out.write_text(f"{heading}\n\n{table}\n", encoding="utf-8")
