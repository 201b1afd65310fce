"""`pointpet report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Quiet, Verbose

NAME = "report"


def command(
    study: Annotated[Path, typer.Argument(exists=True, file_okay=False, metavar="STUDY", help="A study's folder.")],
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Render STUDY/report.html again."""
    from pointpet.report.render import render_report

    console = Console(quiet=quiet, verbose=verbose)
    console.result(f"report: {render_report(study)}")
