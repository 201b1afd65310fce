"""Survival of risk groups: Kaplan-Meier, log-rank test, hazard ratio, concordance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight, survdiff
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from pointpet.evaluate.classification import Interval

_LARGEST_LOG_RATIO = 8.0
"""A hazard 3000 times as large is a likelihood that grows without end, not an estimate."""


@dataclass(frozen=True, eq=False)
class SurvivalCurve:
    """Kaplan-Meier estimate.

    Args:
        days: (k,) times of events. survival: (k,) share still free of the event just after them.
        low, high: (k,) 95 % limits on the log-log scale, NaN where undefined. at_risk: (k,).
    """

    days: NDArray[np.float64]
    survival: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    at_risk: NDArray[np.float64]


def kaplan_meier(time: ArrayLike, event: ArrayLike, *, level: float = 0.95) -> SurvivalCurve:
    """Kaplan-Meier curve of follow-up (n,) in days and events (n,) bool; without events it has no step.

    Source: Kaplan and Meier 1958, J. Am. Stat. Assoc. 53(282), 457-481; limits after Kalbfleisch and Prentice 1980.
    """
    happened = np.asarray(event, bool)
    if not happened.any():
        return SurvivalCurve(*(np.zeros(0) for _ in range(5)))
    curve = SurvfuncRight(np.asarray(time, float), happened.astype(int))
    survival = np.asarray(curve.surv_prob, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = norm.ppf(0.5 + level / 2) * np.asarray(curve.surv_prob_se) / (survival * np.abs(np.log(survival)))
        low, high = survival ** np.exp(half), survival ** np.exp(-half)
    inside = (survival > 0) & (survival < 1)
    low, high = (np.where(inside, limit, np.nan) for limit in (low, high))
    return SurvivalCurve(np.asarray(curve.surv_times, float), survival, low, high, np.asarray(curve.n_risk, float))


def log_rank_p(time: ArrayLike, event: ArrayLike, group: ArrayLike, strata: ArrayLike | None = None) -> float | None:
    """Two-sided p of the log-rank test between two groups, within strata; None with one group or without events.

    Source: Mantel 1966, Cancer Chemother. Rep. 50(3), 163-170.
    """
    groups, happened = np.asarray(group), np.asarray(event, bool)
    if len(np.unique(groups)) < 2 or not happened.any():
        return None
    parts = None if strata is None else np.asarray(strata)
    _, p = survdiff(np.asarray(time, float), happened.astype(int), groups, strata=parts)
    return float(p) if np.isfinite(p) else None


def hazard_ratio(
    time: ArrayLike, event: ArrayLike, high: ArrayLike, strata: ArrayLike | None = None
) -> Interval | None:
    """Hazard of the high group against the low one by Cox's model with its 95 % Wald interval, within strata.

    None where a group is empty or has no event, or where all events of one group come before those of the other: the
    ratio is then 0 or infinite.

    Source: Cox 1972, J. R. Stat. Soc. B 34(2), 187-220; Efron 1977 for ties.
    """
    groups, happened = np.asarray(high, bool), np.asarray(event, bool)
    if not (happened & groups).any() or not (happened & ~groups).any():
        return None
    model = PHReg(
        np.asarray(time, float), groups[:, None].astype(float), status=happened.astype(int), strata=strata, ties="efron"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # seen by the ratio's size below
        fitted = model.fit()
    log_ratio, error = float(np.asarray(fitted.params)[0]), float(np.asarray(fitted.bse)[0])
    if not abs(log_ratio) < _LARGEST_LOG_RATIO or not np.isfinite(error):
        return None
    half = norm.ppf(0.975) * error
    return Interval(float(np.exp(log_ratio)), float(np.exp(log_ratio - half)), float(np.exp(log_ratio + half)))


def concordance(time: ArrayLike, event: ArrayLike, risk: ArrayLike) -> float | None:
    """Harrell's C: share of pairs whose order is known in which the higher risk had the event first; ties count half.

    None where no pair's order is known.

    Source: Harrell, Lee and Mark 1996, Stat. Med. 15(4), 361-387.
    """
    times, happened, risks = np.asarray(time, float), np.asarray(event, bool), np.asarray(risk, float)
    first = happened[:, None] & (
        (times[:, None] < times[None, :]) | ((times[:, None] == times[None, :]) & ~happened[None, :])
    )
    if not first.any():
        return None
    wins = (risks[:, None] > risks[None, :]) + 0.5 * (risks[:, None] == risks[None, :])
    return float((first * wins).sum() / first.sum())
