"""From a raw certainty to a probability that can be trusted, and what is gained by looking at unsure cases first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, logit

from pointpet.core import derive_seed

if TYPE_CHECKING:
    from pointpet.evaluate.classification import Interval

_LEAST = 1e-3
"""Certainties are cut to [_LEAST, 1 - _LEAST] before their logit is taken."""

SLOPE_SD = 0.5
"""Standard deviation of the prior on the slope of a scaling."""

_LOG_TEMPERATURES = (-3.0, 3.0)


@dataclass(frozen=True)
class Scaling:
    """confidence = expit(slope x logit(certainty) + intercept); the slope is never negative, so that ranks stay.

    Args:
        cases, events: how many it was fitted on, and how many of them were right.
    """

    slope: float
    intercept: float
    cases: int
    events: int

    def __call__(self, certainty: ArrayLike) -> NDArray[np.float64]:
        """Calibrated confidence of each certainty."""
        return expit(self.slope * _logit(certainty) + self.intercept)


def fit_scaling(certainty: ArrayLike, event: ArrayLike) -> Scaling | None:
    """Platt's scaling of certainties in [0, 1] to the chance of `event`; None without cases.

    Platt's own targets, (events + 1) / (events + 2) and 1 / (others + 2), keep a fit on few cases, or on cases of one
    kind, from certainty that they do not bear. A normal prior of mean 1 and standard deviation `SLOPE_SD` on the slope
    keeps such a fit from a slope of 0, by which all cases would be as sure as each other.

    Source: Platt 1999, Probabilistic outputs for support vector machines, section 2.2.
    """
    happened = np.asarray(event, bool)
    if not len(happened):
        return None
    x = _logit(certainty)
    events, others = int(happened.sum()), int((~happened).sum())
    target = np.where(happened, (events + 1) / (events + 2), 1 / (others + 2))

    def loss(parameters: NDArray[np.float64]) -> float:
        score = parameters[0] * x + parameters[1]
        prior = (parameters[0] - 1) ** 2 / (2 * SLOPE_SD**2)
        return float(np.sum(np.logaddexp(0.0, score) - target * score) + prior)

    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.0, 20.0), (-20.0, 20.0)])
    return Scaling(float(found.x[0]), float(found.x[1]), len(happened), events)


def fit_temperature(probabilities: NDArray[np.float64], truth: ArrayLike) -> float | None:
    """The temperature that softens class probabilities best: lowest cross-entropy; None without cases.

    Args:
        probabilities: (n_cases, n_classes), of each class. truth: (n_cases,) index of the true class.

    Source: Guo et al. 2017, On calibration of modern neural networks, ICML.
    """
    true = np.asarray(truth, int)
    if not len(true):
        return None
    scores = np.log(np.clip(np.asarray(probabilities, float), 1e-12, 1.0))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(scores / np.exp(log_temperature), axis=1)[np.arange(len(true)), true].mean())

    found: Any = minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded")
    return float(np.exp(found.x))


def tempered(probabilities: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Class probabilities at a temperature; the likeliest class stays the likeliest."""
    if not probabilities:
        return {}
    scores = np.log(np.clip(np.array(list(probabilities.values()), float), 1e-12, 1.0)) / temperature
    return dict(zip(probabilities, np.exp(log_softmax(scores)).tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Mean risk of the cases kept, the surest first.

    Args:
        coverage, risk: (n,) share of the cases kept, from 1/n to 1, and their mean risk; cases of one confidence are
            kept or left out together, in any order at their mean.
        area: mean of the risk over the coverages. random: that of an order that knows nothing, the mean risk.
        best: that of an order by the risk itself.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    area: float
    random: float
    best: float


def risk_coverage(confidence: ArrayLike, risk: ArrayLike) -> RiskCoverage | None:
    """Risk against coverage of cases ranked by confidence; None without cases.

    Source: Geifman and El-Yaniv 2017, Selective classification for deep neural networks, NeurIPS.
    """
    score, loss = np.asarray(confidence, float), np.asarray(risk, float)
    if not len(loss):
        return None
    curve = _kept_risk(score, loss)
    count = np.arange(1, len(loss) + 1)
    return RiskCoverage(
        coverage=count / len(loss),
        risk=curve,
        area=float(curve.mean()),
        random=float(loss.mean()),
        best=float(_kept_risk(-loss, loss).mean()),
    )


def _kept_risk(score: NDArray[np.float64], loss: NDArray[np.float64]) -> NDArray[np.float64]:
    _, tied = np.unique(-score, return_inverse=True)
    means = np.bincount(tied, loss) / np.bincount(tied)
    return np.cumsum(means[np.sort(tied)]) / np.arange(1, len(loss) + 1)


def gain_interval(confidence: ArrayLike, risk: ArrayLike, patients: Sequence[str], *, seed: int) -> Interval | None:
    """Random minus own area under the risk-coverage curve, with its bootstrap interval over patients."""
    # Here, since a prediction, which needs a fitted scaling alone, is spared the second that the import takes.
    from pointpet.evaluate.intervals import statistic_interval

    score, loss = np.asarray(confidence, float), np.asarray(risk, float)
    if not len(loss):
        return None

    def gain(index: NDArray[np.int64]) -> float | None:
        found = risk_coverage(score[index], loss[index])
        return None if found is None else found.random - found.area

    return statistic_interval(gain, patients, seed=derive_seed(seed, "risk coverage"))[0]


def _logit(certainty: ArrayLike) -> NDArray[np.float64]:
    return logit(np.clip(np.asarray(certainty, float), _LEAST, 1 - _LEAST))
