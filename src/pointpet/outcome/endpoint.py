"""One endpoint over the study's folds: who is predicted what, and by which model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pointpet.core import FeatureTable, Fold, PointpetError, TrainingError, derive_seed
from pointpet.outcome.nested import FittedOutcome, Samples, fit_outcome
from pointpet.outcome.settings import OutcomeSettings


@dataclass(frozen=True)
class CaseOutcome:
    """What one case was predicted: probability of 1, and whether it reached its fold's threshold."""

    case_id: str
    fold: int
    probability: float
    prediction: int
    truth: int


@dataclass(frozen=True)
class OutcomeFold:
    """How one fold's model came about.

    Args:
        cases, events: training cases, and those of the rarer outcome among them.
        candidates: features that vary. selected: names of those that the model was given.
        threshold: of the probability. parameters: hyperparameters chosen.
    """

    fold: int
    cases: int
    events: int
    candidates: int
    selected: tuple[str, ...]
    threshold: float
    parameters: Mapping[str, float]

    @property
    def events_per_variable(self) -> float:
        """Events per feature that the model was given."""
        return self.events / len(self.selected)

    @property
    def events_per_candidate(self) -> float:
        """Events per feature that it chose from: the number that tells how much chance had a hand in the choice."""
        return self.events / self.candidates


@dataclass(frozen=True)
class EndpointResult:
    """Predictions of every case with a known outcome, and the folds' models."""

    cases: tuple[CaseOutcome, ...]
    folds: tuple[OutcomeFold, ...]


@dataclass(frozen=True, eq=False)
class Endpoint:
    """A question to the features.

    Args:
        table: features of the cases. truth: case id to 0 or 1; cases without a known outcome are absent.
        patients: case id to patient id. sites: case id to site, where known.
    """

    table: FeatureTable
    truth: Mapping[str, int]
    patients: Mapping[str, str]
    sites: Mapping[str, str | None]

    def samples(self, case_ids: Sequence[str]) -> Samples:
        """The features and outcomes of these cases."""
        row = {case_id: number for number, case_id in enumerate(self.table.case_ids)}
        return Samples(
            values=self.table.values[[row[case_id] for case_id in case_ids]],
            truth=np.array([self.truth[case_id] == 1 for case_id in case_ids], bool),
            patients=[self.patients[case_id] for case_id in case_ids],
            sites=[self.sites.get(case_id) for case_id in case_ids],
        )

    def known(self, case_ids: Sequence[str]) -> list[str]:
        """Those of the cases that have features and an outcome."""
        present = set(self.table.case_ids) & set(self.truth)
        return [case_id for case_id in case_ids if case_id in present]


def predict_endpoint(
    endpoint: Endpoint, folds: Sequence[Fold], model: str, settings: OutcomeSettings, *, seed: int
) -> EndpointResult:
    """Train on each fold's training cases and predict its test cases.

    Raises:
        TrainingError: a training fold has too few cases of one outcome; the endpoint is then not evaluated at all,
            since a mean over the other folds would be of other patients.
    """
    cases: list[CaseOutcome] = []
    records: list[OutcomeFold] = []
    for fold in folds:
        train, test = endpoint.known(fold.train), endpoint.known(fold.test)
        fitted = _fit(endpoint, train, fold, model, settings, derive_seed(seed, fold.number))
        records.append(_record(fitted, fold, len(train), endpoint.table))
        if test:
            cases += _predict(fitted, endpoint, test, fold)
    return EndpointResult(tuple(cases), tuple(records))


def site_folds(sites: Mapping[str, str | None], patients: Mapping[str, str], *, seed: int) -> tuple[Fold, ...]:
    """Leave-one-site-out folds over the cases whose site is known.

    A patient scanned at two sites is trained on for neither of them.

    Raises:
        TrainingError: fewer than two sites.
    """
    named = {case_id: site for case_id, site in sites.items() if site}
    found = sorted(set(named.values()))
    if len(found) < 2:
        raise TrainingError(
            "PP-OUTCOME-SITES", "leave one site out", f"needs two sites, got {len(found)}", "Fill in the column site"
        )
    folds = []
    for number, site in enumerate(found):
        test = tuple(case_id for case_id, name in named.items() if name == site)
        tested = {patients[case_id] for case_id in test}
        train = tuple(c for c, name in named.items() if name != site and patients[c] not in tested)
        folds.append(Fold(number, train, test, seed))
    return tuple(folds)


def _fit(
    endpoint: Endpoint, train: Sequence[str], fold: Fold, model: str, settings: OutcomeSettings, seed: int
) -> FittedOutcome:
    try:
        return fit_outcome(endpoint.samples(train), model, settings, seed=seed)
    except PointpetError as error:
        raise error.about(f"fold {fold.number}") from error


def _record(fitted: FittedOutcome, fold: Fold, cases: int, table: FeatureTable) -> OutcomeFold:
    return OutcomeFold(
        fold=fold.number,
        cases=cases,
        events=fitted.events,
        candidates=fitted.candidates,
        selected=tuple(table.names[column] for column in fitted.preparation.columns),
        threshold=fitted.threshold,
        parameters=fitted.parameters,
    )


def _predict(fitted: FittedOutcome, endpoint: Endpoint, test: Sequence[str], fold: Fold) -> list[CaseOutcome]:
    samples = endpoint.samples(test)
    chances = fitted.probabilities(samples.values, samples.sites)
    return [
        CaseOutcome(case_id, fold.number, float(chance), int(chance >= fitted.threshold), endpoint.truth[case_id])
        for case_id, chance in zip(test, chances, strict=True)
    ]
