import numpy as np
import pytest

from pointpet.outcome.models import GRIDS, fit_classifier


def made_up(n=30, signal=0.3):
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 3 == 0
    return rng.normal(size=(n, 4)) + signal * truth[:, None], truth


@pytest.mark.parametrize("parameters", GRIDS["elastic_net"])
def test_no_elastic_net_of_the_grid_says_the_same_of_everybody(parameters):
    values, truth = made_up()
    model = fit_classifier("elastic_net", parameters, values, truth, 0)
    assert np.ptp(model.predict_proba(values)[:, 1]) > 1e-4


def test_at_the_whole_penalty_no_feature_is_left():
    values, truth = made_up()
    model = fit_classifier("elastic_net", {"penalty": 1.001, "l1_ratio": 0.9}, values, truth, 0)
    assert np.abs(model.coef_).max() < 1e-6
    assert fit_classifier("elastic_net", {"penalty": 0.8, "l1_ratio": 0.9}, values, truth, 0).coef_.any()


def test_features_without_any_say_do_not_stop_the_fit():
    truth = np.array([True, False] * 6)
    model = fit_classifier("elastic_net", GRIDS["elastic_net"][0], np.zeros((12, 2)), truth, 0)
    assert model.predict_proba(np.zeros((1, 2)))[0, 1] == pytest.approx(0.5, abs=0.01)


def test_a_forest_is_made_of_its_seed():
    values, truth = made_up()
    chances = [
        fit_classifier("random_forest", {"min_samples_leaf": 3}, values, truth, seed).predict_proba(values)[:, 1]
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(chances[0], chances[1])
    assert not np.array_equal(chances[0], chances[2])
