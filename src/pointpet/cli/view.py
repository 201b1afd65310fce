"""`pointpet view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Quiet, Verbose
from pointpet.cli.page import NoBrowser, Port, announce, require_web

NAME = "view"


def command(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="What a study or predict wrote; of `demo -o DIR` it is DIR/study.",
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", exists=True, metavar="COHORT.csv|FOLDER", help="The PET images, for slices, rotation and 3D."
        ),
    ] = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Local web page: look at results, accept, reject or correct them."""
    from pointpet.pipeline.result_places import require_results

    console = Console(quiet=quiet, verbose=verbose)
    require_results(folder)
    address = announce(console, port)
    require_web()
    from pointpet.pipeline.results import ResultFolder
    from pointpet.web.application import serve
    from pointpet.web.view import view_application

    serve(view_application(ResultFolder(folder, images)), address, browser=not no_browser)
