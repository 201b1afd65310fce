"""`pointpet phantom`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Overwrite, Quiet, Seed, Verbose

NAME = "phantom"


def command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder.")],
    patients: Annotated[int, typer.Option("--patients", min=1, help="Number of patients.")] = 60,
    seed: Seed = 0,
    file_format: Annotated[str, typer.Option("--format", help="nifti or dicom.")] = "nifti",
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            help="default; hard: fainter tumours among other hot spots; disease: many lesions, and controls.",
        ),
    ] = "default",
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; default: one a core.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a digital FDG-PET cohort with known truth."""
    from pointpet.pipeline.phantom import PhantomRequest, write_phantom

    console = Console(quiet=quiet, verbose=verbose)
    request = PhantomRequest(patients=patients, seed=seed, preset=preset, file_format=file_format)
    with console.progress("phantom") as report:
        record = write_phantom(request, out, overwrite=overwrite, workers=workers, report=report)
    from pointpet.report.wording import endpoint_title

    for endpoint, auc in record["best_auc"].items():
        console.say(f"best attainable AUC of {endpoint_title(endpoint)}: {auc:.3f}")
    console.result(f"{out / 'cohort.csv'}: {patients} patients")
