"""`pointpet train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import ConfigFile, Overwrite, Quiet, Seed, Verbose

NAME = "train"


def command(
    source: Annotated[
        Path, typer.Argument(exists=True, metavar="COHORT.csv|PREPARED", help="A manifest or a prepared folder.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="Model folder.")],
    method: Annotated[str, typer.Option("--method", help="A method that trains; see `pointpet methods`.")] = "proposed",
    config: ConfigFile = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train one model on a whole cohort. Under torchrun or srun its processes train it together (docs/cluster.md)."""
    from pointpet.pipeline.config import load_configuration
    from pointpet.pipeline.train import train_model

    console = Console(quiet=quiet, verbose=verbose)
    with console.progress("train") as report:
        wrote = train_model(
            source, out, load_configuration(config), method=method, seed=seed, overwrite=overwrite, report=report
        )
    if wrote:
        console.result(f"model: {out}")
