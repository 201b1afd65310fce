"""`pointpet export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Overwrite, Quiet, Verbose

NAME = "export"


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder.")],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write MODEL/model.onnx, for `predict --runtime onnx`. It gives class scores and activation maps without torch."""
    console = Console(quiet=quiet, verbose=verbose)
    from pointpet.pipeline.export import export_model

    console.result(f"ONNX: {export_model(model, overwrite=overwrite)}")
