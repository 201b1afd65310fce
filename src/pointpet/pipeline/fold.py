"""One fold of a study: train each method on the training part, ask it about the test part, measure, write."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pointpet.core import Fold, PointpetError, derive_seed
from pointpet.evaluate.case_measures import measure_case
from pointpet.io.artefacts import write_json
from pointpet.io.mip_pictures import read_picture_masks
from pointpet.methods.base import FitContext, FittedMethod, Method
from pointpet.pipeline.case_inputs import VolumeReader, case_input
from pointpet.pipeline.confidence import FILE as CONFIDENCE
from pointpet.pipeline.confidence import (
    Calibration,
    calibrate,
    case_confidence,
    lesions_with_confidence,
    load_calibration,
)
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.lesion_free import trained_lesion_free
from pointpet.pipeline.mapping import attempt
from pointpet.pipeline.prediction_files import predicted_pictures_of, write_prediction
from pointpet.pipeline.prepare import PreparedCase, PreparedCohort
from pointpet.pipeline.training_facts import training_facts
from pointpet.project import project_mask
from pointpet.quantify.suv_statistics import describe_lesions

LOG = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, eq=False)
class FoldTask:
    """What one process needs to run one fold.

    Args:
        lesion_free: classes of the study whose test cases are measured as having no lesion. What training takes for
            such follows from the training cases alone.
    """

    study: Path
    fold: Fold
    prepared: PreparedCohort
    methods: tuple[str, ...]
    classes: tuple[str, ...]
    lesion_free: tuple[str, ...]
    configuration: Configuration
    seed: int

    @cached_property
    def by_id(self) -> Mapping[str, PreparedCase]:
        """Prepared cases by id."""
        return {prepared.case.case_id: prepared for prepared in self.prepared.cases}


@dataclass(frozen=True, eq=False)
class ReadyMethod:
    """A method, trained on a fold; `calibration` is None where it gives no confidence."""

    method: Method
    fitted: FittedMethod
    calibration: Calibration | None


def run_fold(task: FoldTask) -> list[dict[str, Any]]:
    """Run all methods of one fold; what is already on disk is kept.

    Returns:
        Failures: case_id, stage, method, code, message.
    """
    reader = VolumeReader()
    failures: list[dict[str, Any]] = []
    ready: dict[str, ReadyMethod] = {}
    for name in task.methods:
        found, error = attempt(_make_ready, task, task.configuration.method(name), reader)
        if error is not None:
            failures.append(failure("", "train", name, error, fold=task.fold.number))
        else:
            ready[name] = found
    for case_id in task.fold.test:
        for name, method in ready.items():
            target = case_folder(task.study, name, case_id)
            if (target / "result.json").is_file():
                continue
            _, error = attempt(_test_case, task, method, task.by_id[case_id], reader)
            if error is not None:
                failures.append(failure(case_id, "predict", name, error, fold=task.fold.number))
    return failures


def case_folder(study: Path, method: str, case_id: str) -> Path:
    """Where a method's answer for a case lies."""
    return study / "predictions" / method / case_id


def model_folder(study: Path, method: str, fold: int) -> Path:
    """Where a method's model of a fold lies."""
    return study / "models" / method / f"fold_{fold}"


def checkpoint_folder(study: Path, method: str, fold: int) -> Path:
    """Where an interrupted training of a fold left its state."""
    return study / "models" / method / f"fold_{fold}.checkpoint"


def failure(case_id: str, stage: str, method: str, error: PointpetError, *, fold: int) -> dict[str, Any]:
    """An entry of a study's list of failures; `case_id` blank where training failed."""
    return {
        "case_id": case_id,
        "stage": stage,
        "method": method,
        "fold": fold,
        "code": error.code,
        "message": str(error),
    }


def _make_ready(task: FoldTask, method: Method, reader: VolumeReader) -> ReadyMethod:
    """Train and calibrate, or read back what stands already."""
    folder = model_folder(task.study, method.name, task.fold.number)
    trained, calibrated = (folder / WEIGHTS).is_file(), (folder / CONFIDENCE).is_file()
    if trained and calibrated:
        return ReadyMethod(method, method.load(folder), load_calibration(folder))
    supervision = method.supervision
    known = [task.by_id[case_id] for case_id in task.fold.train]
    training = [case_input(case, supervision.training, reader) for case in known] if supervision.trains else []
    checkpoints = checkpoint_folder(task.study, method.name, task.fold.number)
    context = FitContext(
        seed=derive_seed(task.seed, method.name, task.fold.number),
        classes=task.classes,
        lesion_free=trained_lesion_free(known, task.configuration),
        preprocessing=asdict(task.prepared.settings),
        cohort=training_facts(known, source=task.prepared.source, digest=task.prepared.digest),
        checkpoint_dir=checkpoints if supervision.trains else None,
    )
    fitted = method.load(folder) if trained else method.fit(training, context)
    if not trained:
        fitted.save(folder)
        LOG.info("fold %d, %s: trained, %s", task.fold.number, method.name, _training_line(fitted))
    shutil.rmtree(checkpoints, ignore_errors=True)
    calibration = calibrate(method, fitted, training, context)
    if calibration is not None:
        calibration.save(folder)
    return ReadyMethod(method, fitted, calibration)


def _test_case(task: FoldTask, ready: ReadyMethod, prepared: PreparedCase, reader: VolumeReader) -> None:
    """Predict, measure and write. The reference is read after the prediction is made, and only to measure it."""
    method, calibration, mips = ready.method, ready.calibration, prepared.mips
    prediction = ready.fitted.predict(case_input(prepared, method.supervision.testing, reader))
    truth = reader.mask(prepared) if prepared.case.mask is not None else None
    if truth is not None:
        truth_pictures = project_mask(truth, pixel_mm=mips.pixel_mm)
    else:
        truth_pictures = read_picture_masks(prepared.case)
    pictures = predicted_pictures_of(prediction, mips)
    measures = measure_case(
        prediction,
        truth,
        truth_pictures,
        predicted_pictures=pictures,
        lesion_free=prepared.case.label in task.lesion_free,
        pixel_mm=mips.pixel_mm,
    )
    lesions = ()
    if prediction.mask is not None:
        lesions = describe_lesions(reader.volume(prepared), prediction.mask, seeds_mm=prediction.seeds_mm)
    folder = case_folder(task.study, method.name, prepared.case.case_id)
    stored = reader.volume(prepared).stored if prediction.mask is not None else None
    write_prediction(
        folder,
        prediction,
        mips,
        pictures,
        stored=stored,
        keep_maps=task.configuration.study.keep_maps,
        truth_pictures=truth_pictures,
    )
    write_json(
        folder / "result.json",
        {
            "case_id": prepared.case.case_id,
            "method": method.name,
            "fold": task.fold.number,
            "label": prepared.case.label,
            "predicted": prediction.predicted,
            "probabilities": dict(prediction.probabilities),
            "flags": [flag.value for flag in prediction.flags],
            "measures": measures,
            **case_confidence(calibration, prediction),
            "lesions": lesions_with_confidence(calibration, lesions, prediction),
        },
    )


def _training_line(fitted: FittedMethod) -> str:
    record = fitted.training_record
    names = ("parameters", "epochs", "seconds", "forest_trees")
    return ", ".join(f"{name} {record[name]}" for name in names if name in record)
