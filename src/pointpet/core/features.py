"""Feature tables with names, units and IBSI codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.core.errors import CohortError
from pointpet.core.volume import freeze


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Values (n_cases, n_features) float64 with the names of both axes.

    Args:
        case_ids: row names. names: column names. units: column units, "" where dimensionless.
        ibsi_codes: IBSI identifiers, "" where the feature has none.
        values: (n_cases, n_features); NaN where a feature is undefined.
    """

    case_ids: tuple[str, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    ibsi_codes: tuple[str, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        values = freeze(self.values, np.float64)
        if values.shape != (len(self.case_ids), len(self.names)) or not (
            len(self.names) == len(self.units) == len(self.ibsi_codes)
        ):
            raise CohortError(
                "PP-FEATURES-SHAPE",
                "feature table",
                f"needs {len(self.case_ids)} rows and {len(self.names)} columns, got {values.shape}",
                "Give one row a case and one column a feature",
            )
        object.__setattr__(self, "values", values)
