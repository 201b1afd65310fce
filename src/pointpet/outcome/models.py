"""The classifiers by name, with the hyperparameters that inner folds choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

GRIDS: Mapping[str, tuple[dict[str, float], ...]] = {
    "elastic_net": tuple(
        {"penalty": penalty, "l1_ratio": share} for share in (0.1, 0.5, 0.9) for penalty in (0.5, 0.15, 0.05)
    ),
    "random_forest": ({"min_samples_leaf": 3}, {"min_samples_leaf": 8}),
}
"""Few values each, from strong to weak regularisation: with some tens of events more choice is more noise.

`penalty` is the share of the smallest penalty that leaves no feature in the model; under 1, so that a model that says
the same of everybody, whose area under the ROC curve would be 0.5 by construction, cannot be chosen.
"""

_TREES = 100


def fit_classifier(
    name: str, parameters: Mapping[str, Any], values: NDArray[np.float64], truth: NDArray[np.bool_], seed: int
) -> Any:
    """Logistic regression with elastic net, or a random forest, fitted to standardised features (n, k).

    No class weights: probabilities stay probabilities, the threshold is chosen apart.

    Source: Friedman, Hastie and Tibshirani 2010, J. Stat. Softw. 33(1), for the scale of the penalty.
    """
    if name == "elastic_net":
        model = _elastic_net(float(np.abs(values.T @ (truth - truth.mean())).max()), parameters, seed)
    else:
        model = RandomForestClassifier(n_estimators=_TREES, max_features="sqrt", random_state=seed, **parameters)
    return model.fit(values, truth)


def _elastic_net(reach: float, parameters: Mapping[str, Any], seed: int) -> LogisticRegression:
    """Logistic regression; `reach` is the penalty at which the last feature leaves the model."""
    if reach == 0:  # features that say nothing at all: the share of positives is the answer, whatever the penalty
        return LogisticRegression()
    share = parameters["l1_ratio"]
    strength = share / (reach * parameters["penalty"])
    return LogisticRegression(solver="saga", C=strength, l1_ratio=share, max_iter=20000, tol=1e-6, random_state=seed)
