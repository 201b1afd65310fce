"""Places in a PET that could be a lesion, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core.errors import GeometryError
from pointpet.core.volume import freeze


@dataclass(frozen=True, eq=False)
class Candidates:
    """Places where uptake stands out.

    Args:
        world_mm: (N, 3) world RAS+ mm.
        features: (N, F) float32, nan where unknown; what the columns are is said where they are computed.

    Raises:
        GeometryError: the shapes do not fit each other, a place is not finite, or a feature is infinite.
    """

    world_mm: NDArray[np.float64]
    features: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "world_mm", freeze(self.world_mm, np.float64))
        object.__setattr__(self, "features", freeze(self.features, np.float32))
        places, features = self.world_mm.shape, self.features.shape
        if len(places) != 2 or places[1] != 3 or len(features) != 2 or places[0] != features[0]:
            raise GeometryError(
                "PP-CANDIDATES-SHAPE",
                "candidates",
                f"need world_mm (N, 3) and features (N, F), got {places} and {features}",
                "Give one row of features for each place",
            )
        for name, wrong in (("world_mm", ~np.isfinite(self.world_mm)), ("features", np.isinf(self.features))):
            if wrong.any():
                raise GeometryError(
                    "PP-CANDIDATES-FINITE",
                    "candidates",
                    f"need finite {name}, got {np.count_nonzero(wrong)} values that are not",
                    "Look for them in a scan whose SUV are finite, with an affine that is",
                )

    def __len__(self) -> int:
        return len(self.world_mm)
