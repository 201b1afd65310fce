"""`pointpet check`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import CohortFile, Quiet, Verbose, Workers

NAME = "check"


def command(
    cohort: CohortFile,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse every reinterpretation of a header.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    workers: Workers = 1,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read everything a cohort names and report every fault at once."""
    from pointpet.pipeline.check import check_cohort

    console = Console(quiet=quiet or as_json, verbose=verbose)
    with console.progress("check") as report:
        found = check_cohort(cohort, strict=strict, workers=workers, report=report)
    if as_json:
        console.result(json.dumps(found.as_dict(), indent=2))
    else:
        if found.rows and not quiet:
            console.table(list(found.rows[0]), found.rows)
        for warning in found.warnings:
            console.warn(f"[{warning['code']}] {warning['message']}")
        for fault in found.faults:
            console.result(f"fault [{fault['code']}] {fault['message']}")
        classes = ", ".join(f"{name} {count}" for name, count in found.by_label.items()) or "none"
        console.result(
            f"{len(found.rows)} cases read, {len(found.faults)} faults, {len(found.warnings)} warnings; "
            f"classes: {classes}"
        )
    if found.faults:
        raise typer.Exit(1)
