"""Features and endpoints to predictions: every choice made inside the training fold."""

from pointpet.outcome.combat import Combat
from pointpet.outcome.endpoint import CaseOutcome, Endpoint, EndpointResult, OutcomeFold, predict_endpoint, site_folds
from pointpet.outcome.nested import FittedOutcome, Samples, fit_outcome, youden_threshold
from pointpet.outcome.settings import MODELS, OutcomeSettings

__all__ = [
    "MODELS",
    "CaseOutcome",
    "Combat",
    "Endpoint",
    "EndpointResult",
    "FittedOutcome",
    "OutcomeFold",
    "OutcomeSettings",
    "Samples",
    "fit_outcome",
    "predict_endpoint",
    "site_folds",
    "youden_threshold",
]
