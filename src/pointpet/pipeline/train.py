"""Train one model on a whole cohort."""

from __future__ import annotations

import logging
import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pointpet.core import ConfigError, TrainingError
from pointpet.io.artefacts import lock_folder
from pointpet.io.cohort_csv import read_cohort
from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Method
from pointpet.methods.fitted_weak import require_mips
from pointpet.pipeline.case_inputs import VolumeReader, case_input
from pointpet.pipeline.confidence import calibrate
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.labels import require_labels, require_two_classes
from pointpet.pipeline.lesion_free import lesion_free_classes
from pointpet.pipeline.mapping import Report, silent
from pointpet.pipeline.outputs import claim_folder
from pointpet.pipeline.prepare import PreparedCohort, load_prepared, prepare_cohort
from pointpet.pipeline.program import program
from pointpet.pipeline.train_inputs import CHECKPOINT, is_trained, require_turned
from pointpet.pipeline.training_facts import training_facts

LOG = logging.getLogger(__name__)


def train_model(
    source: Path,
    out: Path,
    configuration: Configuration,
    *,
    method: str = "proposed",
    seed: int = 0,
    overwrite: bool = False,
    report: Report = silent,
) -> bool:
    """Train `method` on a manifest or a prepared folder and write the model folder `out`.

    Processes that `torchrun` or `srun` started train it together; the first of them prepares and writes.

    Returns:
        True in the process that writes.

    Raises:
        ConfigError: unknown method, one that does not train, or one that learns from turned views which a prepared
            folder lacks.
        CohortError: no case has a class, or all have the same and the method learns from classes.
        TrainingError: training failed.
        OutputError: `out` holds something else, or a model of images or masks that were replaced since.
    """
    built = configuration.method(method)
    if not built.supervision.trains:
        raise ConfigError(
            "PP-TRAIN-METHOD", f"method {method}", "has nothing to train", "Use it in `study`, or choose another method"
        )
    given = load_prepared(source) if source.is_dir() else None
    if given is not None:
        require_turned(given, configuration, method)
    asked = {"configuration": configuration.as_dict(), "method": method, "seed": seed, **_source(source, given)}
    from pointpet.learn.together import from_first, joined

    with joined() as place, ExitStack() as held:
        first = place.rank == 0

        def begin() -> PreparedCohort | None:
            held.enter_context(lock_folder(out))
            claim_folder(out, "model", asked, overwrite=overwrite, made_by=program())
            if is_trained(out, source, given, built):
                return None
            return given or _prepared(source, out, built, configuration, report)

        prepared = from_first(begin)
        if prepared is None:
            return first
        require_prepared(prepared)
        told = report if first else silent
        trained = fit_prepared(built, prepared, configuration, seed=seed, checkpoint_dir=out / CHECKPOINT, report=told)
        if first:
            _calibrate(built, trained, out)
            trained.fitted.save(out)
            for folder in (CHECKPOINT, ".prepared"):
                shutil.rmtree(out / folder, ignore_errors=True)
        return first


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained method, the cases that it was given, and what beside them."""

    fitted: FittedMethod
    cases: tuple[CaseInput, ...]
    context: FitContext


def _calibrate(method: Method, trained: Trained, out: Path) -> None:
    """Write how certainty becomes confidence, before the record that makes the folder a model.

    A prepared folder of volumes holds no scan, so that the answers that a new scan gets cannot be tried on it.
    """
    if any(case.load_volume is None and require_mips(case).origin_mm is not None for case in trained.cases):
        LOG.info("%s: no confidence: a prepared folder holds no scans to calibrate it on", method.name)
        return
    calibration = calibrate(method, trained.fitted, trained.cases, trained.context)
    if calibration is not None:
        calibration.save(out)


def fit_prepared(
    method: Method,
    prepared: PreparedCohort,
    configuration: Configuration,
    *,
    seed: int,
    checkpoint_dir: Path | None = None,
    report: Report = silent,
) -> Trained:
    """Train `method` on all labelled cases of a prepared cohort.

    Raises:
        CohortError: no case has a class.
        TrainingError: training failed.
    """
    require_labels(prepared.cohort)
    labelled = [case for case in prepared.cases if case.case.label is not None]
    reader = VolumeReader()
    inputs = tuple(case_input(case, method.supervision.training, reader) for case in labelled)
    context = FitContext(
        seed=seed,
        classes=prepared.cohort.classes,
        lesion_free=lesion_free_classes(prepared, configuration),
        preprocessing=asdict(prepared.settings),
        cohort=training_facts(labelled, source=prepared.source, digest=prepared.digest),
        checkpoint_dir=checkpoint_dir,
        report=report,
    )
    return Trained(method.fit(inputs, context), inputs, context)


def _source(source: Path, given: PreparedCohort | None) -> dict[str, Any]:
    """What is trained on; of a prepared folder also how its MIPs were made, which the configuration does not say."""
    if given is None:
        return {"source": read_cohort(source).digest}
    return {"source": given.digest, "prepared": asdict(given.settings)}


def _prepared(source: Path, out: Path, method: Method, configuration: Configuration, report: Report) -> PreparedCohort:
    manifest = read_cohort(source)
    require_labels(manifest)
    require_two_classes(manifest, [method])
    settings = configuration.preparing((method.name,))
    return prepare_cohort(manifest, out / ".prepared", settings, overwrite=True, report=report)


def require_prepared(prepared: PreparedCohort) -> None:
    """Stop where a case of a cohort could not be prepared.

    Raises:
        TrainingError: names the first of them and why.
    """
    if prepared.failures:
        case_id, error = prepared.failures[0]
        raise TrainingError(
            error.code,
            f"case {case_id}",
            f"cannot be prepared ({len(prepared.failures)} of {len(prepared.failures) + len(prepared.cases)} cases "
            f"failed): {error.problem}",
            "Correct or remove the cases that `pointpet check` lists",
        )
