"""A trained model on new scans."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from pointpet._version import __version__
from pointpet.core import (
    Case,
    Flag,
    Lesion,
    MipPair,
    PointpetError,
    Prediction,
    Volume,
    text_digest,
)
from pointpet.image.candidates import find_candidates
from pointpet.io.artefacts import lock_folder, read_earlier, read_json, write_csv, write_json
from pointpet.io.dicom_masks import MaskOrigin
from pointpet.io.pet import PetReading
from pointpet.io.review import ONLY_METHOD, verdicts_given, withdraw_verdict
from pointpet.io.stamps import image_sources, read_as
from pointpet.methods.base import CaseInput, FittedMethod
from pointpet.pipeline.confidence import Calibration, case_confidence, lesions_with_confidence, load_calibration
from pointpet.pipeline.config import PrepareSettings
from pointpet.pipeline.inputs import GivenInput, expand_inputs, read_case
from pointpet.pipeline.made_from import RECORD, is_same, made_from
from pointpet.pipeline.mapping import Report, Workers, map_tasks, silent
from pointpet.pipeline.mask_formats import check_formats, write_dicom_masks
from pointpet.pipeline.model_loading import is_phantom_trained, load_model
from pointpet.pipeline.outputs import claim_folder
from pointpet.pipeline.predict_pictures import (
    input_cells,
    picture_summary_row,
    predict_pictures,
    require_picture_formats,
)
from pointpet.pipeline.prediction_files import predicted_pictures_of, write_prediction
from pointpet.pipeline.prepare import project_case
from pointpet.pipeline.program import program
from pointpet.pipeline.shipped import find_model
from pointpet.quantify.suv_statistics import describe_lesions

LOG = logging.getLogger(__name__)

NOTICE = "Research use only. Not a medical device."


@dataclass(frozen=True)
class PredictOutcome:
    """Summary rows by case, what failed (case id, error), whether the model has seen digital phantoms only, how many
    answers of an earlier run of the same command were kept, and how many made again since their input changed; and the
    cases whose verdict in review.csv was withdrawn, since it was of an earlier answer."""

    rows: tuple[dict[str, Any], ...]
    failures: tuple[tuple[str, PointpetError], ...]
    phantom_trained: bool = False
    kept: int = 0
    renewed: int = 0
    withdrawn: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class VolumePrediction:
    """A prediction, the MIPs it was made from, and its lesions, the main one first."""

    prediction: Prediction
    mips: MipPair
    lesions: tuple[Lesion, ...]


def predict_inputs(
    model: str | Path,
    inputs: Sequence[Path],
    out: Path,
    *,
    units: str | None = None,
    formats: Sequence[str] = ("nifti",),
    runtime: str = "torch",
    overwrite: bool = False,
    workers: Workers = 1,
    report: Report = silent,
) -> PredictOutcome:
    """Predict every input and write OUT/summary.csv and OUT/CASE/.

    An earlier run's answer is kept where its image, and what the manifest says of how to read it, are as they were.
    `model` is a folder, or the name of a model that comes with the package.
    `runtime` is what runs the network, one of `model_loading.RUNTIMES`; what they answer differs by rounding alone.

    Raises:
        ConfigError: an unknown runtime or format.
        ModelError: no usable model in `model`.
        Faults, ImageReadError: wrong inputs.
        OutputError: `out` holds something else.
    """
    model = find_model(model)
    record = load_model(model, runtime)[1]
    given = expand_inputs(inputs, units)
    cases = [case for case, _ in given]
    with lock_folder(out):
        scans = [str(path.resolve()) for path in inputs]
        asked = {"model": _answering(model, record), "units": units, "inputs": scans}
        asked |= {"formats": list(check_formats(formats)), "runtime": runtime}
        claim_folder(out, "prediction", asked, overwrite=overwrite, made_by=program())
        judged = verdicts_given(out)
        task = partial(_predict_case, model=model, out=out, formats=tuple(formats), runtime=runtime)
        rows, failures, fates = {}, [], Counter[_Fate]()
        described = map_tasks(task, given, workers=workers, report=report, describe=lambda one: one[0].case_id)
        for (case, _), answered, error in described:
            if error is None:
                rows[case.case_id], fate = answered
                fates[fate] += 1
            else:
                failures.append((case.case_id, error))
        ordered = [rows[case.case_id] for case in cases if case.case_id in rows]
        write_csv(out / "summary.csv", ordered)
        _tell_left_over(out, {case.case_id for case in cases})
        withdrawn = tuple(sorted(case_id for _, case_id in judged - verdicts_given(out)))
    kept, renewed = fates[_Fate.KEPT], fates[_Fate.RENEWED]
    return PredictOutcome(tuple(ordered), tuple(failures), is_phantom_trained(record), kept, renewed, withdrawn)


def _answering(model: Path, record: Mapping[str, Any]) -> str:
    """Digest of all that a model's answers rest on: weights, settings and calibration."""
    calibration = load_calibration(model)
    settings = {name: value for name, value in record.items() if name != "onnx_sha256"}
    return text_digest([settings, None if calibration is None else asdict(calibration)])


def _tell_left_over(out: Path, asked: set[str]) -> None:
    """Warn of answers that `view` shows and the summary does not hold: a manifest may lose a row between two runs."""
    names = sorted(path.parent.name for path in out.glob("[!.]*/result.json") if path.parent.name not in asked)
    if names:
        LOG.warning("%s: no longer among the inputs, their folders stay; --overwrite begins anew", ", ".join(names))


class _Fate(Enum):
    """What became of an earlier run's answer."""

    KEPT = "kept"
    RENEWED = "renewed"
    NEW = "new"


def _predict_case(
    given: tuple[Case, GivenInput], *, model: Path, out: Path, formats: tuple[str, ...], runtime: str
) -> tuple[dict[str, Any], _Fate]:
    """Answer for a case, unless an answer to the same input is there: its row of the summary."""
    case, source = given
    folder, partial_folder = out / case.case_id, out / f".{case.case_id}.partial"
    known = read_earlier(folder / RECORD)
    now = made_from(image_sources(case), read_as(case), known)
    answered = (folder / "result.json").is_file()
    if answered and is_same(known, now):
        if now != known:
            write_json(folder / RECORD, now)
        return summary_row(read_json(folder / "result.json")), _Fate.KEPT
    if answered:
        withdraw_verdict(out, read_json(folder / "result.json").get("method") or ONLY_METHOD, case.case_id)
    for stale in (folder, partial_folder):  # an answer to another input must not stay where this one fails
        shutil.rmtree(stale, ignore_errors=True)
    write = _write_scan if case.pet is not None else _write_pictures
    result = write(case, source, partial_folder, model=model, formats=formats, runtime=runtime)
    write_json(partial_folder / "result.json", result)
    write_json(partial_folder / RECORD, now)
    partial_folder.replace(folder)
    LOG.info("%s: %s", case.case_id, result["predicted"])
    return summary_row(result), _Fate.RENEWED if answered else _Fate.NEW


def _write_scan(
    case: Case, source: GivenInput, folder: Path, *, model: Path, formats: tuple[str, ...], runtime: str
) -> dict[str, Any]:
    """Predict a scan and write all but what result.json is to hold, which is returned."""
    fitted, record = load_model(model, runtime)
    reading = read_case(case)
    calibration = load_calibration(model)
    found, prediction, mips = predict_reading(fitted, record, reading, case.case_id, calibration=calibration)
    result = {"case_id": case.case_id, "input": asdict(source)} | found
    write_prediction(folder, prediction, mips, predicted_pictures_of(prediction, mips), stored=reading.volume.stored)
    assert prediction.mask is not None
    origin = MaskOrigin(label=prediction.predicted or "tumour", algorithm=record["method"], version=__version__)
    result["warnings"] += write_dicom_masks(folder, prediction.mask, reading, formats, origin)
    write_csv(folder / "lesions.csv", lesion_rows(result["lesions"]), columns=LESION_COLUMNS)
    return result


def _write_pictures(
    case: Case, source: GivenInput, folder: Path, *, model: Path, formats: tuple[str, ...], runtime: str
) -> dict[str, Any]:
    """The same for a case of ready-made MIP images."""
    require_picture_formats(case, formats)
    found, prediction, mips = predict_pictures(*load_model(model, runtime), case, calibration=load_calibration(model))
    write_prediction(folder, prediction, mips, prediction.picture_masks, stored=None)
    return {"notice": NOTICE, "case_id": case.case_id, "input": asdict(source)} | found


def predict_reading(
    fitted: FittedMethod,
    record: Mapping[str, Any],
    reading: PetReading,
    case_id: str,
    *,
    calibration: Calibration | None = None,
) -> tuple[dict[str, Any], Prediction, MipPair]:
    """Predict one scan in memory.

    Args:
        record: model.json's. calibration: the model's, which gives the answer its confidence.

    Returns:
        What result.json holds, the prediction itself, and the MIPs it was made from.
    """
    found = predict_volume(fitted, record, reading.volume, case_id)
    prediction = found.prediction
    result = {
        "case_id": case_id,
        "notice": NOTICE,
        "pointpet_version": __version__,
        "method": record["method"],
        "model_sha256": record["weights_sha256"],
        "predicted": prediction.predicted,
        "probabilities": dict(prediction.probabilities),
        **case_confidence(calibration, prediction),
        "flags": [flag.value for flag in prediction.flags],
        "lesions": lesions_with_confidence(calibration, found.lesions, prediction),
        "warnings": list(reading.warnings),
        "suv_notes": [asdict(note) for note in reading.notes],
    }
    return result, prediction, found.mips


def predict_volume(
    fitted: FittedMethod, record: Mapping[str, Any], volume: Volume, case_id: str = "scan"
) -> VolumePrediction:
    """Predict one volume.

    Args:
        record: model.json's; `preprocessing` says how the model's MIPs were made, `cohort` what it was trained on.
        volume: SUV (X, Y, Z).
    """
    mips = project_case(volume, PrepareSettings(**record["preprocessing"]))
    prediction = fitted.predict(_scan_input(case_id, mips, volume))
    mask = prediction.mask
    assert mask is not None
    if is_phantom_trained(record):
        prediction = replace(prediction, flags=(*prediction.flags, Flag.PHANTOM_MODEL))
    lesions = describe_lesions(volume, mask, seeds_mm=prediction.seeds_mm)
    return VolumePrediction(prediction, mips, lesions)


def _scan_input(case_id: str, mips: MipPair, volume: Volume) -> CaseInput:
    return CaseInput(
        case_id,
        case_id,
        mips=mips,
        load_volume=lambda: volume,
        load_candidates=lambda: find_candidates(volume),
    )


def summary_row(result: Mapping[str, Any]) -> dict[str, Any]:
    """One row of summary.csv: the main lesion's figures and the case's totals."""
    if "views" in result:
        return picture_summary_row(result)
    lesions = result["lesions"]
    main = lesions[0] if lesions else {}
    return {
        "case_id": result["case_id"],
        **input_cells(result),
        "predicted": result["predicted"],
        **{f"probability_{name}": value for name, value in result["probabilities"].items()},
        "confidence": result.get("confidence"),
        "lesions": len(lesions),
        "suv_max": main.get("suv_max"),
        "suv_mean": main.get("suv_mean"),
        "suv_peak": main.get("suv_peak"),
        "mtv_ml": sum(lesion["mtv_ml"] for lesion in lesions),
        "tlg_g": sum(lesion["tlg_g"] for lesion in lesions),
        **dict(zip(("x_mm", "y_mm", "z_mm"), main.get("centroid_mm", (None,) * 3), strict=True)),
        "flags": " ".join(result["flags"]),
        "warnings": len(result["warnings"]),
    }


def lesion_rows(lesions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of lesions.csv: coordinates a column each."""
    rows = []
    for lesion in lesions:
        row: dict[str, Any] = {}
        for name, value in lesion.items():
            if name.endswith("_mm") and isinstance(value, list | tuple):
                stem = name.removesuffix("_mm")
                row |= {f"{stem}_{axis}_mm": part for axis, part in zip("xyz", value, strict=True)}
            else:
                row[name] = value
        rows.append(row)
    return rows


LESION_COLUMNS = (*lesion_rows([asdict(Lesion(1, (0, 0, 0), (0, 0, 0), 0, 0, 0, 0, 0))])[0], "confidence")
"""Columns of lesions.csv, there also when a scan has no lesion."""
