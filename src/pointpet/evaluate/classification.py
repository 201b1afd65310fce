"""How well classes are told apart. A measure that is undefined is None and counted, never 0.5.

The area under the ROC curve is taken fold by fold first: the folds' models are five, not one, so the pooled curve and
its DeLong interval are descriptions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import root_scalar
from scipy.stats import binomtest, norm, rankdata
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, recall_score, roc_auc_score

from pointpet.core import TrainingError

_NO_VARIANCE = 1e-12
"""Of an area: below it is rounding."""


@dataclass(frozen=True)
class Interval:
    """A value and its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class FoldMean:
    """Mean and sample standard deviation of a measure over folds.

    Args:
        mean: None where no fold defines the measure. sd: None with fewer than two such folds.
        values: one a fold, None where undefined.
    """

    mean: float | None
    sd: float | None
    values: tuple[float | None, ...]

    @property
    def undefined(self) -> int:
        """Number of folds in which the measure is undefined."""
        return sum(value is None for value in self.values)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predicted probability against observed share, in bins that hold equal numbers of cases.

    Args:
        predicted, observed: (n_bins,) mean probability and share of positives of each bin that has cases.
        expected_error: mean distance between probability and share, weighted by the bins' cases.
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    expected_error: float


def fold_mean(values: Sequence[float | None]) -> FoldMean:
    """Summarise one value a fold; undefined ones are left out of the mean and counted."""
    defined = [value for value in values if value is not None]
    return FoldMean(
        mean=float(np.mean(defined)) if defined else None,
        sd=float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        values=tuple(values),
    )


def accuracy(truth: ArrayLike, predicted: ArrayLike) -> float | None:
    """Share of right answers; None without cases."""
    true, guess = np.asarray(truth), np.asarray(predicted)
    return float(np.mean(true == guess)) if len(true) else None


def balanced_accuracy(truth: ArrayLike, predicted: ArrayLike) -> float | None:
    """Mean over the true classes of the share found; None with fewer than two true classes."""
    classes = np.unique(np.asarray(truth))
    if len(classes) < 2:
        return None
    return float(recall_score(truth, predicted, labels=classes, average="macro"))


def sensitivity(truth: ArrayLike, predicted: ArrayLike) -> float | None:
    """Share of the positives (bool) found; None without positives."""
    true, guess = np.asarray(truth, bool), np.asarray(predicted, bool)
    return float(guess[true].mean()) if true.any() else None


def specificity(truth: ArrayLike, predicted: ArrayLike) -> float | None:
    """Share of the negatives (bool) left alone; None without negatives."""
    return sensitivity(~np.asarray(truth, bool), ~np.asarray(predicted, bool))


def roc_auc(truth: ArrayLike, score: ArrayLike) -> float | None:
    """Area under the ROC curve of a score for the positives (bool); None where only one kind occurs."""
    true = np.asarray(truth, bool)
    return float(roc_auc_score(true, score)) if true.any() and not true.all() else None


def auc_by_fold(truth: ArrayLike, score: ArrayLike, fold: ArrayLike) -> FoldMean:
    """Area under the ROC curve in each fold, by fold number, and its mean."""
    true, scores, folds = np.asarray(truth, bool), np.asarray(score, float), np.asarray(fold)
    return fold_mean([roc_auc(true[folds == number], scores[folds == number]) for number in np.unique(folds)])


def pr_auc(truth: ArrayLike, score: ArrayLike) -> float | None:
    """Average precision; its chance level is the prevalence. None where only one kind occurs."""
    true = np.asarray(truth, bool)
    return float(average_precision_score(true, score)) if true.any() and not true.all() else None


def brier_score(truth: Sequence[str], probabilities: NDArray[np.float64], classes: Sequence[str]) -> float | None:
    """Mean squared error of probabilities (n_cases, n_classes), over the classes summed and halved.

    Halved, so that for two classes it is the usual Brier score of the positive class. None without cases.

    Source: Brier 1950, Monthly Weather Review 78(1), 1-3.
    """
    if not len(truth):
        return None
    indicator = np.array([[name == label for name in classes] for label in truth], float)
    return float(((np.asarray(probabilities) - indicator) ** 2).sum(axis=1).mean() / 2.0)


def calibrate(truth: ArrayLike, probability: ArrayLike, *, n_bins: int = 10) -> Calibration | None:
    """Calibration curve of a probability for the positives (bool), bins by quantile; None without cases."""
    true, chance = np.asarray(truth, bool), np.asarray(probability, float)
    if not len(true):
        return None
    observed, predicted = calibration_curve(true, chance, n_bins=n_bins, strategy="quantile")
    edges = np.percentile(chance, np.linspace(0, 100, n_bins + 1))
    counts = np.bincount(np.searchsorted(edges[1:-1], chance), minlength=n_bins)
    weights = counts[counts > 0] / len(true)
    return Calibration(predicted, observed, float(np.sum(weights * np.abs(observed - predicted))))


def delong_covariance(truth: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas (k,) under the ROC curves of k scores (k, n) of the same cases, and their covariance (k, k).

    Raises:
        TrainingError: fewer than two positives or two negatives.

    Source: DeLong 1988, Biometrics 44(3), 837-845, in the midrank form of Sun and Xu 2014, IEEE Signal Processing
    Letters 21(11), 1389-1393.
    """
    true = np.asarray(truth, bool)
    rows = np.atleast_2d(np.asarray(scores, float))
    positives, negatives = rows[:, true], rows[:, ~true]
    m, n = positives.shape[1], negatives.shape[1]
    if min(m, n) < 2:
        raise TrainingError(
            "PP-DELONG-COUNT",
            "DeLong's covariance",
            f"needs two positives and two negatives, got {m} and {n}",
            "Report the area without an interval",
        )
    ranks = rankdata(np.concatenate([positives, negatives], axis=1), axis=1)
    over_negatives = (ranks[:, :m] - rankdata(positives, axis=1)) / n
    over_positives = 1.0 - (ranks[:, m:] - rankdata(negatives, axis=1)) / m
    covariance = np.atleast_2d(np.cov(over_negatives)) / m + np.atleast_2d(np.cov(over_positives)) / n
    return over_negatives.mean(axis=1), covariance


def delong_interval(truth: ArrayLike, score: ArrayLike, *, level: float = 0.95) -> Interval | None:
    """Area under one ROC curve with DeLong's interval, cut to [0, 1]; None with fewer than two of either kind.

    Where DeLong's variance is 0 (all cases told apart, or all scores equal) his interval has no width, as if a few
    cases could prove an area of 1: Newcombe's stands in.
    """
    true = np.asarray(truth, bool)
    if min(true.sum(), (~true).sum()) < 2:
        return None
    areas, covariance = delong_covariance(true, score)
    if covariance[0, 0] <= _NO_VARIANCE:
        return newcombe_interval(float(areas[0]), int(true.sum()), int((~true).sum()), level=level)
    half = norm.ppf(0.5 + level / 2) * np.sqrt(covariance[0, 0])
    return Interval(float(areas[0]), float(max(areas[0] - half, 0.0)), float(min(areas[0] + half, 1.0)))


def newcombe_interval(area: float, positives: int, negatives: int, *, level: float = 0.95) -> Interval:
    """Score interval of an area under one ROC curve from the numbers of cases alone: wide where they are few.

    Its limits are the areas whose own standard error, by Hanley and McNeil, lies the critical value away from `area`;
    so an area of 1 has a lower limit, as a share of 1 has in Wilson's interval.

    Source: Newcombe 2006, Statistics in Medicine 25(4), 559-573, method 5.
    """
    critical = float(norm.ppf(0.5 + level / 2))

    def excess(limit: float, value: float) -> float:
        return (value - limit) ** 2 - critical**2 * _hanley_mcneil(limit, positives, negatives)

    def lower(value: float) -> float:
        if value <= _NO_VARIANCE:
            return 0.0
        # An area of 1 solves the equation too, without being a limit: the search ends short of it.
        end = min(value, 1.0 - 1e-9)
        return float(root_scalar(excess, args=(value,), bracket=(0.0, end)).root)

    return Interval(area, lower(area), 1.0 - lower(1.0 - area))


def _hanley_mcneil(area: float, positives: int, negatives: int) -> float:
    """Variance of an estimated area, the same for `area` and 1 - `area`."""
    cases = (positives + negatives) / 2 - 1
    spread = 1 + cases * (1 - area) / (2 - area) + cases * area / (1 + area)
    return area * (1 - area) * spread / (positives * negatives)


def wilson_interval(successes: int, trials: int, *, level: float = 0.95) -> Interval | None:
    """A proportion with Wilson's score interval; None without trials."""
    if trials == 0:
        return None
    interval = binomtest(successes, trials).proportion_ci(confidence_level=level, method="wilson")
    return Interval(successes / trials, float(interval.low), float(interval.high))
