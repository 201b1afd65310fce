"""`pointpet segment`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Formats, Overwrite, Quiet, Units, Verbose, listed

NAME = "segment"


def _parse_point(text: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"must be three numbers X,Y,Z in mm, got {text!r}") from None
    return x, y, z


def command(
    scan: Annotated[Path, typer.Argument(metavar="INPUT", help="DICOM folder or NIfTI file.")],
    point: Annotated[str, typer.Option("--point", metavar="X,Y,Z", help="The click: world coordinates in mm, RAS+.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Output folder.")],
    rule: Annotated[str | None, typer.Option("--rule", help="Outline rule; default: the configuration's.")] = None,
    units: Units = None,
    formats: Formats = "nifti",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """One-click 3D segmentation, no model."""
    from pointpet.pipeline.segment import segment_scan

    console = Console(quiet=quiet, verbose=verbose)
    result = segment_scan(
        scan, _parse_point(point), out, rule=rule, units=units, formats=listed(formats), overwrite=overwrite
    )
    for warning in result["warnings"]:
        console.warn(warning)
    if result["lesions"]:
        console.table(["number", "suv_max", "suv_mean", "suv_peak", "mtv_ml", "tlg_g"], result["lesions"])
    if result["flags"]:
        console.warn(f"flags: {', '.join(result['flags'])}")
    console.result(f"mask: {out / 'mask.nii.gz'}")
