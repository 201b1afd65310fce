"""`pointpet quantify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import CohortFile, ConfigFile, Overwrite, Quiet, Scheduler, Verbose, Workers, workforce

NAME = "quantify"


def command(
    cohort: CohortFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FEATURES.csv", help="The table; beside it its .json.")],
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="Folder with CASE/mask.nii.gz, as predict and study write; default: the manifest's mask column.",
        ),
    ] = None,
    config: ConfigFile = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """SUV statistics, MTV, TLG and IBSI radiomics of masks; resumable."""
    from pointpet.cli.failures import exit_partial
    from pointpet.pipeline.config import load_configuration
    from pointpet.pipeline.quantify import quantify_cohort

    team = workforce(workers, scheduler)
    console = Console(quiet=quiet, verbose=verbose)
    settings = load_configuration(config).radiomics
    with console.progress("quantify") as report:
        outcome = quantify_cohort(cohort, out, settings, masks=masks, overwrite=overwrite, workers=team, report=report)
    if outcome.rows and not quiet:
        shown = ["case_id", "lesion_count", "suv_max", "suv_mean", "suv_peak", "mtv_ml", "tlg_g", "dmax_mm"]
        console.table(shown, outcome.rows)
    console.result(f"{out}: {len(outcome.rows)} cases")
    failures = [{"case_id": name, "code": error.code, "message": str(error)} for name, error in outcome.failures]
    exit_partial(failures, succeeded=bool(outcome.rows))
