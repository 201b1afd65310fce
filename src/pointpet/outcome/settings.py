"""Every choice of the outcome models, with its meaning."""

from __future__ import annotations

from dataclasses import dataclass

from pointpet.core import check_settings, option

MODELS = ("elastic_net", "random_forest")
HARMONISE = ("auto", "combat", "none")


@dataclass(frozen=True)
class OutcomeSettings:
    """Prediction of outcomes from features; checked when built, all faults reported together.

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """

    enabled: bool = option(True, "predict the endpoints of the manifest; false skips features and outcomes")
    model: str = option("elastic_net", f"model of the class tables, chosen beforehand: {' or '.join(MODELS)}")
    inner_folds: int = option(4, "folds inside a training fold that choose hyperparameters and threshold")
    min_events: int = option(
        8, "cases of the rarer outcome that every training fold needs; with fewer the endpoint is not evaluated"
    )
    max_features: int = option(10, "most features that a model is given")
    events_per_feature: int = option(
        5, "a model is given at most one feature per this many training cases of the rarer outcome"
    )
    max_correlation: float = option(
        0.85, "a feature whose rank correlation with a better one exceeds this is redundant"
    )
    harmonise: str = option(
        "auto", "ComBat over sites inside each training fold: auto (where two sites have enough cases), combat, none"
    )
    min_site_cases: int = option(10, "training cases that a site needs to be harmonised")
    leave_site_out: bool = option(True, "where the manifest has two sites or more, also test on each site left out")
    survival: bool = option(True, "where time_days and event are known, risk groups and survival by Cox's model")

    def __post_init__(self) -> None:
        check_settings(
            self,
            "outcome",
            (
                ("inner_folds", "2 or more", self.inner_folds >= 2),
                ("min_events", "4 or more", self.min_events >= 4),
                ("max_features", "1 or more", self.max_features >= 1),
                ("events_per_feature", "1 or more", self.events_per_feature >= 1),
                ("max_correlation", "over 0 and at most 1", 0 < self.max_correlation <= 1),
                ("min_site_cases", "3 or more", self.min_site_cases >= 3),
            ),
            {"model": MODELS, "harmonise": HARMONISE},
        )

    def feature_budget(self, events: int) -> int:
        """Most features for a training set with this many cases of the rarer outcome."""
        return max(1, min(self.max_features, events // self.events_per_feature))
