"""A fitted scikit-learn forest as plain arrays, which a model folder can hold without a pickle.

Shape letters: K nodes of all trees, T trees, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

ARRAYS = {
    "feature": np.int16,
    "threshold": np.float32,
    "left": np.int32,
    "right": np.int32,
    "unknown_left": np.bool_,
    "share": np.float32,
}
"""Of each node, (K,) or for `share` (K, 1 + C): name to type."""


def joined_trees(forest: ExtraTreesClassifier, columns: int) -> dict[str, NDArray]:
    """The trees of a fitted scikit-learn forest as the arrays of `ARRAYS` and `root` (T,)."""
    parts: dict[str, list[NDArray]] = {name: [] for name in (*ARRAYS, "root")}
    offset = 0
    known = forest.classes_
    for estimator in forest.estimators_:
        tree = estimator.tree_
        share = np.zeros((tree.node_count, columns))
        share[:, known] = tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True)
        leaf = tree.children_left < 0
        parts["feature"].append(np.where(leaf, -1, tree.feature))
        parts["threshold"].append(np.where(leaf, 0.0, _single(tree.threshold)))
        parts["unknown_left"].append(np.asarray(tree.missing_go_to_left, bool))
        for name, children in (("left", tree.children_left), ("right", tree.children_right)):
            parts[name].append(np.where(leaf, -1, children + offset))
        parts["share"].append(share)
        parts["root"].append(np.array([offset]))
        offset += tree.node_count
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _single(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest single precision number up to each threshold: a feature of that precision goes the same way."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
