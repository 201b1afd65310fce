import numpy as np
import pytest

from pointpet.evaluate.decision_curve import decision_curve


def test_net_benefit_by_hand():
    """At 0.25 the odds are 1/3: two true and one false alarm of five give 0.4 - 0.2 / 3."""
    curve = decision_curve([1, 1, 0, 0, 0], [0.9, 0.3, 0.6, 0.1, 0.2], np.array([0.25, 0.5]))
    assert curve.model == pytest.approx([0.4 - 0.2 / 3, 0.2 - 0.2])
    assert curve.everyone == pytest.approx([0.4 - 0.6 / 3, 0.4 - 0.6])


def test_a_perfect_model_is_worth_the_prevalence_everywhere():
    truth = np.arange(20) < 6
    curve = decision_curve(truth, truth.astype(float))
    assert curve.model == pytest.approx(np.full(99, 0.3))
    assert curve.everyone[0] == pytest.approx(0.3 - 0.7 / 99)
    assert decision_curve([], []) is None
