"""The cross-validated comparison of methods on one cohort: folds, training, prediction, tables, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointpet._version import __version__
from pointpet.core import Fold, PointpetError, TrainingError
from pointpet.evaluate.folds import assert_disjoint, make_folds
from pointpet.io.artefacts import lock_folder, read_json, write_csv, write_json
from pointpet.io.cohort_csv import PHANTOM_RECORD, read_cohort
from pointpet.methods.base import Supervision
from pointpet.methods.registry import method_names
from pointpet.pipeline.acquisition import cohort_flow
from pointpet.pipeline.annotation_budget import BudgetStage, run_budget
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.finished import is_finished
from pointpet.pipeline.fold import FoldTask, failure, model_folder, run_fold
from pointpet.pipeline.labels import require_labels, require_readable, require_two_classes
from pointpet.pipeline.lesion_free import lesion_free_classes
from pointpet.pipeline.machine import describe_machine
from pointpet.pipeline.mapping import Report, Workers, map_tasks, silent
from pointpet.pipeline.outcome import OutcomeResults, OutcomeStage, run_outcomes
from pointpet.pipeline.outcome_networks import network_record
from pointpet.pipeline.outcome_tables import outcome_record
from pointpet.pipeline.outputs import claim_folder
from pointpet.pipeline.prepare import PreparedCohort, prepare_cohort
from pointpet.pipeline.program import added_by, program
from pointpet.pipeline.study_inputs import forget_stale
from pointpet.pipeline.study_methods import choose_methods, outcome_networks
from pointpet.pipeline.tables import collect_results, write_tables
from pointpet.report.render import REPORT_NAME, render_report

FORMAT_VERSION = 1


@dataclass(frozen=True)
class StudyRequest:
    """What a study is asked to do.

    Args:
        cohort_path: the manifest.
        methods: names; empty for all that apply.
        folds: their number.
        seed: enters folds and training.
        workers: processes or a scheduler; a method of a fold a task.
        annotation_budget: draw Dice against annotation effort too; a finished study is completed by it.
    """

    cohort_path: Path
    methods: tuple[str, ...] = ()
    folds: int = 5
    seed: int = 0
    workers: Workers = 1
    overwrite: bool = False
    annotation_budget: bool = False


@dataclass(frozen=True)
class StudyOutcome:
    """Where the report is, and what failed."""

    report_path: Path
    failures: tuple[dict[str, Any], ...]


def run_study(
    request: StudyRequest, out: Path, configuration: Configuration, *, report: Report = silent
) -> StudyOutcome:
    """Run a study, or go on with an interrupted one; one that is finished stays as it is, unless an image or a mask
    was replaced since: what follows from it is then made again.

    Raises:
        Faults: manifest or configuration wrong.
        CohortError: no case has a class, or all have the same and a method learns from classes.
        TrainingError: no case could be read, too few cases for the folds, or a method that failed in every fold.
        OutputError: `out` holds another study, one with a case that can no longer be read, or another process writes
            there.
    """
    started = datetime.now(UTC)
    with lock_folder(out):
        methods = request.methods or configuration.study.methods or method_names()
        asked = _asked(request, methods, configuration)
        manifest = read_cohort(request.cohort_path)
        require_labels(manifest)
        require_two_classes(manifest, [configuration.method(name) for name in methods])
        # Folds by other code, here or in a package that adds a method, are not to stand beside folds by this.
        claimed = {**asked, "cohort": manifest.digest, "added_by": added_by(methods)}
        claim_folder(out, "study", claimed, overwrite=request.overwrite, made_by=program())
        if is_finished(out, configuration, manifest, annotation_budget=request.annotation_budget):
            page = out / REPORT_NAME
            return StudyOutcome(page if page.is_file() else render_report(out), ())
        settings, place = configuration.preparing(methods), out / ".prepared"
        prepared = prepare_cohort(manifest, place, settings, overwrite=True, workers=request.workers, report=report)
        require_readable(prepared)
        usable = _labelled(prepared)
        lesion_free = lesion_free_classes(usable, configuration)
        chosen, left_out = choose_methods(methods, usable, configuration, asked_for=bool(request.methods))
        networks = outcome_networks(chosen, configuration)
        segmenting = tuple(name for name in chosen if name not in {network.name for network in networks})
        folds = _folds(usable, request)
        forget_stale(out, usable, folds, [configuration.method(name) for name in segmenting])
        write_csv(out / "folds.csv", _fold_rows(usable, folds))
        common: dict[str, Any] = {"methods": segmenting, "classes": usable.cohort.classes, "lesion_free": lesion_free}
        common |= {"configuration": configuration, "seed": request.seed}
        tasks = [FoldTask(study=out, fold=fold, prepared=usable, **common) for fold in folds]
        budget = BudgetStage(tuple(tasks)) if request.annotation_budget else None
        if budget is not None:
            budget.require_methods()
        failures = _run_folds(tasks, prepared, request.workers, report)
        _require_results(failures, folds, chosen)
        stage = OutcomeStage(out, usable, segmenting, folds, configuration, request.seed, networks)
        outcomes = run_outcomes(stage, workers=request.workers, report=report)
        failures += outcomes.failures
        if budget is not None:
            failures += run_budget(budget, workers=request.workers, report=report)
        record = _study_record(request, out, configuration, usable, chosen, folds)
        record |= {"created": _first_start(out, started), "finished": _now(), "failures": failures}
        record |= {"methods_left_out": left_out, "lesion_free": list(lesion_free), "request": asked}
        record |= {"flow": cohort_flow(manifest, prepared), **_outcome_entries(record, stage, outcomes)}
        write_tables(out, collect_results(out, chosen, folds), record, outcomes)
        write_json(out / "study.json", record)
        return StudyOutcome(render_report(out), tuple(failures))


def _labelled(prepared: PreparedCohort) -> PreparedCohort:
    """The cases that have a class: the others can neither teach nor be scored."""
    return replace(prepared, cases=tuple(case for case in prepared.cases if case.case.label is not None))


def _asked(request: StudyRequest, methods: tuple[str, ...], configuration: Configuration) -> dict[str, Any]:
    """What makes two runs the same study, beside the cohort."""
    return {
        "format": FORMAT_VERSION,
        "configuration": configuration.as_dict(),
        "methods": list(methods),
        "folds": request.folds,
        "seed": request.seed,
    }


def _outcome_entries(record: dict[str, Any], stage: OutcomeStage, outcomes: OutcomeResults) -> dict[str, Any]:
    """What the outcome stage adds to the study's record: its own part, and the training of its networks."""
    trained = {network.name: network_record(outcomes.folds, network.name) for network in stage.networks}
    methods = [method | trained.get(method["name"], {}) for method in record["methods"]]
    return {"methods": methods, "outcome": outcome_record(outcomes, stage.configuration.outcome.model)}


def _run_folds(
    tasks: list[FoldTask], prepared: PreparedCohort, workers: Workers, report: Report
) -> list[dict[str, Any]]:
    """Train and test every fold; what failed, from preparation on."""
    failures = [
        {"case_id": name, "stage": "prepare", "method": "", "code": error.code, "message": str(error)}
        for name, error in prepared.failures
    ]
    found: dict[tuple[int, tuple[str, ...]], list[dict[str, Any]]] = {}
    parts = _parts(tasks, workers)
    for task, ended, error in map_tasks(run_fold, parts, workers=workers, report=report, describe=_fold_name):
        found[task.fold.number, task.methods] = ended if error is None else _lost(task, error)
    return failures + [item for part in parts for item in found[part.fold.number, part.methods]]


def _lost(task: FoldTask, error: PointpetError) -> list[dict[str, Any]]:
    """Failures of a task whose process died: no more is known than that its methods failed in this fold."""
    return [failure("", "train", name, error, fold=task.fold.number) for name in task.methods]


def _parts(tasks: list[FoldTask], workers: Workers) -> list[FoldTask]:
    """Side by side a method of a fold is a task of its own; in turn its methods share each scan that is read."""
    if workers == 1:
        return tasks
    return [replace(task, methods=(name,)) for task in tasks for name in task.methods]


def _fold_name(task: FoldTask) -> str:
    return f"fold {task.fold.number + 1} {task.methods[0] if len(task.methods) == 1 else ''}".rstrip()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _first_start(out: Path, started: datetime) -> str:
    """A resumed study began when its first run did."""
    known = out / ".started.json"
    if not known.is_file():
        write_json(known, {"started": started.isoformat(timespec="seconds")})
    return read_json(known)["started"]


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
                f"training failed in every fold: {failed[0]['message'].rstrip('.')}",
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
        "pointpet_code": program()["code"],
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
            "pictures": sum(case.pet is None for case in cohort),
            "digest": cohort.digest,
            **source,
        },
        "inputs": {case.case.case_id: case.pixel_hash for case in prepared.cases},
        "machine": describe_machine(),
    }


def _method_record(out: Path, name: str, configuration: Configuration, folds: tuple[Fold, ...]) -> dict[str, Any]:
    method = configuration.method(name)
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
        if "forest_trees" in training:
            record.setdefault("forest_trees", []).append(training["forest_trees"])
            record.setdefault("no_forest", []).append(training.get("no_forest", ""))
    return record
