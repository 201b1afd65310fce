"""`pointpet study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import CohortFile, ConfigFile, Overwrite, Quiet, Seed, Verbose, Workers

NAME = "study"


def command(
    cohort: CohortFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="STUDY", help="Output folder.")],
    methods: Annotated[str, typer.Option("--methods", metavar="A,B", help="Methods; default: all that apply.")] = "",
    folds: Annotated[int, typer.Option("--folds", min=2, help="Number of folds.")] = 5,
    config: ConfigFile = None,
    seed: Seed = 0,
    workers: Workers = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Cross-validated comparison of methods, tables, statistics and report."""
    from pointpet.cli.failures import exit_partial
    from pointpet.pipeline.config import load_configuration
    from pointpet.pipeline.study import StudyRequest, run_study

    console = Console(quiet=quiet, verbose=verbose)
    chosen = tuple(name.strip() for name in methods.split(",") if name.strip())
    request = StudyRequest(cohort, chosen, folds, seed, workers, overwrite)
    with console.progress("study") as report:
        outcome = run_study(request, out, load_configuration(config), report=report)
    print_tables(console, out)
    console.result(f"report: {outcome.report_path}")
    exit_partial(outcome.failures)


def print_tables(console: Console, study: Path) -> None:
    """Print each class's table: mean and standard deviation of Dice over folds, and of what else it has."""
    import pandas as pd

    for path in sorted((study / "tables").glob("table_*.csv")):
        table = pd.read_csv(path)
        columns = [name for name in table.columns if not table[name].isna().all()]
        rows = table[columns].to_dict("records")
        console.table(columns, rows, title=path.stem.removeprefix("table_"))  # type: ignore[arg-type]
