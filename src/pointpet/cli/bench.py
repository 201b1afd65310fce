"""`pointpet bench`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Quiet, Verbose

NAME = "bench"


def command(
    quick: Annotated[bool, typer.Option("--quick", help="Smaller scan, fewer runs: two minutes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Rows as JSON on standard output, nothing else.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure the project beside its peers. They are MONAI, SimpleITK, pydicom, a 3D U-Net, a plain training loop."""
    from pointpet.bench.material import FULL, QUICK
    from pointpet.bench.rows import TABLE_COLUMNS, run_bench, table_rows
    from pointpet.pipeline.machine import describe_machine

    console = Console(quiet=quiet or as_json, verbose=verbose)
    size = QUICK if quick else FULL
    with console.progress("bench") as report:
        rows = run_bench(size, report=report)
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    voxels = " x ".join(map(str, size.voxels))
    console.say(f"{', '.join(f'{name} {value}' for name, value in describe_machine().items())}; {voxels} voxels")
    console.table(TABLE_COLUMNS, table_rows(rows))
    missed = [row["name"] for row in rows if not row["met"]]
    console.result(f"goals missed: {', '.join(missed)}" if missed else "all goals met")
