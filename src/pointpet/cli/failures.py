"""How a command ends when some cases failed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

EXIT_FAILURE = 1
EXIT_PARTIAL = 3


def exit_partial(failures: Sequence[Mapping[str, Any]], *, succeeded: bool = True) -> None:
    """List the failed cases on standard error and exit with 3, or with 1 where none succeeded; return where all did."""
    if not failures:
        return
    print(f"{len(failures)} failed:", file=sys.stderr)
    for failure in failures:
        where = " ".join(str(failure[name]) for name in ("case_id", "method", "stage") if failure.get(name))
        print(f"  {where} [{failure['code']}] {failure['message']}", file=sys.stderr)
    raise typer.Exit(EXIT_PARTIAL if succeeded else EXIT_FAILURE)
