"""One training fold: preparation, hyperparameters and threshold, all chosen inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from pointpet.core import TrainingError, derive_seed
from pointpet.outcome.models import GRIDS, fit_classifier
from pointpet.outcome.preparation import Preparation, fit_preparation
from pointpet.outcome.settings import OutcomeSettings


@dataclass(frozen=True, eq=False)
class Samples:
    """Cases with their features.

    Args:
        values: (n, p), NaN where undefined. truth: (n,) bool.
        patients: (n,). sites: (n,), None where unknown.
    """

    values: NDArray[np.float64]
    truth: NDArray[np.bool_]
    patients: Sequence[str]
    sites: Sequence[str | None]

    @property
    def events(self) -> int:
        """Number of cases of the rarer outcome."""
        return int(min(self.truth.sum(), (~self.truth).sum()))

    def take(self, rows: NDArray[np.int64]) -> Samples:
        """Some of the cases."""
        return Samples(
            self.values[rows],
            self.truth[rows],
            [str(self.patients[row]) for row in rows.tolist()],
            [self.sites[row] for row in rows.tolist()],
        )


@dataclass(frozen=True, eq=False)
class FittedOutcome:
    """A model ready to predict.

    Args:
        threshold: probabilities at or over it are called positive.
        parameters: the hyperparameters that the inner folds chose.
        events: training cases of the rarer outcome.
        candidates: features that vary among the training cases.
    """

    preparation: Preparation
    classifier: Any
    threshold: float
    parameters: Mapping[str, float]
    events: int
    candidates: int

    def probabilities(self, values: NDArray[np.float64], sites: Sequence[str | None]) -> NDArray[np.float64]:
        """Probability (n,) of the outcome 1 for features (n, p)."""
        return self.classifier.predict_proba(self.preparation.transform(values, sites))[:, 1]


def fit_outcome(training: Samples, model: str, settings: OutcomeSettings, *, seed: int) -> FittedOutcome:
    """Fit on one training fold; nothing outside it is looked at.

    Hyperparameters: the smallest log loss of the inner folds' held-out probabilities. Threshold: Youden's index of
    those same probabilities.

    Raises:
        TrainingError: fewer than `min_events` of the rarer outcome, or no feature varies.
    """
    if training.events < settings.min_events:
        raise TrainingError(
            "PP-OUTCOME-EVENTS",
            "training fold",
            f"needs {settings.min_events} cases of each outcome, got {int(training.truth.sum())} with outcome 1 and "
            f"{int((~training.truth).sum())} with outcome 0",
            "Add patients, or use more folds so that each trains on more",
        )
    held_out = _inner_probabilities(training, model, settings, seed)
    losses = [log_loss(training.truth, chance, labels=[False, True]) for chance in held_out]
    best = int(np.argmin(losses))
    parameters = GRIDS[model][best]
    preparation, classifier = _fit(training, [parameters], model, settings, seed)
    return FittedOutcome(
        preparation=preparation,
        classifier=classifier[0],
        threshold=youden_threshold(training.truth, held_out[best]),
        parameters=parameters,
        events=training.events,
        candidates=int(preparation.usable.sum()),
    )


def youden_threshold(truth: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Threshold that makes sensitivity + specificity - 1 largest, midway between two probabilities that occur.

    Where none does better than chance, the share of positives.

    Source: Youden 1950, Cancer 3(1), 32-35.
    """
    values = np.unique(probability)
    if len(values) < 2:
        return float(truth.mean())
    cuts = (values[1:] + values[:-1]) / 2
    positive = probability[None, :] >= cuts[:, None]
    index = positive[:, truth].mean(axis=1) - positive[:, ~truth].mean(axis=1)
    best = int(np.argmax(index))
    return float(cuts[best]) if index[best] > 0 else float(truth.mean())


def auc_strength(truth: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each feature's own area under the ROC curve lies from one half, (p,)."""
    ranks = rankdata(values, axis=0)
    positives = int(truth.sum())
    wins = ranks[truth].sum(axis=0) - positives * (positives + 1) / 2
    return np.abs(wins / (positives * (len(truth) - positives)) - 0.5)


def _inner_probabilities(training: Samples, model: str, settings: OutcomeSettings, seed: int) -> NDArray[np.float64]:
    """Held-out probabilities (n_grid, n) of the inner folds, patients whole."""
    grid = GRIDS[model]
    held_out = np.zeros((len(grid), len(training.truth)))
    patients = {
        outcome: len({p for p, t in zip(training.patients, training.truth, strict=True) if t == outcome})
        for outcome in (False, True)
    }
    splits = max(2, min(settings.inner_folds, *patients.values()))
    splitter = StratifiedGroupKFold(splits, shuffle=True, random_state=derive_seed(seed, "inner"))
    for train, test in splitter.split(training.values, training.truth, training.patients):
        part, rest = training.take(train), training.take(test)
        if part.events == 0:
            held_out[:, test] = part.truth.mean()
            continue
        preparation, classifiers = _fit(part, grid, model, settings, seed)
        prepared = preparation.transform(rest.values, rest.sites)
        for row, classifier in enumerate(classifiers):
            held_out[row, test] = classifier.predict_proba(prepared)[:, 1]
    return held_out


def _fit(
    training: Samples, grid: Sequence[Mapping[str, float]], model: str, settings: OutcomeSettings, seed: int
) -> tuple[Preparation, list[Any]]:
    """The preparation of these cases, and a classifier for each set of hyperparameters."""
    preparation = fit_preparation(
        training.values,
        training.sites,
        lambda values: auc_strength(training.truth, values),
        settings.feature_budget(training.events),
        settings,
    )
    prepared = preparation.transform(training.values, training.sites)
    number = derive_seed(seed, model)
    return preparation, [fit_classifier(model, parameters, prepared, training.truth, number) for parameters in grid]
