"""Decision curves: what acting on a prediction is worth, at every price of a false alarm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

THRESHOLDS = np.round(np.arange(0.01, 1.0, 0.01), 2)
"""Threshold probabilities at which a curve is drawn."""


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit, per case, of acting where the probability reaches a threshold.

    Args:
        thresholds: (n,). model, everyone: (n,) net benefit of the model, and of acting on every case; acting on none
            has 0.
    """

    thresholds: NDArray[np.float64]
    model: NDArray[np.float64]
    everyone: NDArray[np.float64]


def decision_curve(
    truth: ArrayLike, probability: ArrayLike, thresholds: NDArray[np.float64] = THRESHOLDS
) -> DecisionCurve | None:
    """Net benefit = true positives / n - false positives / n x threshold / (1 - threshold); None without cases.

    Source: Vickers and Elkin 2006, Medical Decision Making 26(6), 565-574.
    """
    true, chance = np.asarray(truth, bool), np.asarray(probability, float)
    if not len(true):
        return None
    odds = thresholds / (1.0 - thresholds)
    acted = chance[None, :] >= thresholds[:, None]
    model = (acted & true).mean(axis=1) - (acted & ~true).mean(axis=1) * odds
    return DecisionCurve(thresholds, model, true.mean() - (~true).mean() * odds)
