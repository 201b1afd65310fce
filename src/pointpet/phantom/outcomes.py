"""Outcomes that depend on the tumour's latent traits, with the best attainable AUC known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

THREE_YEARS_DAYS = 1095.0

TRAIT_NAMES = ("size", "uptake", "heterogeneity", "shape")
"""Latent traits, each standard normal and independent of the class; lesions are drawn from them."""

_LOG_ODDS = {
    "response": (0.2, (-0.95, -0.4, -0.9, -0.3)),
    "survival3y": (-0.1, (-1.1, -0.3, -0.7, -0.45)),
}
"""Intercept and weight of each latent trait. The weights' norm is 1.4: with normal traits the true probabilities then
reach an expected AUC of 0.80."""


@dataclass(frozen=True)
class Outcomes:
    """What happened to a patient.

    Args:
        values: endpoint to 0 or 1.
        probabilities: endpoint to the true probability of 1.
        time_days: to death or to the last visit, known for three years at least where alive then.
        event: 1 for death.
    """

    values: dict[str, int]
    probabilities: dict[str, float]
    time_days: float
    event: int


def draw_outcomes(latents: dict[str, float], rng: np.random.Generator) -> Outcomes:
    """Draw response and survival from the latent traits; death falls before three years iff `survival3y` is 0."""
    traits = np.array([latents[name] for name in TRAIT_NAMES])
    probabilities = {
        name: float(expit(intercept + traits @ np.array(weights))) for name, (intercept, weights) in _LOG_ODDS.items()
    }
    values = {name: int(rng.random() < chance) for name, chance in probabilities.items()}
    survival = probabilities["survival3y"]
    # Weibull survival S(t) = survival ** ((t / 3 years) ** shape), drawn on the side of three years that was drawn.
    shape, draw, follow_up = 1.2, rng.random(), rng.uniform(THREE_YEARS_DAYS, 2200)
    alive = bool(values["survival3y"])
    level = survival * draw if alive else survival + (1 - survival) * draw
    death = THREE_YEARS_DAYS * (np.log(max(level, 1e-12)) / np.log(survival)) ** (1 / shape)
    death = max(death, THREE_YEARS_DAYS) if alive else float(np.clip(death, 14, THREE_YEARS_DAYS - 1))
    event = int(death <= follow_up)
    return Outcomes(values, probabilities, round(float(min(death, follow_up)), 1), event)


def best_auc(probabilities: Sequence[float]) -> float:
    """Expected AUC of a reader who knows every true probability: the most that any method can expect.

    Args:
        probabilities: (N,) true probability of 1, one a case.

    Returns:
        Probability that a case of outcome 1 ranks above one of outcome 0, over ordered pairs: the sum of
        p_i (1 - p_j) [p_i > p_j, ties half] over the sum of p_i (1 - p_j). NaN where no pair can differ.
    """
    chance = np.asarray(probabilities, float)
    pairs = chance[:, None] * (1 - chance[None, :])
    np.fill_diagonal(pairs, 0)
    wins = (chance[:, None] > chance[None, :]) + 0.5 * (chance[:, None] == chance[None, :])
    total = pairs.sum()
    return float((pairs * wins).sum() / total) if total > 0 else float("nan")
