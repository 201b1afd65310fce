"""Options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print details.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what the output folder holds.")]
Seed = Annotated[int, typer.Option("--seed", help="Enters every random choice.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes that work side by side.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Instead of --workers: a Dask scheduler, tcp://HOST:8786 or its scheduler file; see docs/cluster.md.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", exists=True, dir_okay=False, help="YAML file; see `pointpet config`."),
]
CohortFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, metavar="COHORT.csv", help="The cohort's manifest.")
]
Units = Annotated[
    str | None, typer.Option("--units", help="suv or bqml: what a bare NIfTI holds. Default: its sidecar, else suv.")
]
Formats = Annotated[
    str, typer.Option("--formats", metavar="A,B", help="nifti, dicom-seg, rtstruct; the last two for DICOM input.")
]


def workforce(workers: int, scheduler: str | None) -> int | str:
    """Who works, from `--workers` and `--scheduler`.

    Raises:
        BadParameter: both are given.
    """
    if scheduler is None:
        return workers
    if workers != 1:
        raise typer.BadParameter("give either --workers or --scheduler", param_hint="--scheduler")
    return scheduler


def listed(text: str) -> tuple[str, ...]:
    """The items of a comma-separated option."""
    return tuple(item.strip() for item in text.split(",") if item.strip())
