"""Which candidates are lesions, and of which class: a forest of random trees learned from clicks. Needs no torch.

The forest is fitted by scikit-learn and kept as plain arrays, so that a model folder holds no pickle.
Shape letters: N candidates, F features, K nodes of all trees, T trees, C classes.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Candidates, ModelError, generator
from pointpet.learn.candidate_settings import CandidateSettings
from pointpet.learn.forest_arrays import ARRAYS, joined_trees

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

LOG = logging.getLogger(__name__)

NO_LESION = 0
"""Column of the forest's answer that stands for no lesion; the classes follow in their order."""

DEPTH = 32
"""No tree is deeper, so that the walk through all of them ends."""

MOST_NONE = 20_000
"""Candidates of no lesion that a forest learns from, drawn at random where there are more: what is physiological is
well known by then, and the time to learn stays."""

LESION_LIKE = 0.25
"""Quantile of the clicked candidates: what looks as much like a lesion is one that nobody clicked, or may be."""

LEAST_LESION_LIKE = 0.5
"""Where that quantile is lower, the forest is too unsure to tell."""

MOST_LEFT_OUT = 0.2
"""Share of the candidates of no lesion that may be left out."""

ROUNDS = 3
"""So often such candidates are sought: each time fewer of them hide the others."""

USUAL = 0.05
"""Quantile of the clicked cases: what looks less like a lesion than theirs is unlike what the forest knows. So many of
the cases that are like the training cases are told to be unlike, too."""


@dataclass(frozen=True, eq=False)
class ClickedCandidates:
    """A training case.

    Args:
        candidates: of its scan.
        label: its class. points_mm: (N, 3) its clicks, world RAS+ mm; none where it is free of lesions.
    """

    candidates: Candidates
    label: str
    points_mm: NDArray[np.float64]


class CandidateForest:
    """Says of a candidate how probably it is the lesion of each class.

    Args:
        arrays: of all trees joined: `feature`, `threshold`, `left`, `right`, `unknown_left` (K,), the feature of a leaf
            being -1; `share` (K, 1 + C); `root` (T,).
        learned_from: number of training candidates of no lesion, then of each class in its order; none where unknown.
        unlike_below: what is less lesion-like, 0 to 1, is unlike the lesions of the training; None where unknown.
    """

    def __init__(
        self, arrays: Mapping[str, NDArray], learned_from: Sequence[int] = (), unlike_below: float | None = None
    ) -> None:
        self._arrays = {name: np.asarray(arrays[name], dtype) for name, dtype in ARRAYS.items()}
        self._root = np.asarray(arrays["root"], np.int32)
        self.learned_from = tuple(int(number) for number in learned_from)
        self.unlike_below = unlike_below

    @property
    def trees(self) -> int:
        """Number of trees."""
        return len(self._root)

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, 1 + C): no lesion, then each class; a row sums to 1. An unknown feature, nan, goes the node's own way."""
        trees = self._arrays
        node = np.broadcast_to(self._root, (len(features), len(self._root))).copy()
        row = np.arange(len(features))[:, None]
        for _ in range(DEPTH):
            feature = trees["feature"][node]
            if (feature < 0).all():
                break
            value = features[row, np.maximum(feature, 0)]
            goes_left = np.where(np.isnan(value), trees["unknown_left"][node], value <= trees["threshold"][node])
            next_node = np.where(goes_left, trees["left"][node], trees["right"][node])
            node = np.where(feature < 0, node, next_node)
        return trees["share"][node].astype(np.float64).mean(axis=1)

    def tensors(self) -> dict[str, NDArray]:
        """The arrays by name."""
        return {**self._arrays, "root": self._root}

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, NDArray],
        *,
        classes: int,
        features: int,
        learned_from: Sequence[int] = (),
        unlike_below: float | None = None,
    ) -> CandidateForest:
        """Rebuild what `tensors` gave.

        Raises:
            ModelError: an array is missing, of another shape, points outside, or is not finite; `unlike_below` is no
                share.
        """
        missing = sorted({*ARRAYS, "root"} - set(tensors))
        if missing:
            raise _unusable(f"lacks {', '.join(missing)}")
        nodes = len(tensors["feature"])
        shapes = {name: np.shape(tensors[name]) for name in ARRAYS}
        expected = {name: (nodes, 1 + classes) if name == "share" else (nodes,) for name in ARRAYS}
        if shapes != expected or tensors["root"].ndim != 1 or not len(tensors["root"]):
            raise _unusable(f"has arrays of the shapes {shapes}, expected {expected}")
        bounds = (("root", 0, nodes), ("left", -1, nodes), ("right", -1, nodes), ("feature", -1, features))
        for name, low, high in bounds:
            if not ((tensors[name] >= low) & (tensors[name] < high)).all():
                raise _unusable(f"holds {name} outside {low} to {high - 1}")
        inner = tensors["feature"] >= 0
        if (tensors["left"][inner] < 0).any() or (tensors["right"][inner] < 0).any():
            raise _unusable("has a node that asks a feature but lacks a child")
        for name in ("threshold", "share"):
            if not np.isfinite(tensors[name]).all():
                raise _unusable(f"holds a {name} that is no finite number")
        if unlike_below is not None and not 0 <= unlike_below <= 1:
            raise _unusable(f"holds an unlike_below of {unlike_below:g}, expected 0 to 1")
        return cls(tensors, learned_from, unlike_below)


def _unusable(problem: str) -> ModelError:
    return ModelError("PP-MODEL-FOREST", "the forest of candidates", problem, "Train the model again")


def fit_forest(
    cases: Sequence[ClickedCandidates],
    settings: CandidateSettings,
    *,
    classes: Sequence[str],
    lesion_free: Sequence[str],
    seed: int,
) -> CandidateForest | None:
    """Learn from the clicks which candidates are lesions.

    A candidate near a click is a lesion of its case's class. One far from all of them is none; but where a class is
    free of lesions, only that class's candidates are taken as such, since other cases may hold lesions that nobody
    clicked. Without such a class the forest judges each candidate of no lesion by the trees that have not seen it, and
    is fitted again without those that look as much like a lesion as a quarter of the clicked ones do.

    Returns:
        None where a class with lesions has fewer than `least_clicks` clicks that have a candidate near, or where fewer
        candidates than that are none: there is too little to learn from.

    Source: Geurts, Ernst and Wehenkel 2006, extremely randomized trees, here each on a bootstrap sample.
    """
    training = _training_set(cases, settings, classes, lesion_free)
    supply = _supply(cases, training.targets, settings, [name for name in classes if name not in lesion_free])
    if min(supply.values()) < settings.least_clicks:
        return None
    training = training.only(_thinned(training.targets, seed))
    forest = _fitted(training, settings, seed)
    spared = int(MOST_LEFT_OUT * (training.targets == NO_LESION).sum())
    for _ in range(0 if lesion_free else ROUNDS):
        unclicked = _unclicked_lesions(forest, training.targets, spared)
        if not len(unclicked):
            break
        spared -= len(unclicked)
        training = training.only(np.delete(np.arange(len(training.targets)), unclicked))
        forest = _fitted(training, settings, seed)
        LOG.info("%d candidates look like lesions that nobody clicked and are left out", len(unclicked))
    learned_from = np.bincount(training.targets, minlength=1 + len(classes)).tolist()
    arrays = joined_trees(forest, 1 + len(classes))
    return CandidateForest(arrays, learned_from, _usual_likeness(forest, training))


def _lesion_like(forest: ExtraTreesClassifier) -> NDArray[np.float64]:
    """(N,) of each training candidate, by the trees that have not seen it; nan where all have: its row is then of 0."""
    shares = forest.oob_decision_function_
    return np.where(shares.sum(axis=1) > 0, 1 - shares[:, NO_LESION], np.nan)


def _usual_likeness(forest: ExtraTreesClassifier, training: _TrainingSet) -> float | None:
    """What all clicked cases but `USUAL` of them reach with the likeliest candidate near their clicks.

    A new scan's candidate is judged by all trees, of which none has seen it, and so are these by those that have not;
    but other candidates of the same lesion may have been seen. None where every tree has seen every clicked one.
    """
    lesion_like = _lesion_like(forest)
    known = (training.targets != NO_LESION) & np.isfinite(lesion_like)
    best = [lesion_like[known & (training.cases == case)].max() for case in np.unique(training.cases[known])]
    return float(np.quantile(best, USUAL)) if best else None


def _unclicked_lesions(forest: ExtraTreesClassifier, targets: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Indices of the candidates of no lesion, `most` at most, that look as much like one as a quarter of the clicked.

    None where the trees that have not seen the clicked ones do not know even these as lesions: a forest so unsure would
    throw physiology away.
    """
    lesion_like = np.nan_to_num(_lesion_like(forest))
    usual = np.quantile(lesion_like[targets != NO_LESION], LESION_LIKE)
    if usual < LEAST_LESION_LIKE:
        return np.zeros(0, np.intp)
    found = np.flatnonzero((targets == NO_LESION) & (lesion_like >= usual))
    return found[np.argsort(-lesion_like[found], kind="stable")[:most]]


def _fitted(training: _TrainingSet, settings: CandidateSettings, seed: int) -> ExtraTreesClassifier:
    from sklearn.ensemble import ExtraTreesClassifier

    forest = ExtraTreesClassifier(
        settings.trees,
        min_samples_leaf=settings.leaf,
        max_features=settings.tried_share,  # pyright: ignore[reportArgumentType] -- a share is allowed, says its page
        class_weight="balanced_subsample",
        max_depth=DEPTH - 1,
        bootstrap=True,
        oob_score=True,
        random_state=seed % 2**32,
    )
    with warnings.catch_warnings():
        # Of very few trees some have seen every candidate: that one is then kept.
        warnings.filterwarnings("ignore", "Some inputs do not have OOB scores")
        warnings.filterwarnings("ignore", "invalid value encountered in divide")
        return forest.fit(training.features, training.targets)


def _thinned(targets: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Indices of all candidates that are lesions and of at most `MOST_NONE` of the others, in their order."""
    none = np.flatnonzero(targets == NO_LESION)
    if len(none) <= MOST_NONE:
        return np.arange(len(targets))
    kept = generator(seed, "no lesion").choice(none, MOST_NONE, replace=False)
    return np.sort(np.concatenate([kept, np.flatnonzero(targets != NO_LESION)]))


def shortage(
    cases: Sequence[ClickedCandidates],
    settings: CandidateSettings,
    *,
    classes: Sequence[str],
    lesion_free: Sequence[str],
) -> str:
    """Why `fit_forest` of the same arguments gives None: of what there is too little; empty where it gives a forest."""
    targets = _training_set(cases, settings, classes, lesion_free).targets
    supply = _supply(cases, targets, settings, [name for name in classes if name not in lesion_free])
    least = settings.least_clicks
    short = [f"{number} of {least} {what}" for what, number in supply.items() if number < least]
    return f"too little to learn from: {', '.join(short)}" if short else ""


def _supply(
    cases: Sequence[ClickedCandidates],
    targets: NDArray[np.intp],
    settings: CandidateSettings,
    with_lesions: Sequence[str],
) -> dict[str, int]:
    """Of all that a forest needs `least_clicks` of: what it is, and how many there are."""
    clicks = found_clicks(cases, settings.near_mm)
    found = {f"clicks of class {name} with a candidate near": clicks[name] for name in with_lesions}
    return {**found, "candidates that are no lesion": int((targets == NO_LESION).sum())}


def found_clicks(cases: Sequence[ClickedCandidates], near_mm: float) -> Counter[str]:
    """Of each class, how many clicks have at least one candidate within `near_mm`."""
    found: Counter[str] = Counter()
    for case in cases:
        if len(case.points_mm) and len(case.candidates):
            found[case.label] += int((_distances_mm(case).min(axis=0) <= near_mm).sum())
    return found


def _distances_mm(case: ClickedCandidates) -> NDArray[np.float64]:
    """(N, number of clicks)."""
    return np.linalg.norm(case.candidates.world_mm[:, None] - case.points_mm[None], axis=2)


@dataclass(frozen=True, eq=False)
class _TrainingSet:
    """Candidates to learn from: (N, F) features, (N,) targets, and (N,) number of the case that each is of."""

    features: NDArray[np.float32]
    targets: NDArray[np.intp]
    cases: NDArray[np.intp]

    def only(self, used: NDArray[np.intp]) -> _TrainingSet:
        """Those of the indices `used`."""
        return _TrainingSet(self.features[used], self.targets[used], self.cases[used])


def _training_set(
    cases: Sequence[ClickedCandidates], settings: CandidateSettings, classes: Sequence[str], lesion_free: Sequence[str]
) -> _TrainingSet:
    features, targets, numbers = [], [], []
    for number, case in enumerate(cases):
        found = case.candidates
        is_lesion, is_none = np.zeros(len(found), bool), np.zeros(len(found), bool)
        if case.label in lesion_free:
            is_none[:] = True
        elif len(case.points_mm):
            away = _distances_mm(case).min(axis=1)
            is_lesion = away <= settings.near_mm
            is_none = (away > settings.far_mm) & (len(lesion_free) == 0)
        used = is_lesion | is_none
        features.append(found.features[used])
        targets.append(np.where(is_lesion[used], 1 + classes.index(case.label), NO_LESION))
        numbers.append(np.full(used.sum(), number))
    return _TrainingSet(np.concatenate(features), np.concatenate(targets), np.concatenate(numbers))
