"""Network and candidates together: class, maps and weights of a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pointpet.core import ActivationMap, Candidates, Plane
from pointpet.image.candidates import FEATURES
from pointpet.localise.candidates import (
    WeightedCandidates,
    class_probabilities,
    forest_votes,
    joint_scores,
    place_weights,
)

if TYPE_CHECKING:
    from pointpet.learn.activation import Activation
    from pointpet.learn.candidate_forest import CandidateForest
    from pointpet.learn.candidate_settings import CandidateSettings


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a scan before a mask is drawn.

    Args:
        probabilities: class name to probability.
        maps: plane to the predicted class's map, or that of the likeliest class with lesions.
        candidates: places where uptake stands out, weighted for the predicted class; None where maps stand alone.
        lesion_like: 0 to 1, how much the candidate that wins by maps, uptake and forest looks like a lesion to the
            forest; None where maps stand alone.
    """

    probabilities: Mapping[str, float]
    maps: Mapping[Plane, ActivationMap]
    candidates: WeightedCandidates | None = None
    lesion_like: float | None = None

    @property
    def predicted(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


def mapped_with_lesions(activation: Activation, lesion_free: Sequence[str]) -> Mapping[Plane, ActivationMap]:
    """The predicted class's maps; where it is free of lesions those of the likeliest class that has any.

    A control's map says what is normal, not where to look. Networks without maps of every class give what they have.
    """
    others = [name for name in activation.class_maps if name not in lesion_free]
    if activation.predicted not in lesion_free or not others:
        return activation.maps
    return activation.class_maps[max(others, key=activation.probabilities.__getitem__)]


def with_candidates(
    activation: Activation,
    found: Candidates,
    forest: CandidateForest,
    settings: CandidateSettings,
    *,
    uptake_power: float,
    lesion_free: Sequence[str],
) -> Evidence:
    """Let the candidates speak on the class and on the place.

    Each class is as probable as its best candidate, by both maps and the forest, beside the network's own word. Where a
    class is free of lesions no candidate can speak for it, and the network's probabilities stand.

    Args:
        activation: the network's answer, with the maps of every class.
        found: candidates of the scan, with the columns of `FEATURES`.
        uptake_power: power of SUV beside the maps, as in `LocaliseSettings`.
    """
    names = list(activation.probabilities)
    network = list(activation.probabilities.values())
    maps = [activation.class_maps[name] for name in names]
    none, shares = np.split(forest.probabilities(found.features), [1], axis=1)
    uptake = np.exp(uptake_power * found.features[:, FEATURES.index("log_suv")])
    votes = forest_votes(shares, weight=settings.weight)
    scores = joint_scores(found.world_mm, uptake, votes, maps)
    probabilities = np.array(network)
    if not set(names) & set(lesion_free):
        probabilities = class_probabilities(scores, network, class_share=settings.class_share)
    # Of a case that is called free of lesions too: where to look, if the class is doubted.
    index = max((n for n, name in enumerate(names) if name not in lesion_free), key=probabilities.__getitem__)
    weighted = WeightedCandidates(found.world_mm, place_weights(votes[:, index]), settings.sigma_mm)
    lesion_like = 1.0 - float(none[np.argmax(scores[:, index]), 0])
    return Evidence(dict(zip(names, probabilities.tolist(), strict=True)), maps[index], weighted, lesion_like)
