"""One method, class and endpoint: the work of one process in a study's outcome stage, as rows of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointpet._version import __version__
from pointpet.core import FeatureTable, Fold, TrainingError, derive_seed, text_digest
from pointpet.evaluate.classification import accuracy, delong_interval, sensitivity, specificity
from pointpet.io.artefacts import read_json, write_json
from pointpet.outcome.endpoint import CaseOutcome, Endpoint, EndpointResult, predict_endpoint, site_folds
from pointpet.outcome.settings import MODELS, OutcomeSettings
from pointpet.outcome.survival import SurvivalQuestion, predict_survival

Rows = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class OutcomeTask:
    """A question to one method's features of the cases of one class.

    Args:
        study: where the answer is kept. method, label: whose masks, which class.
        endpoint: its name; empty for survival.
        table: features of the class's cases.
        truth: case id to 0 or 1, for an endpoint. follow_up: case id to (days, event), for survival.
        folds: the study's own. patients, sites: by case id.
    """

    study: Path
    method: str
    label: str
    endpoint: str
    table: FeatureTable
    truth: Mapping[str, int]
    follow_up: Mapping[str, tuple[float, int]]
    folds: tuple[Fold, ...]
    patients: Mapping[str, str]
    sites: Mapping[str, str | None]
    settings: OutcomeSettings
    seed: int

    @property
    def key(self) -> dict[str, str]:
        """What every row of the answer begins with."""
        return {"method": self.method, "label": self.label, "endpoint": self.endpoint}

    @property
    def name(self) -> str:
        """For progress lines and file names."""
        return f"{self.method}, {self.label}, {self.endpoint or 'survival'}"

    @property
    def digest(self) -> str:
        """Hash of all that the answer depends on."""
        values = np.where(np.isfinite(self.table.values), self.table.values, -np.inf)
        parts = [self.key, self.table.case_ids, self.table.names, values.tolist(), dict(self.truth)]
        parts += [dict(self.follow_up), [asdict(fold) for fold in self.folds], dict(self.patients), dict(self.sites)]
        return text_digest([*parts, asdict(self.settings), self.seed, __version__])


def run_outcome_task(task: OutcomeTask) -> dict[str, Rows]:
    """Answer, or read the answer that an earlier run of the same question left.

    Returns:
        Table name to rows: `cases` and `folds` (each model's), `sites`; or `survival`.

    Raises:
        TrainingError: too few events in a training fold.
    """
    stem = "".join(letter if letter.isalnum() else "_" for letter in task.name)
    path = task.study / "features" / ".outcome" / f"{stem}_{text_digest(task.name)[:8]}.json"
    if path.is_file() and read_json(path)["digest"] == task.digest:
        return read_json(path)["rows"]
    rows = _endpoint_rows(task) if task.endpoint else _survival_rows(task)
    write_json(path, {"digest": task.digest, "rows": rows})
    return rows


def _endpoint_rows(task: OutcomeTask) -> dict[str, Rows]:
    endpoint = Endpoint(task.table, task.truth, task.patients, task.sites)
    cases, folds = [], []
    for model in MODELS:
        result = predict_endpoint(endpoint, task.folds, model, task.settings, seed=_seed(task, model))
        limits = {record.fold: record.threshold for record in result.folds}
        cases += case_rows(task.key, model, result.cases, limits)
        folds += _fold_rows(task.key, model, result)
    return {"cases": cases, "folds": folds, "sites": _site_rows(task, endpoint)}


def case_rows(key: Mapping[str, str], model: str, cases: Sequence[CaseOutcome], limits: Mapping[int, float]) -> Rows:
    """Rows of tables/outcome.csv; `limits` is the threshold of each fold."""
    return [
        {
            **key,
            "case_id": case.case_id,
            "fold": case.fold,
            "probability": case.probability,
            "prediction": case.prediction,
            "truth": case.truth,
            "model": model,
            "threshold": limits[case.fold],
        }
        for case in cases
    ]


def _fold_rows(key: Mapping[str, str], model: str, result: EndpointResult) -> Rows:
    return [
        {
            **key,
            "model": model,
            "fold": record.fold,
            "cases": record.cases,
            "events": record.events,
            "candidates": record.candidates,
            "variables": len(record.selected),
            "events_per_variable": record.events_per_variable,
            "events_per_candidate": record.events_per_candidate,
            "threshold": record.threshold,
            "parameters": "; ".join(f"{name} {value:g}" for name, value in record.parameters.items()),
            "selected": "; ".join(record.selected),
        }
        for record in result.folds
    ]


def _site_rows(task: OutcomeTask, endpoint: Endpoint) -> Rows:
    """The default model trained on all other sites and tested on each; a site that cannot be is listed with why."""
    known = endpoint.known(task.table.case_ids)
    named = {case_id: task.sites.get(case_id) for case_id in known}
    if not task.settings.leave_site_out or len({site for site in named.values() if site}) < 2:
        return []
    rows = []
    for fold in site_folds(named, task.patients, seed=task.seed):
        site = named[fold.test[0]]
        key = {**task.key, "site": site, "cases": len(fold.test)}
        key["events"] = sum(task.truth[case_id] for case_id in fold.test)
        model = task.settings.model
        try:
            result = predict_endpoint(endpoint, [fold], model, task.settings, seed=_seed(task, "site", model))
        except TrainingError as error:
            rows.append({**key, "note": error.problem})
        else:
            rows.append({**key, **_site_measures(result)})
    return rows


def _site_measures(result: EndpointResult) -> dict[str, Any]:
    """One model, one site: DeLong's interval holds here."""
    truth = np.array([case.truth == 1 for case in result.cases])
    predicted = np.array([case.prediction == 1 for case in result.cases])
    area = delong_interval(truth, [case.probability for case in result.cases])
    limits = (None, None, None) if area is None else (area.value, area.low, area.high)
    return {
        **dict(zip(("auc", "auc_lo", "auc_hi"), limits, strict=True)),
        "accuracy": accuracy(truth, predicted),
        "sensitivity": sensitivity(truth, predicted),
        "specificity": specificity(truth, predicted),
    }


def _survival_rows(task: OutcomeTask) -> dict[str, Rows]:
    question = SurvivalQuestion(task.table, task.follow_up, task.sites)
    found = predict_survival(question, task.folds, task.settings)
    return {"survival": [{"method": task.method, "label": task.label, **asdict(case)} for case in found]}


def _seed(task: OutcomeTask, *names: Sequence[str] | str) -> int:
    return derive_seed(task.seed, task.method, task.label, task.endpoint, *names)
