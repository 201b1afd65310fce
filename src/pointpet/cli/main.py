"""The command line: one file a command, heavy imports inside, exit status as documented."""

from __future__ import annotations

import os
import sys

import typer

from pointpet._version import __version__
from pointpet.cli import (
    annotate,
    bench,
    bundle,
    check,
    config,
    demo,
    doctor,
    export,
    import_dicom,
    methods,
    phantom,
    predict,
    prepare,
    quantify,
    report,
    segment,
    study,
    train,
    view,
)
from pointpet.cli.failures import EXIT_FAILURE

app = typer.Typer(
    name="pointpet",
    help="From a class label and one click per patient to 3D tumour masks in FDG-PET. Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        print(f"pointpet {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """From a class label and one click per patient to 3D tumour masks in FDG-PET. Research use only."""


for module in (
    demo,
    phantom,
    import_dicom,
    check,
    annotate,
    prepare,
    train,
    export,
    predict,
    bundle,
    segment,
    quantify,
    study,
    report,
    view,
    bench,
    config,
    methods,
    doctor,
):
    app.command(module.NAME)(module.command)


def run() -> None:
    """Entry point: no traceback reaches a user unless POINTPET_TRACEBACK is set."""
    from pointpet.core import PointpetError

    try:
        app()
    except PointpetError as error:
        print(f"error [{error.code}]: {error}", file=sys.stderr)
        if os.environ.get("POINTPET_TRACEBACK"):
            raise
        sys.exit(EXIT_FAILURE)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILURE)
    except Exception as error:
        if os.environ.get("POINTPET_TRACEBACK"):
            raise
        print(
            f"error [PP-INTERNAL]: {type(error).__name__}, which pointpet did not foresee. "
            "Set POINTPET_TRACEBACK=1, run again and report what it prints.",
            file=sys.stderr,
        )
        sys.exit(EXIT_FAILURE)
