"""Maps and candidates together: which class, and which of the candidates is its lesion.

Shape letters: N candidates, C classes, U, Z cells of a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, Grid, Plane

LEAST = 1e-2
"""Added to a probability before its logarithm is taken: no single vote is final."""

MAP_FLOOR = 0.1
"""Added to a map's value, whose maximum is 1: a map that misses a lesion altogether has not the last word on it."""

LEAST_WEIGHT = 1e-4
"""A candidate of less weight cannot win: both maps differ by no more than 121 times, given `MAP_FLOOR`, and uptake by
less than the rest."""


REACH = 3.0
"""In standard deviations: farther away a candidate's weight is 0."""


@dataclass(frozen=True, eq=False)
class WeightedCandidates:
    """Candidates with a weight each.

    Args:
        world_mm: (N, 3). weights: (N,) in [0, 1].
        sigma_mm: how far a weight reaches.
    """

    world_mm: NDArray[np.float64]
    weights: NDArray[np.float64]
    sigma_mm: float

    def on(self, grid: Grid, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """(X, Y, Z) of the box of `grid`: the largest over the candidates of weight exp(-d^2 / 2 sigma^2), d the
        distance."""
        shape = tuple(part.stop - part.start for part in box)
        steps = [np.arange(part.start, part.stop, dtype=np.float32) for part in box]
        field = np.zeros(shape, np.float32)
        spacing = grid.spacing_mm
        reach = np.ceil(REACH * self.sigma_mm / spacing).astype(int)
        for place, weight in zip(grid.indices(self.world_mm), self.weights, strict=True):
            if weight < LEAST_WEIGHT:
                continue
            near = [
                slice(*np.searchsorted(step, (centre - extent, centre + extent)))
                for step, centre, extent in zip(steps, place, reach, strict=True)
            ]
            bells = [
                np.exp(-(((step[part] - centre) * size) ** 2) / np.float32(2 * self.sigma_mm**2))
                for step, part, centre, size in zip(steps, near, place, spacing, strict=True)
            ]
            bell = np.float32(weight) * bells[0][:, None, None] * bells[1][None, :, None] * bells[2][None, None, :]
            window = field[near[0], near[1], near[2]]
            np.maximum(window, bell.astype(np.float32), out=window)
        return field

    def reached(self, grid: Grid) -> tuple[slice, slice, slice]:
        """The box of `grid` outside which `on` is 0; empty where no candidate counts."""
        reach = REACH * self.sigma_mm
        known = self.world_mm[self.weights >= LEAST_WEIGHT]
        if not len(known):
            return slice(0, 0), slice(0, 0), slice(0, 0)
        low, high = known.min(axis=0) - reach, known.max(axis=0) + reach
        indices = grid.indices(np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T)
        first = np.clip(np.floor(indices.min(axis=0)).astype(int), 0, grid.shape)
        last = np.clip(np.ceil(indices.max(axis=0)).astype(int) + 1, first, grid.shape)
        x, y, z = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        return x, y, z


def forest_votes(lesion_probabilities: NDArray[np.float64], *, weight: float) -> NDArray[np.float64]:
    """Logarithm of what the forest says of a candidate, as it counts for class and place: weight x log(p + `LEAST`)."""
    return weight * np.log(lesion_probabilities + LEAST)


def place_weights(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) in (0, 1]: each candidate's vote (N,) for one class beside the highest, no longer as a logarithm."""
    return np.exp(votes - votes.max())


def joint_scores(
    world_mm: NDArray[np.float64],
    uptake: NDArray,
    votes: NDArray[np.float64],
    maps: Sequence[Mapping[Plane, ActivationMap]],
) -> NDArray[np.float64]:
    """Score each candidate as the lesion of each class.

    s(i, c) = log M_coronal,c + log M_sagittal,c + log uptake + the forest's vote for c, each at candidate i, with
    `MAP_FLOOR` added to each M.

    Args:
        world_mm: (N, 3).
        uptake: (N,) factor of each candidate, over 0.
        votes: (N, C), see `forest_votes`.
        maps: each class's maps, in the order of the columns.

    Returns:
        (N, C).
    """
    scores = votes + np.log(uptake)[:, None]
    for column, views in enumerate(maps):
        for activation in views.values():
            scores[:, column] += np.log(_at(activation, world_mm) + MAP_FLOOR)
    return scores


def class_probabilities(
    scores: NDArray[np.float64], network: Sequence[float], *, class_share: float
) -> NDArray[np.float64]:
    """(C,) softmax of each class's best candidate beside the network's own probabilities (C,), to a power."""
    logits = scores.max(axis=0) + class_share * np.log(np.asarray(network) + LEAST)
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()


def _at(activation: ActivationMap, world_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map's value in the cell that holds each place; 0 outside."""
    origin = np.asarray(activation.origin_mm)
    axes = [activation.plane.axis, 2]
    cells = np.rint((world_mm[:, axes] - origin[axes]) / activation.pixel_mm).astype(int)
    shape = np.array(activation.values.shape)
    inside = ((cells >= 0) & (cells < shape)).all(axis=1)
    u, z = np.clip(cells, 0, shape - 1).T
    return np.where(inside, activation.values[u, z], 0.0)
