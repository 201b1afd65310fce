"""`pointpet study`."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import (
    CohortFile,
    ConfigFile,
    Overwrite,
    Quiet,
    Scheduler,
    Seed,
    Verbose,
    Workers,
    listed,
    workforce,
)

NAME = "study"


def command(
    cohort: CohortFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="STUDY", help="Output folder.")],
    methods: Annotated[
        str, typer.Option("--methods", metavar="A,B", help="Methods, see `pointpet methods`; default: all that apply.")
    ] = "",
    folds: Annotated[int, typer.Option("--folds", min=2, help="Number of folds.")] = 5,
    config: ConfigFile = None,
    seed: Seed = 0,
    annotation_budget: Annotated[
        bool, typer.Option("--annotation-budget", help="Also draw Dice against annotation effort: few patients to all.")
    ] = False,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Cross-validated comparison of methods: tables and report. Run again it goes on where it stopped."""
    from pointpet.cli.failures import exit_partial
    from pointpet.pipeline.config import load_configuration
    from pointpet.pipeline.study import StudyRequest, run_study

    team = workforce(workers, scheduler)
    console = Console(quiet=quiet, verbose=verbose)
    request = StudyRequest(cohort, listed(methods), folds, seed, team, overwrite, annotation_budget)
    with console.progress("study") as report:
        outcome = run_study(request, out, load_configuration(config), report=report)
    print_tables(console, out)
    console.result(f"report: {outcome.report_path}")
    exit_partial(outcome.failures)


def print_tables(console: Console, study: Path) -> None:
    """Print each class's table: what a method was given, Dice, hit, class accuracy, outcome; the rest is in the CSV."""
    import pandas as pd

    from pointpet.report.wording import endpoint_title

    for path in sorted((study / "tables").glob("table_*.csv")):
        rows = [
            {
                "method": row["method"],
                "given in training": row["training_input"],
                "given at test time": row["test_input"],
                "Dice, mean ± sd [95 %]": _interval(row, "dice"),
                "hit": _number(row["hit_mean"]),
                "class accuracy": _number(row["class_accuracy_mean"]),
                "outcome": endpoint_title(row["endpoint"]) if isinstance(row["endpoint"], str) else "-",
                "AUC, mean ± sd [95 %]": _interval(row, "auc"),
            }
            for row in pd.read_csv(path).to_dict("records")
        ]
        console.table(list(rows[0]), rows, title=path.stem.removeprefix("table_"))


def _interval(row: Mapping[Hashable, Any], measure: str) -> str:
    mean, sd, low, high = (_number(row[f"{measure}_{part}"]) for part in ("mean", "sd", "lo", "hi"))
    if mean == "-":
        return mean
    return f"{mean} ± {sd}" if low == "-" else f"{mean} ± {sd} [{low}, {high}]"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
