"""How sure an answer is of itself, from what is known without the truth: class probability and activation maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from pointpet.core import ActivationMap, Lesion, Plane, Prediction

CLEARANCE_MM = 48.0
"""Evidence farther than this from a map's peak speaks of another place. Twice a wide lesion's reach; a trial
value, before the candidates, that no command repeats."""


def case_certainty(prediction: Prediction) -> float | None:
    """Probability of the predicted class times how alone the maps' peaks stand, in [0, 1].

    A map of one clear peak has 0 farther off and leaves the probability as it is; one with a second peak as high as the
    first leaves nothing. Of two views the lower counts. None for a method that gives no probability.
    """
    if prediction.predicted is None or not prediction.probabilities:
        return None
    alone = [peak_clearance(activation) for activation in prediction.maps.values()]
    return float(prediction.probabilities[prediction.predicted]) * min(alone, default=1.0)


def peak_clearance(activation: ActivationMap) -> float:
    """1 minus the map's highest value beyond `CLEARANCE_MM` of its peak, as a share of the peak; 0 for an empty map."""
    values = np.asarray(activation.values, np.float64)
    highest = float(values.max())
    if highest <= 0:
        return 0.0
    u, z = np.indices(values.shape)
    peak_u, peak_z = activation.peak_cell
    away = np.hypot(u - peak_u, z - peak_z) * activation.pixel_mm > CLEARANCE_MM
    return 1.0 - float(values[away].max(initial=0.0)) / highest


def lesion_certainties(
    lesions: Sequence[Lesion], maps: Mapping[Plane, ActivationMap], certainty: float | None
) -> list[float | None]:
    """The case's certainty times the maps' value at each lesion's hottest voxel, the lower of the views.

    None for each where the case has none; the case's own where no map lies in the world.
    """
    if certainty is None:
        return [None] * len(lesions)
    return [
        certainty * min((value_at(activation, lesion.peak_mm) for activation in maps.values()), default=1.0)
        for lesion in lesions
    ]


def value_at(activation: ActivationMap, point_mm: ArrayLike) -> float:
    """The map's value, as a share of its peak, in the cell that a world point projects to."""
    highest = float(activation.values.max())
    if activation.origin_mm is None or highest <= 0:
        return 1.0 if highest > 0 else 0.0
    along = 0 if activation.plane is Plane.CORONAL else 1
    cells = (np.asarray(point_mm) - activation.origin_mm) / activation.pixel_mm
    u, z = (round(float(cells[axis])) for axis in (along, 2))
    size = activation.values.shape
    return float(activation.values[np.clip(u, 0, size[0] - 1), np.clip(z, 0, size[1] - 1)]) / highest
