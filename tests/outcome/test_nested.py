from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from pointpet.core import TrainingError
from pointpet.outcome import MODELS, OutcomeSettings
from pointpet.outcome import nested as module
from pointpet.outcome.nested import auc_strength, fit_outcome, youden_threshold

SETTINGS = OutcomeSettings()


def test_strength_is_the_distance_of_the_auc_from_one_half():
    rng = np.random.default_rng(0)
    values, truth = rng.normal(size=(30, 4)), rng.random(30) < 0.4
    values[:, 3] = np.round(values[:, 3])  # ties
    expected = [abs(roc_auc_score(truth, column) - 0.5) for column in values.T]
    assert auc_strength(truth, values) == pytest.approx(expected)


def test_youden_threshold_equals_the_best_point_of_the_roc_curve():
    rng = np.random.default_rng(1)
    truth = rng.random(60) < 0.5
    chance = np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1)
    found = youden_threshold(truth, chance)
    fpr, tpr, _ = roc_curve(truth, chance)
    called = chance >= found
    assert called[truth].mean() - called[~truth].mean() == pytest.approx((tpr - fpr).max())


def test_without_information_the_threshold_is_the_prevalence():
    truth = np.array([True, False, False, False])
    assert youden_threshold(truth, np.full(4, 0.3)) == 0.25
    assert youden_threshold(truth, np.array([0.1, 0.2, 0.3, 0.4])) == 0.25


@pytest.mark.parametrize("model", MODELS)
def test_a_signal_is_found_and_copies_are_not_taken_twice(made_up, model):
    endpoint = made_up.endpoint
    samples = endpoint.samples(endpoint.table.case_ids)
    fitted = fit_outcome(samples, model, SETTINGS, seed=1)
    names = {endpoint.table.names[column] for column in fitted.preparation.columns}
    assert len(names & {"a", "a_copy"}) == 1
    assert len(names & {"b", "b_copy"}) == 1
    assert (fitted.events, fitted.candidates) == (40, 24)
    assert 0 < fitted.threshold < 1


def test_the_same_seed_gives_the_same_model_and_the_input_is_unchanged(made_up):
    samples = made_up.endpoint.samples(made_up.endpoint.table.case_ids)
    before = samples.values.copy()
    first, second = (fit_outcome(samples, "random_forest", SETTINGS, seed=4) for _ in range(2))
    chances = [fitted.probabilities(samples.values, samples.sites) for fitted in (first, second)]
    assert np.array_equal(*chances)
    assert np.array_equal(samples.values, before, equal_nan=True)


def test_a_patient_is_never_on_both_sides_of_an_inner_split(made_up, monkeypatch):
    samples = made_up.endpoint.samples(made_up.endpoint.table.case_ids)
    samples = replace(samples, patients=[f"P{i // 4}" for i in range(len(samples.patients))])
    seen = []
    original = module._fit

    def watched(training, *rest):
        seen.append(set(training.patients))
        return original(training, *rest)

    monkeypatch.setattr(module, "_fit", watched)
    fit_outcome(samples, "elastic_net", SETTINGS, seed=0)
    inner, final = seen[:-1], seen[-1]
    assert len(inner) == SETTINGS.inner_folds
    assert final == set(samples.patients)
    left_out = [patient for part in inner for patient in final - part]
    assert sorted(left_out) == sorted(final)  # each patient is held out once, with all cases


def test_too_few_events_are_refused_with_their_counts(made_up):
    samples = made_up.endpoint.samples(made_up.endpoint.table.case_ids)
    few = replace(samples, truth=np.arange(80) < 5)
    with pytest.raises(TrainingError, match="8 cases of each outcome, got 5 with outcome 1 and 75 with outcome 0"):
        fit_outcome(few, "elastic_net", SETTINGS, seed=0)
