import pytest

from pointpet.core import ConfigError, Faults
from pointpet.outcome import OutcomeSettings


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("inner_folds", 1, "outcome.inner_folds: must be 2 or more, got 1"),
        ("min_events", 3, "outcome.min_events: must be 4 or more, got 3"),
        ("max_features", 0, "outcome.max_features: must be 1 or more, got 0"),
        ("events_per_feature", 0, "outcome.events_per_feature: must be 1 or more, got 0"),
        ("max_correlation", 1.1, "outcome.max_correlation: must be over 0 and at most 1, got 1.1"),
        ("min_site_cases", 2, "outcome.min_site_cases: must be 3 or more, got 2"),
        ("model", "svm", "outcome.model: must be one of elastic_net, random_forest, got 'svm'"),
        ("harmonise", "on", "outcome.harmonise: must be one of auto, combat, none, got 'on'"),
    ],
)
def test_values_out_of_range_are_refused(name, value, text):
    with pytest.raises(ConfigError, match=text):
        OutcomeSettings(**{name: value})


def test_all_faults_are_reported_together():
    with pytest.raises(Faults, match=r"2 faults(.|\n)*inner_folds(.|\n)*model"):
        OutcomeSettings(inner_folds=0, model="svm")


@pytest.mark.parametrize(("events", "budget"), [(4, 1), (12, 2), (35, 7), (200, 10)])
def test_the_budget_follows_the_events(events, budget):
    assert OutcomeSettings().feature_budget(events) == budget
