"""The classifiers by name, with the hyperparameters that inner folds choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

GRIDS: Mapping[str, tuple[dict[str, float], ...]] = {
    "elastic_net": tuple({"C": c, "l1_ratio": share} for share in (0.1, 0.5, 0.9) for c in (0.1, 0.3, 1.0)),
    "random_forest": ({"min_samples_leaf": 3}, {"min_samples_leaf": 8}),
}
"""Few values each, from strong to weak regularisation: with some tens of events more choice is more noise."""

_TREES = 100


def build_classifier(name: str, parameters: Mapping[str, Any], seed: int) -> ClassifierMixin:
    """Logistic regression with elastic net, or a random forest. No class weights: probabilities stay probabilities."""
    if name == "elastic_net":
        return LogisticRegression(solver="saga", max_iter=3000, tol=1e-3, random_state=seed, **parameters)
    return RandomForestClassifier(n_estimators=_TREES, max_features="sqrt", random_state=seed, **parameters)
