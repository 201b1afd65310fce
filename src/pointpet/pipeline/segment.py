"""One-click segmentation of a scan, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pointpet._version import __version__
from pointpet.core import Case, ConfigError, GeometryError
from pointpet.io.artefacts import lock_folder, write_json
from pointpet.io.dicom_masks import MaskOrigin
from pointpet.io.nifti import write_mask
from pointpet.localise.outline import RULES
from pointpet.localise.point import segment_point
from pointpet.localise.settings import LocaliseSettings
from pointpet.pipeline.inputs import read_case
from pointpet.pipeline.mask_formats import check_formats, write_dicom_masks
from pointpet.pipeline.outputs import claim_folder
from pointpet.pipeline.predict import NOTICE
from pointpet.quantify.suv_statistics import describe_lesions


def segment_scan(
    scan: Path,
    point_mm: tuple[float, float, float],
    out: Path,
    *,
    rule: str | None = None,
    units: str | None = None,
    formats: Sequence[str] = ("nifti",),
    overwrite: bool = False,
) -> dict[str, Any]:
    """Segment the lesion at `point_mm` (world RAS+ mm) and write OUT/mask.nii.gz and OUT/result.json.

    Returns:
        What result.json holds.

    Raises:
        ConfigError: unknown rule.
        GeometryError: the point lies outside the scan.
        ImageReadError, SuvError: the scan cannot be read as SUV.
    """
    settings = LocaliseSettings()
    chosen = rule or settings.point_rule
    if chosen not in RULES:
        raise ConfigError("PP-RULE-UNKNOWN", f"--rule {chosen}", "is not known", f"Use one of: {', '.join(RULES)}")
    check_formats(formats)
    reading = read_case(Case("scan", pet=scan, pet_units=units))
    point = np.array(point_mm, np.float64)
    if not reading.volume.grid.contains(point)[0]:
        low, high = reading.volume.grid.world(np.array([[0, 0, 0], np.array(reading.volume.grid.shape) - 1]))
        raise GeometryError(
            "PP-POINT-OUTSIDE",
            "--point",
            f"must lie inside the scan ({low.round(1).tolist()} to {high.round(1).tolist()} mm), got {list(point_mm)}",
            "Give world coordinates in mm, RAS+",
        )
    with lock_folder(out):
        request = {"version": __version__, "point": list(point_mm), "rule": chosen, "units": units}
        request["formats"] = list(formats)
        claim_folder(out, "segmentation", request, overwrite=overwrite)
        found = segment_point(reading.volume, point, rule=chosen, settings=settings)
        lesions = describe_lesions(reading.volume, found.mask, seeds_mm=found.seed_mm[None])
        result = {
            "notice": NOTICE,
            "pointpet_version": __version__,
            "rule": chosen,
            "point_mm": list(point_mm),
            "seed_mm": found.seed_mm.tolist(),
            "flags": [flag.value for flag in found.flags],
            "lesions": [asdict(lesion) for lesion in lesions],
            "warnings": list(reading.warnings),
            "suv_notes": [asdict(note) for note in reading.notes],
        }
        origin = MaskOrigin(algorithm=f"segment {chosen}", version=__version__)
        result["warnings"] += write_dicom_masks(out, found.mask, reading, formats, origin)
        write_mask(out / "mask.nii.gz", found.mask, reading.volume.stored)
        write_json(out / "result.json", result)
    return result
