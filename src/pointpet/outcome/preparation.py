"""From raw features to the few that a model is given: every step fitted on training cases alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from pointpet.core import TrainingError
from pointpet.outcome.combat import Combat
from pointpet.outcome.settings import OutcomeSettings

Relevance = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Takes features (n, p) without gaps, gives how strongly each speaks of the endpoint (p,), larger is stronger."""

_CLIP = 4.0
"""Prepared values are cut to this many standard deviations: a mask that went astray must not decide alone."""


@dataclass(frozen=True, eq=False)
class Preparation:
    """Fitted steps: gaps filled, sites harmonised, features selected, made symmetric and scaled.

    Args:
        usable: (p,) features with two different values or more among the training cases.
        medians: (p_usable,) what a gap is filled with.
        combat: None where sites are not harmonised.
        selected: positions in the usable features.
        scaler: symmetric (Yeo-Johnson) and standardised.
    """

    usable: NDArray[np.bool_]
    medians: NDArray[np.float64]
    combat: Combat | None
    selected: NDArray[np.int64]
    scaler: Pipeline

    @property
    def columns(self) -> NDArray[np.int64]:
        """Positions of the selected features among all."""
        return np.flatnonzero(self.usable)[self.selected]

    def transform(self, values: NDArray[np.float64], sites: Sequence[str | None]) -> NDArray[np.float64]:
        """Features (n, p) of any cases as the model sees them (n, k)."""
        filled = _fill(values[:, self.usable], self.medians)
        if self.combat is not None:
            filled = self.combat.transform(filled, _named(sites))
        scaled = np.asarray(self.scaler.transform(filled[:, self.selected]))
        return np.clip(np.nan_to_num(scaled, nan=0.0), -_CLIP, _CLIP)


def fit_preparation(
    values: NDArray[np.float64],
    sites: Sequence[str | None],
    relevance: Relevance,
    budget: int,
    settings: OutcomeSettings,
) -> Preparation:
    """Fit all steps on training cases.

    Args:
        values: (n, p), NaN where a feature is undefined. sites: (n,).
        relevance: how strongly features speak of the endpoint.
        budget: most features to select.

    Raises:
        TrainingError: no feature varies; or `harmonise` is `combat` and the sites do not allow it.
    """
    usable = _usable(values)
    if not usable.any():
        raise TrainingError(
            "PP-OUTCOME-FEATURES",
            "features",
            f"at least one must vary among the training cases, got {values.shape[1]} that do not",
            "Check that the masks are not all empty",
        )
    medians = np.nanmedian(values[:, usable], axis=0)
    filled = _fill(values[:, usable], medians)
    combat = _fit_combat(filled, sites, settings)
    if combat is not None:
        filled = combat.transform(filled, _named(sites))
    selected = select_features(filled, relevance(filled), budget, settings.max_correlation)
    scaler = make_pipeline(StandardScaler(), PowerTransformer(method="yeo-johnson", standardize=True))
    scaler.fit(filled[:, selected])
    return Preparation(usable, medians, combat, selected, scaler)


def select_features(
    values: NDArray[np.float64], strength: NDArray[np.float64], budget: int, max_correlation: float
) -> NDArray[np.int64]:
    """Positions (k,) of the strongest features, none of which repeats a stronger one.

    Strongest first: a feature is taken unless its rank correlation with one already taken exceeds the limit in size.

    Args:
        values: (n, p) without gaps. strength: (p,). budget: most features to take.
    """
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    norms = np.linalg.norm(ranks, axis=0)
    ranks /= np.where(norms > 0, norms, 1.0)
    taken: list[int] = []
    for column in np.argsort(-strength, kind="stable"):
        if not taken or np.abs(ranks[:, taken].T @ ranks[:, column]).max() <= max_correlation:
            taken.append(int(column))
        if len(taken) == budget:
            break
    return np.array(taken, np.int64)


def _usable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    finite = np.isfinite(values)
    low = np.where(finite, values, np.inf).min(axis=0)
    high = np.where(finite, values, -np.inf).max(axis=0)
    return high > low


def _fill(values: NDArray[np.float64], medians: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, medians)


def _named(sites: Sequence[str | None]) -> list[str]:
    return [site or "" for site in sites]


def _fit_combat(filled: NDArray[np.float64], sites: Sequence[str | None], settings: OutcomeSettings) -> Combat | None:
    if settings.harmonise == "none":
        return None
    counts = [sum(site == name for site in sites) for name in {site for site in sites if site}]
    enough = sum(count >= settings.min_site_cases for count in counts) >= 2 and filled.shape[1] >= 2
    if settings.harmonise == "auto" and not enough:
        return None
    return Combat(settings.min_site_cases).fit(filled, _named(sites))
