"""`pointpet bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Overwrite, Quiet, Verbose

NAME = "bundle"


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder, or `demo`.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder of the bundle.")],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a trained model as a MONAI bundle. It is for `python -m monai.bundle run`."""
    from pointpet.pipeline.monai_bundle import write_bundle

    console = Console(quiet=quiet, verbose=verbose)
    write_bundle(model, out, overwrite=overwrite)
    console.result(f"bundle: {out}")
