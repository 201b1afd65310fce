"""Survival from features: Cox's model and the limit between risk groups, both from training cases alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from statsmodels.duration.hazard_regression import PHReg

from pointpet.core import FeatureTable, Fold, PointpetError, TrainingError
from pointpet.outcome.preparation import Preparation, fit_preparation
from pointpet.outcome.settings import OutcomeSettings

_PENALTY = 0.05
"""Weight of the ridge penalty on the mean log likelihood: coefficients stay finite where a feature separates events."""


@dataclass(frozen=True)
class CaseSurvival:
    """What one case was predicted: risk (log hazard, its own fold's scale) and whether it is in the high group."""

    case_id: str
    fold: int
    risk: float
    high: int
    time_days: float
    event: int


@dataclass(frozen=True, eq=False)
class SurvivalQuestion:
    """Features and follow-up.

    Args:
        table: features of the cases. follow_up: case id to (days, event); cases without are absent.
        sites: case id to site, where known.
    """

    table: FeatureTable
    follow_up: Mapping[str, tuple[float, int]]
    sites: Mapping[str, str | None]

    def rows(self, case_ids: Sequence[str]) -> tuple[list[str], NDArray[np.float64], list[str | None]]:
        """Those of the cases that have both, their features (n, p) and sites."""
        row = {case_id: number for number, case_id in enumerate(self.table.case_ids)}
        known = [case_id for case_id in case_ids if case_id in row and case_id in self.follow_up]
        return known, self.table.values[[row[c] for c in known]], [self.sites.get(c) for c in known]

    def times(self, case_ids: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Days (n,) and events (n,)."""
        follow_up = [self.follow_up[case_id] for case_id in case_ids]
        return np.array([days for days, _ in follow_up]), np.array([event == 1 for _, event in follow_up], bool)


@dataclass(frozen=True, eq=False)
class FittedSurvival:
    """A Cox model; `limit` is the median risk of the training cases, over which a case is in the high group."""

    preparation: Preparation
    coefficients: NDArray[np.float64]
    limit: float

    def risks(self, values: NDArray[np.float64], sites: Sequence[str | None]) -> NDArray[np.float64]:
        """Log hazard (n,) against the training mean."""
        return self.preparation.transform(values, sites) @ self.coefficients


def predict_survival(
    question: SurvivalQuestion, folds: Sequence[Fold], settings: OutcomeSettings
) -> tuple[CaseSurvival, ...]:
    """Train on each fold's training cases, give its test cases a risk and a group.

    Raises:
        TrainingError: a training fold has fewer than `min_events` events, or no feature varies.
    """
    found: list[CaseSurvival] = []
    for fold in folds:
        train, values, sites = question.rows(fold.train)
        time, event = question.times(train)
        try:
            fitted = fit_survival(values, sites, time, event, settings)
        except PointpetError as error:
            raise error.about(f"fold {fold.number}") from error
        test, values, sites = question.rows(fold.test)
        if not test:
            continue
        risks = fitted.risks(values, sites)
        time, event = question.times(test)
        found += [
            CaseSurvival(case_id, fold.number, float(risk), int(risk > fitted.limit), float(days), int(happened))
            for case_id, risk, days, happened in zip(test, risks, time, event, strict=True)
        ]
    return tuple(found)


def fit_survival(
    values: NDArray[np.float64],
    sites: Sequence[str | None],
    time: NDArray[np.float64],
    event: NDArray[np.bool_],
    settings: OutcomeSettings,
) -> FittedSurvival:
    """Fit Cox's model (Efron's ties, light ridge) to the features that speak most of survival.

    Args:
        values: (n, p), NaN where undefined. time: (n,) days. event: (n,) bool.

    Raises:
        TrainingError: fewer than `min_events` events, or no feature varies.
    """
    events = int(event.sum())
    if events < settings.min_events:
        raise TrainingError(
            "PP-SURVIVAL-EVENTS",
            "training fold",
            f"needs {settings.min_events} events, got {events} among {len(event)} cases",
            "Add patients or follow-up",
        )
    budget = settings.feature_budget(events)
    residual = null_residuals(time, event)
    preparation = fit_preparation(values, sites, lambda x: survival_strength(residual, x), budget, settings)
    prepared = preparation.transform(values, sites)
    model = PHReg(time, prepared, status=event.astype(int), ties="efron")
    coefficients = np.asarray(model.fit_regularized(alpha=_PENALTY, L1_wt=0.0).params)
    return FittedSurvival(preparation, coefficients, float(np.median(prepared @ coefficients)))


def null_residuals(time: NDArray[np.float64], event: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Martingale residuals (n,) of a model without features: events that happened minus those expected by then.

    Expected events are the Nelson-Aalen cumulative hazard.

    Source: Therneau, Grambsch and Fleming 1990, Biometrika 77(1), 147-160.
    """
    at_risk = (time[None, :] >= time[:, None]).sum(axis=1)
    earlier = (time[None, :] <= time[:, None]) & event[None, :]
    return event - (earlier / at_risk[None, :]).sum(axis=1)


def survival_strength(residual: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Size of the correlation (p,) of each feature's ranks with the residuals: the score test of Cox's model."""
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    centred = residual - residual.mean()
    norm = np.linalg.norm(ranks, axis=0) * np.linalg.norm(centred)
    return np.abs(centred @ ranks) / np.where(norm > 0, norm, np.inf)
