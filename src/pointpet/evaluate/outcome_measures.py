"""Measures of a binary outcome over folds with their intervals, and differences between two methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core import derive_seed
from pointpet.evaluate.classification import FoldMean, Interval, auc_by_fold, fold_mean
from pointpet.evaluate.comparisons import compare_paired, nadeau_bengio_p
from pointpet.evaluate.intervals import N_RESAMPLES, fold_mean_interval


@dataclass(frozen=True, eq=False)
class Answers:
    """What one method said of the cases of one endpoint; all methods' answers are in the same order of cases.

    Args:
        truth, prediction: (n,) bool. probability: (n,) of the outcome 1.
        folds: (n,) fold numbers. patients: (n,).
    """

    truth: NDArray[np.bool_]
    prediction: NDArray[np.bool_]
    probability: NDArray[np.float64]
    folds: NDArray[np.int64]
    patients: Sequence[str]


@dataclass(frozen=True)
class OutcomeMeasure:
    """A measure over folds with the bootstrap interval of its mean; None where it is undefined."""

    over_folds: FoldMean
    interval: Interval | None


@dataclass(frozen=True)
class OutcomeDifference:
    """Method A minus method B: difference with its interval, two-sided p, number of patients."""

    difference: float
    low: float
    high: float
    p: float | None
    n: int


def measure_outcome(answers: Answers, *, seed: int) -> dict[str, OutcomeMeasure]:
    """Accuracy, sensitivity, specificity and AUC, each fold by fold first.

    Intervals are percentile bootstrap over patients of the mean over folds, Wilson's for a share of 0 or 1; the folds'
    models are kept as they are.
    """
    right = (answers.truth == answers.prediction).astype(float)
    by_case = {
        "accuracy": right,
        "sensitivity": np.where(answers.truth, right, np.nan),
        "specificity": np.where(answers.truth, np.nan, right),
    }
    found = {}
    for name, values in by_case.items():
        parts = [values[(answers.folds == number) & np.isfinite(values)] for number in np.unique(answers.folds)]
        means = fold_mean([float(part.mean()) if len(part) else None for part in parts])
        own = derive_seed(seed, name)
        limits = fold_mean_interval(values, answers.patients, answers.folds, seed=own, is_share=True)
        found[name] = OutcomeMeasure(means, limits)
    areas = auc_by_fold(answers.truth, answers.probability, answers.folds)
    return found | {"auc": OutcomeMeasure(areas, auc_interval(answers, seed=derive_seed(seed, "auc")))}


def auc_interval(answers: Answers, *, seed: int, level: float = 0.95) -> Interval | None:
    """Mean over folds of the area under the ROC curve, with its interval by bootstrap over patients.

    None where no fold has both outcomes, and where every draw gives the same area: a fold whose cases are all told
    apart stays so however they are drawn, and an interval of no width would claim a certainty that nobody has. A fold
    that a draw leaves without one of the outcomes is left out of that draw's mean.
    """
    draws = _draws(answers.patients, seed)
    interval = _interval(_fold_mean_auc(answers, draws), level)
    return None if interval is None or interval.low == interval.high else interval


def compare_auc(a: Answers, b: Answers, *, seed: int) -> OutcomeDifference | None:
    """Difference of two methods' fold-mean areas on the same cases; None where no fold has both outcomes.

    The interval is by bootstrap over patients, drawn alike for both. p is Nadeau and Bengio's over the folds'
    differences: unlike the interval it allows for the training of each fold, so the two may disagree.
    """
    _require_same_cases(a, b)
    draws = _draws(a.patients, seed)
    interval = _interval(_fold_mean_auc(a, draws) - _fold_mean_auc(b, draws), 0.95)
    if interval is None:
        return None
    areas = [auc_by_fold(one.truth, one.probability, one.folds).values for one in (a, b)]
    differences = [x - y for x, y in zip(*areas, strict=True) if x is not None and y is not None]
    n, k = len(set(a.patients)), len(np.unique(a.folds))
    p = nadeau_bengio_p(differences, n * (k - 1) / k, n / k)
    return OutcomeDifference(interval.value, interval.low, interval.high, p, n)


def compare_accuracy(a: Answers, b: Answers, *, seed: int) -> OutcomeDifference | None:
    """Difference of two methods' shares of right answers over patients: McNemar's exact test, bootstrap interval."""
    _require_same_cases(a, b)
    found = compare_paired(a.truth == a.prediction, b.truth == b.prediction, a.patients, seed=seed)
    return None if found is None else OutcomeDifference(found.difference, found.low, found.high, found.p, found.n)


def _require_same_cases(a: Answers, b: Answers) -> None:
    assert np.array_equal(a.truth, b.truth), "answers of the same cases, in the same order"
    assert list(a.patients) == list(b.patients), "answers of the same cases, in the same order"


def _draws(patients: Sequence[str], seed: int) -> NDArray[np.float64]:
    """How often each case stands in each sample (1 + n_resamples, n); the first sample is the cases themselves."""
    _, group = np.unique(np.asarray(patients), return_inverse=True)
    number = int(group.max()) + 1
    random = np.random.default_rng(derive_seed(seed, "bootstrap"))
    counts = random.multinomial(number, np.full(number, 1 / number), size=N_RESAMPLES)
    return np.vstack([np.ones(number), counts])[:, group].astype(float)


def _fold_mean_auc(answers: Answers, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over folds of the area, one a row of case weights (m, n); NaN where no fold defines it."""
    areas = []
    for number in np.unique(answers.folds):
        own = answers.folds == number
        positive = own & answers.truth
        negative = own & ~answers.truth
        high, low = answers.probability[positive][:, None], answers.probability[negative][None, :]
        wins = (high > low) + 0.5 * (high == low)
        up, down = weights[:, positive], weights[:, negative]
        pairs = up.sum(axis=1) * down.sum(axis=1)
        total = np.einsum("mi,ij,mj->m", up, wins, down, optimize=True)
        areas.append(np.divide(total, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))
    table = np.array(areas)
    known = np.isfinite(table)
    sums = np.where(known, table, 0.0).sum(axis=0)
    return np.divide(sums, known.sum(axis=0), out=np.full(len(weights), np.nan), where=known.any(axis=0))


def _interval(values: NDArray[np.float64], level: float) -> Interval | None:
    """The first value with the percentiles of the others."""
    if not np.isfinite(values[0]):
        return None
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.quantile(drawn if len(drawn) else values[:1], [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(values[0]), float(low), float(high))
