"""Features and endpoints to predictions: every choice made inside the training fold.

Only the settings are imported here, since configurations are read by commands that predict nothing.
"""

from pointpet.outcome.settings import MODELS, OutcomeSettings

__all__ = ["MODELS", "OutcomeSettings"]
