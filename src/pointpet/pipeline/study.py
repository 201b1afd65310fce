"""The cross-validated comparison of methods on one cohort: folds, training, prediction, tables, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointpet._version import __version__
from pointpet.core import Cohort, ConfigError, Faults, Fold, TrainingError
from pointpet.evaluate.folds import assert_disjoint, make_folds
from pointpet.io.artefacts import lock_folder, read_json, write_csv, write_json
from pointpet.io.cohort_csv import read_cohort
from pointpet.methods.base import Given, Supervision
from pointpet.methods.registry import build_method, method_names
from pointpet.methods.rpet3d import OutcomeNetwork
from pointpet.pipeline.acquisition import cohort_flow
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.fold import FoldTask, model_folder, run_fold
from pointpet.pipeline.machine import describe_machine
from pointpet.pipeline.mapping import Report, map_tasks, silent
from pointpet.pipeline.outcome import OutcomeStage, run_outcomes
from pointpet.pipeline.outcome_networks import network_record
from pointpet.pipeline.outcome_tables import outcome_record
from pointpet.pipeline.outputs import claim_folder
from pointpet.pipeline.phantom import PHANTOM_RECORD
from pointpet.pipeline.prepare import PreparedCohort, prepare_cohort
from pointpet.pipeline.tables import collect_results, write_tables
from pointpet.report.render import render_report

FORMAT_VERSION = 1


@dataclass(frozen=True)
class StudyRequest:
    """What a study is asked to do.

    Args:
        cohort_path: the manifest.
        methods: names; empty for all that apply.
        folds: their number.
        seed: enters folds and training.
        workers: processes; a fold a task.
    """

    cohort_path: Path
    methods: tuple[str, ...] = ()
    folds: int = 5
    seed: int = 0
    workers: int = 1
    overwrite: bool = False


@dataclass(frozen=True)
class StudyOutcome:
    """Where the report is, and what failed."""

    report_path: Path
    failures: tuple[dict[str, Any], ...]


def run_study(
    request: StudyRequest, out: Path, configuration: Configuration, *, report: Report = silent
) -> StudyOutcome:
    """Run a study, or go on with an interrupted one.

    Raises:
        Faults: manifest or configuration wrong.
        TrainingError: too few cases for the folds, or a method that failed in every fold.
        OutputError: `out` holds another study, or another process writes there.
    """
    started = datetime.now(UTC)
    with lock_folder(out):
        methods = request.methods or configuration.study.methods or method_names()
        asked = {
            "format": FORMAT_VERSION,
            "version": __version__,
            "configuration": configuration.as_dict(),
            "methods": list(methods),
            "folds": request.folds,
            "seed": request.seed,
        }
        manifest = read_cohort(request.cohort_path)
        claim_folder(out, "study", {**asked, "cohort": manifest.digest}, overwrite=request.overwrite)
        prepared = prepare_cohort(
            request.cohort_path,
            out / ".prepared",
            configuration.prepare,
            overwrite=True,
            workers=request.workers,
            report=report,
        )
        labelled = tuple(case for case in prepared.cases if case.case.label is not None)
        usable = replace(prepared, cases=labelled)
        lesion_free = lesion_free_classes(usable.cohort, configuration)
        chosen, left_out = _choose_methods(methods, usable, configuration, asked_for=bool(request.methods))
        networks = _networks(chosen, configuration)
        segmenting = tuple(name for name in chosen if name not in {network.name for network in networks})
        folds = _folds(usable, request)
        write_csv(out / "folds.csv", _fold_rows(usable, folds))
        tasks = [
            FoldTask(
                study=out,
                fold=fold,
                prepared=usable,
                methods=segmenting,
                classes=usable.cohort.classes,
                lesion_free=lesion_free,
                configuration=configuration,
                seed=request.seed,
            )
            for fold in folds
        ]
        failures = _run_folds(tasks, prepared, request.workers, report)
        _require_results(failures, folds, chosen)
        stage = OutcomeStage(out, usable, segmenting, folds, configuration, request.seed, networks)
        outcomes = run_outcomes(stage, workers=request.workers, report=report)
        failures += outcomes.failures
        record = _study_record(request, out, configuration, usable, chosen, folds)
        record |= {"created": _first_start(out, started), "finished": _now(), "failures": failures}
        record |= {"methods_left_out": left_out, "lesion_free": list(lesion_free), "request": asked}
        record["flow"] = cohort_flow(manifest, prepared)
        trained = {network.name: network_record(outcomes.folds, network.name) for network in networks}
        record["methods"] = [method | trained.get(method["name"], {}) for method in record["methods"]]
        record["outcome"] = outcome_record(outcomes, configuration.outcome.model)
        write_tables(out, collect_results(out, chosen, folds), record, outcomes)
        write_json(out / "study.json", record)
        return StudyOutcome(render_report(out), tuple(failures))


def _run_folds(tasks: list[FoldTask], prepared: PreparedCohort, workers: int, report: Report) -> list[dict[str, Any]]:
    """Train and test every fold; what failed, from preparation on."""
    failures = [
        {"case_id": name, "stage": "prepare", "method": "", "code": error.code, "message": str(error)}
        for name, error in prepared.failures
    ]
    for task, found, error in map_tasks(
        run_fold, tasks, workers=workers, report=report, describe=lambda task: f"fold {task.fold.number + 1}"
    ):
        if error is not None:
            raise error.about(f"fold {task.fold.number}")
        failures += found
    return failures


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _first_start(out: Path, started: datetime) -> str:
    """A resumed study began when its first run did."""
    known = out / ".started.json"
    if not known.is_file():
        write_json(known, {"started": started.isoformat(timespec="seconds")})
    return read_json(known)["started"]


def lesion_free_classes(cohort: Cohort, configuration: Configuration) -> tuple[str, ...]:
    """Classes in which no case has a point or a mask, unless the configuration names them."""
    if configuration.study.lesion_free:
        unknown = set(configuration.study.lesion_free) - set(cohort.classes)
        if unknown:
            raise ConfigError(
                "PP-CONFIG-CHOICE",
                "study.lesion_free",
                f"names classes that do not occur: {', '.join(sorted(unknown))}",
                f"Use some of: {', '.join(cohort.classes)}",
            )
        return configuration.study.lesion_free
    marked = {case.label for case in cohort if case.has_point or case.has_truth}
    return tuple(name for name in cohort.classes if name not in marked) if marked else ()


def _choose_methods(
    names: tuple[str, ...], prepared: PreparedCohort, configuration: Configuration, *, asked_for: bool
) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """The methods that apply to this cohort, and why the others do not."""
    reasons: dict[str, str] = {}
    faults = []
    for name in names:
        method = build_method(name, configuration.training, configuration.localise)
        reason = _why_not(method.supervision, prepared)
        if not reason and isinstance(method, OutcomeNetwork):
            reason = _why_no_network(method, prepared, names, configuration)
        if reason and asked_for:
            faults.append(
                ConfigError(
                    "PP-STUDY-METHOD", f"method {name}", reason, "Complete the manifest or leave the method out"
                )
            )
        elif reason:
            reasons[name] = reason
    if faults:
        raise Faults("study", faults)
    chosen = tuple(name for name in names if name not in reasons)
    return chosen, [{"method": name, "reason": reason} for name, reason in reasons.items()]


def _why_not(supervision: Supervision, prepared: PreparedCohort) -> str:
    cases = prepared.cohort.cases
    needed = supervision.training | supervision.testing
    if Given.POINT in needed and not any(case.has_point for case in cases):
        return "needs a point per patient, the cohort has none"
    if Given.MASK in needed and not any(case.mask for case in cases):
        return "needs reference masks, the cohort has none"
    if not supervision.trains and not any(case.pet for case in cases):
        return "needs a PET volume, the cohort has ready-made MIPs only"
    return ""


def _why_no_network(
    network: OutcomeNetwork, prepared: PreparedCohort, names: tuple[str, ...], configuration: Configuration
) -> str:
    if not configuration.outcome.enabled:
        return "predicts outcomes, which are switched off"
    if not any(value is not None for case in prepared.cohort for value in case.outcomes.values()):
        return "needs an outcome column, the cohort has none"
    if not any(case.pet for case in prepared.cohort):
        return "needs a PET volume, the cohort has ready-made MIPs only"
    if network.masks_of and network.masks_of not in names:
        return f"needs the masks of {network.masks_of}, which is not in the study"
    return ""


def _networks(names: tuple[str, ...], configuration: Configuration) -> tuple[OutcomeNetwork, ...]:
    """Those of the methods that only predict outcomes."""
    built = [build_method(name, configuration.training, configuration.localise) for name in names]
    return tuple(
        replace(method, settings=configuration.rpet3d) for method in built if isinstance(method, OutcomeNetwork)
    )


def _folds(prepared: PreparedCohort, request: StudyRequest) -> tuple[Fold, ...]:
    cohort = prepared.cohort
    folds = make_folds(cohort, n_folds=request.folds, seed=request.seed)
    assert_disjoint(
        folds,
        {case.case_id: case.patient_id for case in cohort},
        {case.case.case_id: case.pixel_hash for case in prepared.cases},
    )
    return folds


def _fold_rows(prepared: PreparedCohort, folds: tuple[Fold, ...]) -> list[dict[str, Any]]:
    number = {case_id: fold.number for fold in folds for case_id in fold.test}
    return [
        {"case_id": case.case_id, "patient_id": case.patient_id, "fold": number[case.case_id]}
        for case in prepared.cohort
    ]


def _require_results(failures: list[dict[str, Any]], folds: tuple[Fold, ...], methods: tuple[str, ...]) -> None:
    """Stop where a method trained in no fold: there is nothing to compare."""
    for name in methods:
        failed = [item for item in failures if item["stage"] == "train" and item["method"] == name]
        if len(failed) == len(folds):
            raise TrainingError(
                failed[0]["code"],
                f"method {name}",
                f"training failed in every fold: {failed[0]['message']}",
                "See above",
            )


def _study_record(
    request: StudyRequest,
    out: Path,
    configuration: Configuration,
    prepared: PreparedCohort,
    methods: tuple[str, ...],
    folds: tuple[Fold, ...],
) -> dict[str, Any]:
    cohort = prepared.cohort
    source: dict[str, Any] = {"source": "files"}
    phantom = request.cohort_path.parent / PHANTOM_RECORD
    if phantom.is_file():
        known = read_json(phantom)
        source = {name: known[name] for name in ("preset", "best_auc")} | {
            "source": "phantom",
            "phantom_seed": known["seed"],
        }
    by_label = {name: sum(case.label == name for case in cohort) for name in cohort.classes}
    return {
        "format_version": FORMAT_VERSION,
        "pointpet_version": __version__,
        "seed": request.seed,
        "folds": request.folds,
        "config": configuration.as_dict(),
        "config_digest": configuration.digest,
        "methods": [_method_record(out, name, configuration, folds) for name in methods],
        "cohort": {
            "name": request.cohort_path.parent.name,
            "cases": len(cohort),
            "patients": len({case.patient_id for case in cohort}),
            "by_label": by_label,
            "digest": cohort.digest,
            **source,
        },
        "inputs": {case.case.case_id: case.pixel_hash for case in prepared.cases},
        "machine": describe_machine(),
    }


def _method_record(out: Path, name: str, configuration: Configuration, folds: tuple[Fold, ...]) -> dict[str, Any]:
    method = build_method(name, configuration.training, configuration.localise)
    record: dict[str, Any] = {
        "name": name,
        "summary": method.summary,
        "training_input": Supervision.text(method.supervision.training),
        "test_input": Supervision.text(method.supervision.testing),
        "parameters": None,
        "train_seconds": [],
        "epochs": [],
    }
    for fold in folds:
        folder = model_folder(out, name, fold.number)
        if not (folder / "model.json").is_file():
            continue
        training = method.load(folder).training_record
        record["parameters"] = training.get("parameters")
        record["train_seconds"].append(training.get("seconds"))
        record["epochs"].append(training.get("epochs"))
    return record
