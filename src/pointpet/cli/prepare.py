"""`pointpet prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import CohortFile, ConfigFile, Overwrite, Quiet, Scheduler, Verbose, Workers, workforce

NAME = "prepare"


def command(
    cohort: CohortFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="PREPARED", help="Output folder.")],
    config: ConfigFile = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """SUV to MIPs to a cache that `train` reads; resumable."""
    from pointpet.cli.failures import exit_partial
    from pointpet.pipeline.config import load_configuration
    from pointpet.pipeline.prepare import prepare_cohort

    team = workforce(workers, scheduler)
    console = Console(quiet=quiet, verbose=verbose)
    settings = load_configuration(config).preparing()
    with console.progress("prepare") as report:
        prepared = prepare_cohort(cohort, out, settings, overwrite=overwrite, workers=team, report=report)
    console.result(f"{out}: {len(prepared.cases)} cases prepared")
    failures = [{"case_id": name, "code": error.code, "message": str(error)} for name, error in prepared.failures]
    exit_partial(failures, succeeded=bool(prepared.cases))
