"""ComBat: shift and scale of each site taken out of the features, estimated on training cases alone.

The kept libraries either estimate on all cases at once, test cases too (neuroCombat), or bring plotting and embedding
libraries with them (combatlearn); the parametric form is short and is held against neuroCombat in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pointpet.core import TrainingError

MIN_SITE_CASES = 5
"""A site with fewer training cases is left as it is: its scale cannot be told from chance."""

_TOLERANCE = 1e-8
_MAX_ROUNDS = 1000


class Combat:
    """Parametric empirical Bayes harmonisation, without covariates.

    No outcome is kept as a covariate: a test case's outcome is not known, and to keep it in training alone would leak
    it. A site that training has not, or with fewer than `min_site_cases` training cases, is passed through unchanged,
    and named in `unadjusted_`.

    Args:
        min_site_cases: training cases that a site needs.

    Source: Johnson, Li and Rabinovic 2007, Biostatistics 8(1), 118-127; Fortin et al. 2018, NeuroImage 167, 104-120.
    """

    def __init__(self, min_site_cases: int = MIN_SITE_CASES) -> None:
        self.min_site_cases = min_site_cases

    def fit(self, values: NDArray[np.float64], sites: Sequence[str]) -> Combat:
        """Estimate each site's shift and scale.

        Args:
            values: (n, p), finite. sites: (n,) site of each case.

        Raises:
            TrainingError: fewer than two sites have enough cases, or fewer than two features vary.
        """
        site = np.asarray(sites)
        counts = {str(name): int((site == name).sum()) for name in np.unique(site)}
        used = [name for name, count in counts.items() if count >= self.min_site_cases]
        if len(used) < 2:
            raise TrainingError(
                "PP-COMBAT-SITES",
                "ComBat",
                f"needs two sites with {self.min_site_cases} training cases each, got {counts}",
                "Pool small sites, or set outcome.harmonise to none",
            )
        self.unadjusted_ = tuple(name for name in counts if name not in used)
        rows = np.isin(site, used)
        values, site = values[rows], site[rows]
        centred = values.copy()
        for name in used:
            centred[site == name] -= values[site == name].mean(axis=0)
        spread = np.sqrt((centred**2).mean(axis=0))
        self.varies_ = spread > 1e-9 * np.maximum(np.abs(values).max(axis=0), 1e-300)
        if self.varies_.sum() < 2:
            raise TrainingError(
                "PP-COMBAT-FEATURES",
                "ComBat",
                f"needs two features that vary inside sites, got {int(self.varies_.sum())}",
                "Set outcome.harmonise to none",
            )
        self.mean_, self.spread_ = values.mean(axis=0)[self.varies_], spread[self.varies_]
        standard = (values[:, self.varies_] - self.mean_) / self.spread_
        self.effects_ = {name: _site_effect(standard[site == name]) for name in used}
        return self

    def transform(self, values: NDArray[np.float64], sites: Sequence[str]) -> NDArray[np.float64]:
        """Values (n, p) with the effects of the sites known from training taken out; the input is unchanged."""
        site, adjusted = np.asarray(sites), np.array(values, np.float64)
        for name, (shift, scale) in self.effects_.items():
            rows = np.flatnonzero(site == name)
            standard = (values[rows][:, self.varies_] - self.mean_) / self.spread_
            adjusted[np.ix_(rows, np.flatnonzero(self.varies_))] = (standard - shift) / np.sqrt(
                scale
            ) * self.spread_ + self.mean_
        return adjusted


def _site_effect(standard: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Posterior shift and variance (p,) of one site's standardised values (n, p), shrunk over the features."""
    n = len(standard)
    shift, scale = standard.mean(axis=0), np.maximum(standard.var(axis=0, ddof=1), 1e-12)
    prior_mean, prior_var = shift.mean(), shift.var(ddof=1)
    mean, var = scale.mean(), max(float(scale.var(ddof=1)), 1e-12)
    shape, rate = (2 * var + mean**2) / var, (mean * var + mean**3) / var
    new_shift, new_scale = shift, scale
    for _ in range(_MAX_ROUNDS):
        before = np.concatenate([new_shift, new_scale])
        new_shift = (prior_var * n * shift + new_scale * prior_mean) / (prior_var * n + new_scale)
        squares = ((standard - new_shift) ** 2).sum(axis=0)
        new_scale = (0.5 * squares + rate) / (n / 2 + shape - 1)
        if np.abs(np.concatenate([new_shift, new_scale]) - before).max() < _TOLERANCE:
            break
    return new_shift, new_scale
