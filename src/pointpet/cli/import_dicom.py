"""`pointpet import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Quiet, Verbose

NAME = "import"


def command(
    root: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            metavar="DICOM_DIR",
            help="Folder of DICOM files, in any nesting, of any number of patients.",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Output folder.")],
    strict: Annotated[bool, typer.Option("--strict", help="Refuse every reinterpretation of a header.")] = False,
    pseudonyms: Annotated[
        Path | None,
        typer.Option("--pseudonyms", dir_okay=False, metavar="KEY.csv", help="Patient to pseudonym; outside OUT."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find PET series in a folder tree. Writes SUV images and a cohort.csv to fill in."""
    from pointpet.cli.failures import exit_partial
    from pointpet.io.dicom_import import import_tree

    console = Console(quiet=quiet, verbose=verbose)
    with console.progress("import") as report:
        result = import_tree(root, out, strict=strict, pseudonyms=pseudonyms, report=report)
    for case in result.cases:
        if case.is_new:  # of the others it was told before, and `check` tells it again
            for text in (*case.notes, *case.warnings):
                console.warn(f"case {case.case_id}: {text}", always=True)
    for one in result.left_out:
        if not one.failed:
            console.say(f"left out: {one.what}: {one.reason}")
    console.result(f"{result.cohort}: {len(result.cases)} cases imported, {len(result.left_out)} left out")
    failures = [{"case_id": one.what, "code": one.code, "message": one.reason} for one in result.failed]
    exit_partial(failures, succeeded=bool(result.cases))
