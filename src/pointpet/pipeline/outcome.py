"""The outcome stage of a study: which questions the cohort allows, their answers, and the tables they fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pointpet.core import Case, Cohort, FeatureTable, Fold, MissingExtraError
from pointpet.methods.rpet3d import OutcomeNetwork
from pointpet.outcome.settings import OutcomeSettings
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.mapping import Report, Workers, map_tasks, silent
from pointpet.pipeline.outcome_features import TRUE_MASK, study_features
from pointpet.pipeline.outcome_networks import NetworkTask, Patches, run_network_task, study_patches
from pointpet.pipeline.outcome_tasks import OutcomeTask, Rows, run_outcome_task
from pointpet.pipeline.prepare import PreparedCohort
from pointpet.quantify.radiomics import radiomics_backend
from pointpet.report.published import published_endpoint
from pointpet.report.wording import endpoint_one

REFERENCES = (
    {
        "name": TRUE_MASK,
        "summary": "features of the reference masks: what outlines cost, no bound of what can be predicted",
        "training_input": "mask",
        "test_input": "mask",
    },
)
"""Rows that are no method: what the methods' outcomes are held against."""


@dataclass(frozen=True)
class Question:
    """An endpoint of a class, or its survival (`endpoint` empty).

    Args:
        cases: with a known answer. events: of an endpoint the cases with the value 1, of survival those with the event.
        reason: why it is not evaluated; empty where it is.
    """

    label: str
    endpoint: str
    cases: int
    events: int
    reason: str


@dataclass
class OutcomeResults:
    """Rows of the study's outcome tables, its questions, and what failed.

    Args:
        cases: of all models. folds: a row a fold's model. sites: each site left out. survival: a row a case.
        questions: with `reason` filled where a question could not be asked.
        references: those of `REFERENCES` that have rows.
    """

    cases: Rows = field(default_factory=list)
    folds: Rows = field(default_factory=list)
    sites: Rows = field(default_factory=list)
    survival: Rows = field(default_factory=list)
    questions: tuple[Question, ...] = ()
    references: tuple[dict[str, str], ...] = ()
    failures: Rows = field(default_factory=list)

    def endpoints(self) -> dict[str, list[str]]:
        """Class to its endpoints, in the order of its table's rows."""
        found: dict[str, list[str]] = {}
        for question in self.questions:
            if question.endpoint:
                found.setdefault(question.label, []).append(question.endpoint)
        return found


@dataclass(frozen=True, eq=False)
class OutcomeStage:
    """What the stage works on.

    Args:
        study: the study's folder. methods: names of those that segment. networks: those that only predict outcomes.
        folds: the study's own. seed: the study's.
    """

    study: Path
    prepared: PreparedCohort
    methods: tuple[str, ...]
    folds: tuple[Fold, ...]
    configuration: Configuration
    seed: int
    networks: tuple[OutcomeNetwork, ...] = ()

    def task(self, method: str, table: FeatureTable, question: Question) -> OutcomeTask:
        """One question to one method's features of the cases of the question's class."""
        cases = {case.case_id: case for case in self.prepared.cohort if case.label == question.label}
        own = [row for row, case_id in enumerate(table.case_ids) if case_id in cases]
        names = tuple(table.case_ids[row] for row in own)
        truth, follow_up = _known(cases, question.endpoint)
        return OutcomeTask(
            study=self.study,
            method=method,
            label=question.label,
            endpoint=question.endpoint,
            table=FeatureTable(names, table.names, table.units, table.ibsi_codes, table.values[own]),
            truth=truth,
            follow_up=follow_up,
            folds=self.folds,
            patients={case_id: case.patient_id for case_id, case in cases.items()},
            sites={case_id: case.site for case_id, case in cases.items()},
            settings=self.configuration.outcome,
            seed=self.seed,
        )

    def network_task(self, network: OutcomeNetwork, patches: Patches, question: Question) -> NetworkTask:
        """One endpoint to a network that looks at the patches of the question's class."""
        cases = {case.case_id: case for case in self.prepared.cohort if case.label == question.label}
        return NetworkTask(
            study=self.study,
            network=network,
            label=question.label,
            endpoint=question.endpoint,
            patches={case_id: patch for case_id, patch in patches.items() if case_id in cases},
            truth=_known(cases, question.endpoint)[0],
            folds=self.folds,
            patients={case_id: case.patient_id for case_id, case in cases.items()},
            seed=self.seed,
        )


def run_outcomes(stage: OutcomeStage, *, workers: Workers = 1, report: Report = silent) -> OutcomeResults:
    """Predict every endpoint of every class from each method's own masks, in the study's own folds.

    The mask of a training case comes from the fold that tested it, so that masks of training and test cases are alike:
    each was made by a model that had not seen the case.
    """
    settings = stage.configuration.outcome
    if not settings.enabled:
        return OutcomeResults()
    questions = ask(stage.prepared.cohort, stage.folds, settings)
    results = OutcomeResults(questions=questions)
    if all(question.reason for question in questions):
        return results
    _ask_networks(stage, results, workers, report)
    results.questions = questions = _without_library(questions)
    if all(question.reason for question in questions):
        return results
    tables, failures = study_features(
        stage.study,
        stage.prepared,
        stage.methods,
        stage.configuration.radiomics,
        workers=workers,
        report=report,
    )
    tasks = [
        stage.task(name, table, question)
        for name, table in tables.items()
        for question in questions
        if not question.reason
    ]
    results.failures += failures
    _answer(run_outcome_task, tasks, results, workers, report)
    results.references = tuple(item for item in REFERENCES if item["name"] in tables)
    return results


def _without_library(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    """The questions, with the reason filled where no radiomics library is installed; the study goes on without them."""
    try:
        radiomics_backend()
    except MissingExtraError as error:
        return tuple(replace(question, reason=question.reason or str(error).rstrip(".")) for question in questions)
    return questions


def _ask_networks(stage: OutcomeStage, results: OutcomeResults, workers: Workers, report: Report) -> None:
    """Endpoints by the networks; their survival is not asked."""
    tasks = []
    for network in stage.networks:
        patches, failures = study_patches(stage.study, stage.prepared, network, workers=workers, report=report)
        results.failures += failures
        asked = [question for question in results.questions if question.endpoint and not question.reason]
        tasks += [stage.network_task(network, patches, question) for question in asked]
    _answer(run_network_task, tasks, results, workers, report)


def _answer(
    function: Callable[[Any], dict[str, Rows]],
    tasks: Sequence[OutcomeTask] | Sequence[NetworkTask],
    results: OutcomeResults,
    workers: Workers,
    report: Report,
) -> None:
    """Run the tasks and gather their rows in the tasks' order, whichever ends first."""
    answers: dict[str, dict[str, Rows]] = {}
    for task, rows, error in map_tasks(
        function, tasks, workers=workers, report=report, describe=lambda task: task.name
    ):
        if error is None:
            answers[task.name] = rows
        else:
            method = task.name.split(",")[0]
            failure = {"case_id": "", "stage": "outcome", "method": method, "code": error.code}
            results.failures.append({**failure, "message": str(error.about(task.name))})
    for task in tasks:
        for table, rows in answers.get(task.name, {}).items():
            getattr(results, table).extend(rows)


def ask(cohort: Cohort, folds: Sequence[Fold], settings: OutcomeSettings) -> tuple[Question, ...]:
    """Every endpoint of every class that has a known value, and survival; with the reason where too few events stand.

    The endpoint that was published for a class comes first, the others by name.
    """
    questions = []
    for label in cohort.classes:
        cases = [case for case in cohort if case.label == label]
        names = {name for case in cases for name, value in case.outcomes.items() if value is not None}
        asked = {name: _outcome_of(name) for name in sorted(names, key=lambda n: (n != published_endpoint(label), n))}
        if settings.survival and any(_has_follow_up(case) for case in cases):
            asked[""] = _event_of
        for name, value_of in asked.items():
            known = {case.case_id: value for case in cases if (value := value_of(case)) is not None}
            questions.append(_question(label, name, known, folds, settings.min_events))
    return tuple(questions)


def _outcome_of(name: str) -> Callable[[Case], int | None]:
    return lambda case: case.outcomes.get(name)


def _event_of(case: Case) -> int | None:
    return case.event if _has_follow_up(case) else None


def _has_follow_up(case: Case) -> bool:
    return case.time_days is not None and case.event is not None


def _question(label: str, endpoint: str, known: Mapping[str, int], folds: Sequence[Fold], min_events: int) -> Question:
    """Count what each training fold holds: of both outcomes for an endpoint, of events for survival."""
    fewest, part = min(
        (_rarer([known[name] for name in fold.train if name in known], endpoint), fold.number) for fold in folds
    )
    events = sum(known.values())
    what = "cases of the rarer outcome" if endpoint else "events"
    counted = endpoint_one(endpoint) if endpoint else "have the event"
    reason = (
        f"{events} of {len(known)} cases {counted}; training of fold {part} holds {fewest} {what}, "
        f"{min_events} are needed"
    )
    return Question(label, endpoint, len(known), events, reason if fewest < min_events else "")


def _rarer(values: Sequence[int], endpoint: str) -> int:
    events = int(np.sum(values))
    return min(events, len(values) - events) if endpoint else events


def _known(cases: Mapping[str, Case], endpoint: str) -> tuple[dict[str, int], dict[str, tuple[float, int]]]:
    if endpoint:
        values = {case_id: case.outcomes.get(endpoint) for case_id, case in cases.items()}
        return {case_id: value for case_id, value in values.items() if value is not None}, {}
    return {}, {
        case_id: (case.time_days, case.event)
        for case_id, case in cases.items()
        if case.time_days is not None and case.event is not None
    }
