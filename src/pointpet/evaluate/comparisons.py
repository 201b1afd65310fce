"""Paired comparisons between methods on the same patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, rankdata, t, wilcoxon

from pointpet.evaluate.intervals import mean_interval


@dataclass(frozen=True)
class PairedComparison:
    """Method A minus method B over patients.

    Args:
        difference, low, high: mean difference and its bootstrap interval.
        p: two-sided. effect: matched-pairs rank-biserial correlation, -1 to 1; None where all differences are 0.
        n: number of patients compared.
    """

    difference: float
    low: float
    high: float
    p: float
    effect: float | None
    n: int


def compare_paired(a: ArrayLike, b: ArrayLike, patients: Sequence[str], *, seed: int) -> PairedComparison | None:
    """Compare two methods' values of the same cases.

    Cases in which either is undefined are left out; a patient's cases are averaged first. Measures that are only ever
    0 or 1 a patient get McNemar's exact test, all others Wilcoxon's signed-rank test.

    Args:
        a, b: (n,) values of each case, NaN where undefined. patients: (n,) patient ids.

    Returns:
        None where no case is left.
    """
    differences = np.asarray(a, float) - np.asarray(b, float)
    defined = np.isfinite(differences)
    if not defined.any():
        return None
    names = np.asarray(patients)[defined]
    unique, group = np.unique(names, return_inverse=True)
    by_patient = np.bincount(group, differences[defined]) / np.bincount(group)
    interval = mean_interval(by_patient, list(unique), seed=seed)
    assert interval is not None
    return PairedComparison(
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        p=paired_p(by_patient),
        effect=rank_biserial(by_patient),
        n=len(unique),
    )


def paired_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of paired differences (n,), one a patient.

    Differences of 0 are ranked with the others and then left out (Pratt's way), so that ties between methods are
    evidence for neither; with nothing but 0 the p is 1.

    Source: Pratt 1959, J. Am. Stat. Assoc. 54(287), 655-667; McNemar 1947, Psychometrika 12(2), 153-157.
    """
    if not np.any(differences):
        return 1.0
    if np.isin(differences, (-1.0, 0.0, 1.0)).all():
        return float(binomtest(int((differences > 0).sum()), int((differences != 0).sum())).pvalue)
    _, p = wilcoxon(differences, zero_method="pratt")
    return float(p)  # type: ignore[arg-type]


def rank_biserial(differences: NDArray[np.float64]) -> float | None:
    """Matched-pairs rank-biserial correlation: share of ranks for A minus share for B; None where all are 0.

    Source: Kerby 2014, Comprehensive Psychology 3, 11.IT.3.1.
    """
    nonzero = differences[differences != 0]
    if not len(nonzero):
        return None
    ranks = rankdata(np.abs(nonzero))
    return float((ranks[nonzero > 0].sum() - ranks[nonzero < 0].sum()) / ranks.sum())


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of a family of p-values, in the order given.

    Source: Holm 1979, Scand. J. Stat. 6(2), 65-70.
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def nadeau_bengio_p(differences: ArrayLike, n_train: float, n_test: float) -> float | None:
    """Two-sided p of fold-level differences (k,), corrected for training sets that overlap.

    Args:
        differences: measure of A minus that of B, one a fold.
        n_train, n_test: number of patients trained and tested on in a fold, on average.

    Returns:
        None with fewer than two folds; 1 where all differences are 0.

    Source: Nadeau and Bengio 2003, Machine Learning 52, 239-281: the variance is scaled by 1/k + n_test/n_train.
    """
    values = np.asarray(differences, float)
    if len(values) < 2:
        return None
    if not np.any(values):
        return 1.0
    scale = np.sqrt((1.0 / len(values) + n_test / n_train) * values.var(ddof=1))
    return float(2.0 * t.sf(np.abs(values.mean()) / scale, len(values) - 1)) if scale > 0 else 0.0
