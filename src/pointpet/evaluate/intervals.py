"""Confidence intervals by bootstrap over patients.

A patient is drawn with all their cases, from the whole cohort; drawing inside folds would hide a part of the variance
when folds are small. The statistic is the mean of the folds' means, the figure that tables show.

A share of 0 or 1 is the same in every draw, as if a few patients could prove it: Wilson's interval of the patients
stands in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap

from pointpet.core import derive_seed
from pointpet.evaluate.classification import Interval, wilson_interval

N_RESAMPLES = 2000
"""At 2000 draws a 95 % limit moves by about a hundredth of the interval's width from seed to seed."""

BootstrapMethod = Literal["percentile", "BCa"]


def fold_mean_interval(
    values: ArrayLike,
    patients: Sequence[str],
    folds: ArrayLike,
    *,
    seed: int,
    level: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    method: BootstrapMethod = "percentile",
    is_share: bool = False,
) -> Interval | None:
    """Mean over folds of the mean over a fold's cases, with its bootstrap interval.

    Args:
        values: (n,) one a case; NaN where undefined (left out).
        patients: (n,) patient ids. folds: (n,) fold numbers.
        is_share: each value is 1 or 0, and their mean a share.

    Returns:
        None where no value is defined; an interval of no width where there is one patient only, or where all values
        are equal, unless they make a share: then Wilson's, in which each patient counts once.
    """
    numbers = np.asarray(values, float)
    defined = np.isfinite(numbers)
    known = set(numbers[defined].tolist())
    if is_share and len(known) == 1 and known <= {0.0, 1.0}:
        trials = len(set(np.asarray(patients)[defined]))
        return wilson_interval(trials if known == {1.0} else 0, trials, level=level)
    return _grouped_interval(numbers, patients, folds, seed, level=level, n_resamples=n_resamples, method=method)


def mean_interval(
    values: ArrayLike,
    patients: Sequence[str],
    *,
    seed: int,
    level: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    method: BootstrapMethod = "percentile",
) -> Interval | None:
    """Mean over cases, with its bootstrap interval; also of paired differences. See `fold_mean_interval`."""
    folds = np.zeros(len(patients), int)
    return _grouped_interval(values, patients, folds, seed, level=level, n_resamples=n_resamples, method=method)


def statistic_interval(
    statistic: Callable[[NDArray[np.int64]], float | None],
    patients: Sequence[str],
    *,
    seed: int,
    level: float = 0.95,
    n_resamples: int = N_RESAMPLES,
) -> tuple[Interval | None, int]:
    """Any statistic of the cases with its percentile interval.

    Args:
        statistic: takes case indices (repeats included), returns a number, or None where undefined.
        patients: (n,) patient ids of the cases.

    Returns:
        The interval, None where the statistic of the cases themselves is undefined; and the number of draws in which
        it was undefined, which the interval leaves out.
    """
    value = statistic(np.arange(len(patients)))
    if value is None:
        return None, n_resamples
    members = _members(patients)
    random = np.random.default_rng(derive_seed(seed, "bootstrap"))
    draws = (random.integers(len(members), size=len(members)) for _ in range(n_resamples))
    results = [statistic(np.concatenate([members[index] for index in draw])) for draw in draws]
    defined = [result for result in results if result is not None] or [value]
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(value), float(low), float(high)), n_resamples - len(defined)


def _members(patients: Sequence[str]) -> list[NDArray[np.int64]]:
    """Case indices of each patient."""
    _, group = np.unique(np.asarray(patients), return_inverse=True)
    return [np.flatnonzero(group == number) for number in range(group.max() + 1)]


def _grouped_interval(
    values: ArrayLike,
    patients: Sequence[str],
    folds: ArrayLike,
    seed: int,
    *,
    level: float,
    n_resamples: int,
    method: BootstrapMethod,
) -> Interval | None:
    numbers = np.asarray(values, float)
    defined = np.isfinite(numbers)
    if not defined.any():
        return None
    numbers, fold = numbers[defined], np.asarray(folds)[defined]
    _, group = np.unique(np.asarray(patients)[defined], return_inverse=True)
    sums, counts = _per_patient_and_fold(numbers, group, fold)

    def mean(index: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        # `axis` is SciPy's vectorised signature; patients run along the last one.
        cases = counts[:, index].sum(axis=axis)
        means = np.divide(sums[:, index].sum(axis=axis), cases, out=np.zeros(cases.shape), where=cases > 0)
        # A draw may hold no patient of a fold: the mean is over the folds it holds.
        return means.sum(axis=0) / (cases > 0).sum(axis=0)

    everyone = np.arange(group.max() + 1)
    value = float(mean(everyone))
    if len(everyone) < 2 or np.ptp(numbers) == 0:
        return Interval(value, value, value)
    result = bootstrap(
        (everyone,),
        mean,
        n_resamples=n_resamples,
        confidence_level=level,
        method=method,
        vectorized=True,
        rng=np.random.default_rng(derive_seed(seed, "bootstrap")),
    )
    interval = result.confidence_interval
    return Interval(value, float(interval.low), float(interval.high))


def _per_patient_and_fold(
    values: NDArray[np.float64], group: NDArray[np.int64], fold: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of the values and number of the cases of each patient in each fold, both (n_folds, n_patients)."""
    _, number = np.unique(fold, return_inverse=True)
    shape = (number.max() + 1, group.max() + 1)
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (number, group), values)
    np.add.at(counts, (number, group), 1.0)
    return sums, counts
