"""Disseminated disease for the preset `disease`: 1 to 40 lesions in lungs, nodes, liver and bone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from pointpet.phantom.body import SPINE_Y
from pointpet.phantom.lesions import LOOKS, STATIONS, Lesion, lung_tumour, node
from pointpet.phantom.shapes import Canvas
from pointpet.phantom.skeleton import VERTEBRAE_Z
from pointpet.phantom.thorax import Thorax


def scattered_lesions(
    canvas: Canvas, thorax: Thorax, scale: Sequence[float], latents: dict[str, float], *, rng: np.random.Generator
) -> list[Lesion]:
    """Draw 1 to 40 lesions (lognormal, median 4); the largest, which a reader would click, comes first."""
    look = LOOKS["disease"]
    count = int(np.clip(np.round(np.exp(rng.normal(1.4, 1.0))), 1, 40))
    lesions = [lung_tumour(canvas, thorax, scale, latents, look=look, rng=rng)] if rng.random() < 0.6 else []
    while len(lesions) < count:
        centre = _place(thorax, rng) * np.asarray(scale)
        diameter = 8 + 30 * float(rng.beta(1.0, 2.5)) * (0.5 + float(ndtr(latents["size"])))
        suv = max(look.suv_least, look.suv_median * float(np.exp(0.3 * latents["uptake"] + rng.normal(0, 0.3))))
        lesion = node(canvas, centre, diameter, suv, rng)
        if not lesion.patch.is_empty and lesion.traits["volume_ml"] > 0.1:
            lesions.append(lesion)
    return sorted(lesions, key=lambda lesion: -lesion.traits["volume_ml"])


def _place(thorax: Thorax, rng: np.random.Generator) -> NDArray:
    """A site in reference mm: node station, lung, liver, vertebra, pelvis, groin or neck."""
    kind = rng.choice(7, p=[0.25, 0.2, 0.17, 0.16, 0.1, 0.05, 0.07])
    jitter = rng.normal(0, 6, 3)
    side = 1 if rng.random() < 0.5 else -1
    if kind == 0:
        x, ahead, z = STATIONS[int(rng.integers(len(STATIONS)))]
        return np.array([x, float(SPINE_Y(z)) + ahead - 8, z]) + jitter
    if kind == 1:
        inside = np.argwhere(thorax.lungs < -5)
        index = inside[int(rng.integers(len(inside)))]
        return np.array([axis[i] for axis, i in zip(thorax.patch.axes, index, strict=True)])
    if kind == 2:
        return np.array([rng.uniform(25, 100), rng.uniform(-20, 50), rng.uniform(310, 385)])
    if kind == 3:
        z = VERTEBRAE_Z[int(rng.integers(17))]
        return np.array([0, float(SPINE_Y(z)), z]) + jitter
    if kind == 4:
        return np.array([side * 84.0, -14, 150]) + 2 * jitter
    if kind == 5:
        return np.array([side * 66.0, 40, 70]) + jitter
    return np.array([side * 44.0, 2, 650]) + 1.5 * jitter
