import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from pointpet.evaluate.confidence import (
    Scaling,
    fit_scaling,
    fit_temperature,
    gain_interval,
    risk_coverage,
    tempered,
)


def test_scaling_is_logistic_regression_on_many_cases():
    random = np.random.default_rng(0)
    score = random.normal(0.5, 1.5, 4000)
    event = random.random(4000) < expit(0.7 * score - 0.4)
    found = fit_scaling(expit(score), event)
    reference = LogisticRegression(C=np.inf).fit(score[:, None], event)
    assert found.slope == pytest.approx(reference.coef_[0, 0], abs=0.02)
    assert found.intercept == pytest.approx(reference.intercept_[0], abs=0.02)
    assert (found.cases, found.events) == (4000, int(event.sum()))


def test_cases_of_one_kind_leave_a_doubt():
    """Platt's target for 15 right answers out of 15 is 16 / 17."""
    found = fit_scaling(np.full(15, 0.9), np.ones(15, bool))
    assert found([0.9])[0] == pytest.approx(16 / 17, abs=1e-3)
    assert fit_scaling([], []) is None


def test_a_certainty_that_misleads_is_flattened_and_never_turned_round():
    found = fit_scaling([0.9, 0.8, 0.2, 0.1] * 5, [False, False, True, True] * 5)
    assert found.slope == 0
    assert found([0.1, 0.9]) == pytest.approx([0.5, 0.5], abs=1e-6)


def test_confidence_rises_with_certainty_and_stays_a_probability():
    values = Scaling(2.0, -1.0, 10, 5)([0.0, 0.3, 0.7, 1.0])
    assert (np.diff(values) > 0).all()
    assert values.min() > 0
    assert values.max() < 1


def test_the_temperature_of_scaled_scores_is_recovered():
    random = np.random.default_rng(1)
    scores = random.normal(0, 2, (6000, 3))
    chance = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    truth = np.array([random.choice(3, p=row) for row in chance])
    sharp = np.exp(3 * scores) / np.exp(3 * scores).sum(1, keepdims=True)
    assert fit_temperature(sharp, truth) == pytest.approx(3.0, rel=0.06)
    assert fit_temperature(np.zeros((0, 2)), []) is None


def test_tempering_softens_and_keeps_the_order():
    soft = tempered({"a": 0.9, "b": 0.08, "c": 0.02}, 2.0)
    assert sum(soft.values()) == pytest.approx(1)
    assert 0.9 > soft["a"] > soft["b"] > soft["c"] > 0.02
    assert tempered({"a": 0.9, "b": 0.1}, 1.0) == pytest.approx({"a": 0.9, "b": 0.1})
    assert tempered({"a": 1.0, "b": 0.0}, 2.0)["a"] < 1


def test_risk_coverage_by_hand():
    """Order of confidence: risks 0, 0.2, 1; means 0, 0.1, 0.4."""
    curve = risk_coverage([0.9, 0.1, 0.5], [0.0, 1.0, 0.2])
    assert curve.coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve.risk == pytest.approx([0, 0.1, 0.4])
    assert curve.area == pytest.approx(0.5 / 3)
    assert curve.random == pytest.approx(0.4)
    assert curve.best == pytest.approx(curve.area)
    assert risk_coverage([], []) is None


def test_equal_confidence_knows_nothing():
    risk = np.random.default_rng(2).random(50)
    curve = risk_coverage(np.full(50, 0.7), risk)
    assert curve.area == pytest.approx(curve.random)
    assert curve.best < curve.random


def test_the_gain_has_an_interval_over_patients():
    random = np.random.default_rng(3)
    risk = random.random(80)
    patients = [f"P{index}" for index in range(80)]
    helpful = gain_interval(1 - risk + random.normal(0, 0.2, 80), risk, patients, seed=0)
    useless = gain_interval(random.random(80), risk, patients, seed=0)
    assert helpful.low > 0
    assert useless.low < 0 < useless.high
    assert gain_interval([], [], [], seed=0) is None
