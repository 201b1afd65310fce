"""`pointpet predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Formats, Overwrite, Quiet, Scheduler, Units, Verbose, Workers, listed, workforce

NAME = "predict"


def command(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Model folder, or `demo`: a model trained on phantoms, to try the tool."),
    ],
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="DICOM folders, NIfTI files or a cohort.csv.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Output folder.")],
    units: Units = None,
    formats: Formats = "nifti",
    runtime: Annotated[
        str, typer.Option("--runtime", help="torch; onnx: MODEL/model.onnx, see `pointpet export`, without torch.")
    ] = "torch",
    workers: Workers = 1,
    scheduler: Scheduler = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Class, 3D mask, lesions and quality flags for new scans."""
    from pointpet.cli.failures import exit_partial
    from pointpet.pipeline.predict import predict_inputs

    team = workforce(workers, scheduler)
    console = Console(quiet=quiet, verbose=verbose)
    with console.progress("predict") as report:
        outcome = predict_inputs(
            model,
            inputs,
            out,
            units=units,
            formats=listed(formats),
            runtime=runtime,
            overwrite=overwrite,
            workers=team,
            report=report,
        )
    if outcome.phantom_trained:
        console.warn("this model was trained on digital phantoms: to try the tool, not for patients")
    if outcome.rows:
        shown = ["case_id", "predicted", "lesions", "suv_max", "mtv_ml", "tlg_g", "x_mm", "y_mm", "z_mm", "flags"]
        console.table(shown, outcome.rows)
    console.result(f"{out / 'summary.csv'}: {len(outcome.rows)} cases")
    if outcome.kept:
        console.say(f"{outcome.kept} of {len(outcome.rows)} kept from an earlier run; --overwrite predicts them again")
    if outcome.renewed:
        changed = "the scan, or what the manifest says of how to read it, is another than before"
        console.say(f"{outcome.renewed} of {len(outcome.rows)} made again: {changed}")
    if outcome.withdrawn:
        console.say(f"{', '.join(outcome.withdrawn)}: the verdict in review.csv was of an earlier answer, withdrawn")
    failures = [{"case_id": name, "code": error.code, "message": str(error)} for name, error in outcome.failures]
    exit_partial(failures, succeeded=bool(outcome.rows))
