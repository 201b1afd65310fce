"""Writes a phantom cohort: images, masks, cohort.csv and what is known of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pointpet import phantom
from pointpet._version import __version__
from pointpet.core import ConfigError, Faults
from pointpet.io.artefacts import lock_folder, read_json, write_json
from pointpet.io.cohort_csv import PHANTOM_RECORD, write_cohort
from pointpet.io.nifti import write_mask, write_volume
from pointpet.io.pet import sidecar_path
from pointpet.pipeline.mapping import Report, default_workers, map_tasks, silent
from pointpet.pipeline.outputs import claim_folder


@dataclass(frozen=True)
class PhantomRequest:
    """What to make; equal requests give equal bytes."""

    patients: int
    seed: int
    preset: str
    file_format: str

    def __post_init__(self) -> None:
        if self.patients < 1:
            raise ConfigError("PP-PHANTOM-SIZE", "--patients", f"must be 1 or more, got {self.patients}", "Correct it")
        if self.preset not in phantom.PRESETS:
            raise ConfigError(
                "PP-PHANTOM-PRESET",
                "--preset",
                f"must be one of {', '.join(phantom.PRESETS)}, got {self.preset!r}",
                "Choose one of them",
            )
        if self.file_format not in ("nifti", "dicom"):
            raise ConfigError(
                "PP-PHANTOM-FORMAT",
                "--format",
                f"must be nifti or dicom, got {self.file_format!r}",
                "Choose one of the two",
            )


def write_phantom(
    request: PhantomRequest, out: Path, *, overwrite: bool = False, workers: int | None = None, report: Report = silent
) -> dict[str, Any]:
    """Write the cohort; an interrupted run goes on where it stopped.

    Returns:
        The record that `phantom.json` holds: preset, seed, best attainable AUC by endpoint.

    Raises:
        OutputError: `out` holds something else, or another process writes there.
    """
    asked = {**vars(request), "pointpet_version": __version__}
    with lock_folder(out):
        claim_folder(out, "phantom", asked, overwrite=overwrite)
        indices = list(range(request.patients))
        workers = workers or default_workers(len(indices))
        rows, errors = {}, []
        task = partial(_write_case, request=request, out=out)
        for index, row, error in map_tasks(task, indices, workers=workers, report=report, describe=_case_name):
            if error is not None:
                errors.append(error)
            else:
                rows[index] = row
        if errors:
            raise Faults("phantom", errors)
        ordered = [rows[index] for index in indices]
        truth = [row.pop("truth") for row in ordered]
        write_cohort(out / "cohort.csv", ordered)
        record = {**asked, "best_auc": _best_auc(truth), "cases": {row["case_id"]: row for row in truth}}
        write_json(out / PHANTOM_RECORD, record)
    return record


def _case_name(index: int) -> str:
    return f"P{index + 1:04d}"


def _write_case(index: int, *, request: PhantomRequest, out: Path) -> dict[str, Any]:
    done = out / "truth" / f"{_case_name(index)}.json"
    if done.is_file():
        return read_json(done)
    case = phantom.generate_case(index, patients=request.patients, seed=request.seed, preset=request.preset)
    image = _write_image(case, request, out)
    mask, nodes = f"masks/{case.case_id}.nii.gz", f"masks/{case.case_id}_nodes.nii.gz"
    write_mask(out / mask, case.mask, case.volume.stored)
    write_mask(out / nodes, case.nodes, case.volume.stored)
    row = {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "site": case.site,
        "pet": image,
        "pet_units": "suv" if request.file_format == "nifti" else None,
        "label": case.label,
        "mask": mask if case.mask.voxels.any() else None,
        **{f"outcome_{name}": value for name, value in case.outcomes.items()},
        "time_days": None if case.time_days is None else round(case.time_days, 1),
        "event": case.event,
        "truth": {"case_id": case.case_id, "label": case.label, "outcomes": case.outcomes, "traits": case.traits},
    }
    if len(case.points_mm):
        row |= dict(zip(("x_mm", "y_mm", "z_mm"), (round(float(v), 2) for v in case.points_mm[0]), strict=True))
    write_json(done, row)
    return row


def _write_image(case: phantom.PhantomCase, request: PhantomRequest, out: Path) -> str:
    if request.file_format == "nifti":
        image = f"images/{case.case_id}.nii.gz"
        write_volume(out / image, case.volume)
        write_json(sidecar_path(out / image), {"unit": "suv", "acquisition": asdict(case.acquisition)})
        return image
    from pointpet.io.dicom_write import write_pet_series

    image = f"images/{case.case_id}"
    write_pet_series(case.volume, case.acquisition, out / image, patient_id=case.patient_id)
    return image


def _best_auc(truth: list[dict[str, Any]]) -> dict[str, float]:
    """Best attainable AUC by endpoint, from the true probabilities that the phantom drew its outcomes from."""
    best = {}
    for name in sorted({name for row in truth for name in row["outcomes"]}):
        stated = [row["traits"].get(f"probability_{name}") for row in truth]
        probabilities = [float(value) for value in stated if value is not None]
        if len(probabilities) > 1:
            best[name] = round(phantom.best_auc(probabilities), 4)
    return best
