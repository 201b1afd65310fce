"""`pointpet demo`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Overwrite, Quiet, Seed, Verbose

NAME = "demo"


def command(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Output folder.")] = Path("demo"),
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Phantom cohort, check, study and report. Takes a few minutes on two cores; the study lies in DIR/study."""
    from pointpet.cli.failures import exit_partial
    from pointpet.cli.study import print_tables
    from pointpet.pipeline.demo import run_demo

    console = Console(quiet=quiet, verbose=verbose)
    with ExitStack() as stack:
        _, outcome = run_demo(
            out, seed=seed, overwrite=overwrite, stage=lambda name: stack.enter_context(console.progress(name))
        )
    print_tables(console, out / "study")
    console.result(f"report: {outcome.report_path}")
    exit_partial(outcome.failures)
