"""The leukaemia trial of Freireich 1963 (6-MP against placebo), whose figures every textbook gives."""

import numpy as np
import pytest
from scipy.stats import CensoredData, ecdf, logrank

from pointpet.evaluate.survival import concordance, hazard_ratio, kaplan_meier, log_rank_p

TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
TREATED_EVENT = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TIME = np.array(TREATED + PLACEBO, float)
EVENT = np.array(TREATED_EVENT + [1] * 21, bool)
PLACEBO_GROUP = np.array([0] * 21 + [1] * 21)


def test_kaplan_meier_equals_the_published_curve():
    curve = kaplan_meier(TREATED, TREATED_EVENT)
    # Kleinbaum and Klein, Survival Analysis, table of the 6-MP group: S(6), S(7), S(10), S(13), S(16), S(22), S(23).
    assert curve.days.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.survival == pytest.approx([0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=5e-5)
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    limits = ecdf(CensoredData.right_censored(TREATED, ~np.array(TREATED_EVENT, bool))).sf.confidence_interval(
        method="log-log"
    )
    steps = np.isin(np.unique(TREATED), curve.days)
    assert curve.low == pytest.approx(limits.low.probabilities[steps], rel=1e-6)
    assert curve.high == pytest.approx(limits.high.probabilities[steps], rel=1e-6)


def test_kaplan_meier_without_events_has_no_step():
    assert len(kaplan_meier([3, 4], [0, 0]).days) == 0


def test_log_rank_equals_the_published_statistic():
    # Chi square 16.79 on one degree of freedom (Kleinbaum and Klein).
    p = log_rank_p(TIME, EVENT, PLACEBO_GROUP)
    assert p == pytest.approx(4.17e-5, rel=5e-3)
    other = logrank(
        CensoredData.right_censored(TREATED, ~np.array(TREATED_EVENT, bool)),
        CensoredData.right_censored(PLACEBO, [0] * 21),
    )
    assert p == pytest.approx(other.pvalue, rel=1e-6)
    assert log_rank_p(TIME, EVENT, np.zeros(42)) is None
    assert log_rank_p(TIME, np.zeros(42), PLACEBO_GROUP) is None


def test_hazard_ratio_equals_the_published_one():
    # Efron: coefficient 1.572, standard error 0.412 (R's survival, coxph on these data).
    found = hazard_ratio(TIME, EVENT, PLACEBO_GROUP)
    assert found.value == pytest.approx(np.exp(1.572), rel=2e-3)
    assert (found.low, found.high) == pytest.approx(np.exp([1.572 - 1.96 * 0.412, 1.572 + 1.96 * 0.412]), rel=5e-3)
    assert hazard_ratio(TIME, EVENT & (PLACEBO_GROUP == 1), PLACEBO_GROUP) is None


@pytest.mark.filterwarnings("error")
def test_groups_that_events_separate_have_no_hazard_ratio():
    assert hazard_ratio([1, 2, 3, 4, 5, 6], [1] * 6, [1, 1, 1, 0, 0, 0]) is None


def test_strata_are_compared_within():
    """Two strata of opposite pace: pooled, the groups look alike or worse; within strata the order is clear."""
    time = np.array([1, 2, 3, 4, 5, 6, 101, 102, 103, 104, 105, 106.0])
    group = np.array([1, 1, 1, 0, 0, 0] * 2)
    strata = np.repeat([0, 1], 6)
    pooled, within = log_rank_p(time, np.ones(12), group), log_rank_p(time, np.ones(12), group, strata)
    assert within < 0.01 < pooled
    both = hazard_ratio(time, np.ones(12), [1, 0, 1, 1, 0, 0] * 2, strata)
    assert both.value > hazard_ratio(time, np.ones(12), [1, 0, 1, 1, 0, 0] * 2).value


def test_concordance_by_hand():
    # Known pairs: (1 before 2), (1 before 3), (2 censored: unknown against 3).
    assert concordance([1, 2, 3], [1, 0, 1], [3.0, 1.0, 2.0]) == 1.0
    assert concordance([1, 2, 3], [1, 0, 1], [1.0, 1.0, 2.0]) == pytest.approx(0.25)
    assert concordance([1, 2], [0, 0], [1.0, 2.0]) is None


def test_concordance_counts_pairs_one_by_one():
    rng = np.random.default_rng(0)
    time, event, risk = rng.integers(1, 9, 30), rng.random(30) < 0.6, rng.integers(0, 5, 30)
    wins = known = 0.0
    for i in range(30):
        for j in range(30):
            if event[i] and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
                known += 1
                wins += 1 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0
    assert concordance(time, event, risk) == pytest.approx(wins / known)
