"""`pointpet check`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import CohortFile, Quiet, Verbose, Workers

NAME = "check"

CASE_COLUMNS = (
    "case_id", "label", "points", "shape", "spacing_mm", "suv_max", "body_median_suv", "liver_suv", "mask_ml",
    "uptake_min", "dose_mbq", "dose_mbq_per_kg", "weight_kg", "glucose_mmol_l", "notes",
)  # fmt: skip
"""Of a row, what fits into a terminal; `--json` gives all."""


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
            console.table(CASE_COLUMNS, found.rows)
            _print_acquisition(console, found.acquisition)
        for warning in found.warnings:
            console.warn(f"[{warning['code']}] {warning['message']}", always=True)
        for fault in found.faults:
            console.result(f"fault [{fault['code']}] {fault['message']}")
        classes = ", ".join(f"{name} {count}" for name, count in found.by_label.items()) or "none"
        console.result(
            f"{len(found.rows)} cases read, {len(found.faults)} faults, {len(found.warnings)} warnings; "
            f"classes: {classes}"
        )
    if found.faults:
        raise typer.Exit(1)


def _print_acquisition(console: Console, summary: Mapping[str, Any]) -> None:
    """The cohort's scans summed up: spread of each measure, then sites, scanners and voxel sizes."""
    if not summary["scans"]:
        return
    rows = [{"measure": name, **spread} for name, spread in summary["measures"].items()]
    console.table(("measure", "known", "median", "lo", "hi"), rows, title=f"\nAcquisition of {summary['scans']} scans")
    for kind in ("sites", "scanners", "voxels"):
        console.say(f"{kind}: " + ", ".join(f"{name} ({count})" for name, count in summary[kind].items()))
