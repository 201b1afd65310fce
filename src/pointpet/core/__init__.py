"""Frozen data types that carry their geometry, errors and seeds. Imports numpy only."""

from pointpet.core.acquisition import Acquisition
from pointpet.core.candidates import Candidates
from pointpet.core.cohort import Case, Cohort, text_digest
from pointpet.core.errors import (
    ClusterError,
    CohortError,
    ConfigError,
    Faults,
    GeometryError,
    ImageReadError,
    MissingExtraError,
    ModelError,
    OutputError,
    PointpetError,
    SuvError,
    TrainingError,
    WorkerError,
)
from pointpet.core.features import FeatureTable
from pointpet.core.folds import Fold, FoldResult
from pointpet.core.mip import ActivationMap, MipPair, Plane, TurnedMips, from_picture, to_picture
from pointpet.core.options import check_settings, option, raise_faults
from pointpet.core.prediction import Flag, Lesion, Prediction
from pointpet.core.seeds import derive_seed, generator
from pointpet.core.volume import GRID_TOLERANCE_MM, Grid, Mask, Unit, Volume, require_same_grid

__all__ = [
    "GRID_TOLERANCE_MM",
    "Acquisition",
    "ActivationMap",
    "Candidates",
    "Case",
    "ClusterError",
    "Cohort",
    "CohortError",
    "ConfigError",
    "Faults",
    "FeatureTable",
    "Flag",
    "Fold",
    "FoldResult",
    "GeometryError",
    "Grid",
    "ImageReadError",
    "Lesion",
    "Mask",
    "MipPair",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "Plane",
    "PointpetError",
    "Prediction",
    "SuvError",
    "TrainingError",
    "TurnedMips",
    "Unit",
    "Volume",
    "WorkerError",
    "check_settings",
    "derive_seed",
    "from_picture",
    "generator",
    "option",
    "raise_faults",
    "require_same_grid",
    "text_digest",
    "to_picture",
]
