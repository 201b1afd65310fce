from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from pointpet.evaluate.classification import auc_by_fold
from pointpet.evaluate.comparisons import nadeau_bengio_p
from pointpet.evaluate.intervals import statistic_interval
from pointpet.evaluate.outcome_measures import (
    Answers,
    auc_interval,
    compare_accuracy,
    compare_auc,
    measure_outcome,
)


def made_up(n=60, *, signal=1.0, seed=0, patients=None) -> Answers:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.5
    chance = 1 / (1 + np.exp(-rng.normal(signal * (truth - 0.5))))
    names = patients or [f"P{i:02d}" for i in range(n)]
    return Answers(truth, chance >= 0.5, chance, np.arange(n) % 3, names)


def test_measures_are_means_over_folds():
    answers = made_up()
    found = measure_outcome(answers, seed=1)
    for name, positive in (("sensitivity", True), ("specificity", False)):
        shares = [
            np.mean(answers.prediction[(answers.folds == k) & (answers.truth == positive)] == positive)
            for k in range(3)
        ]
        assert found[name].over_folds.mean == pytest.approx(np.mean(shares))
        assert found[name].over_folds.sd == pytest.approx(np.std(shares, ddof=1))
        assert found[name].interval.value == pytest.approx(np.mean(shares))
    assert found["accuracy"].over_folds.mean == pytest.approx(np.mean(answers.prediction == answers.truth))
    area = auc_by_fold(answers.truth, answers.probability, answers.folds)
    assert found["auc"].over_folds == area
    assert found["auc"].interval.value == pytest.approx(area.mean)
    assert found["auc"].interval.low < area.mean < found["auc"].interval.high


def test_auc_interval_equals_the_slow_bootstrap():
    answers = made_up(patients=[f"P{i // 2:02d}" for i in range(60)])
    answers = replace(answers, folds=np.arange(60) // 2 % 3, probability=np.round(answers.probability, 1))  # ties

    def area(rows):
        return auc_by_fold(answers.truth[rows], answers.probability[rows], answers.folds[rows]).mean

    slow, _ = statistic_interval(area, answers.patients, seed=3, n_resamples=600)
    fast = auc_interval(answers, seed=5)
    assert fast.value == pytest.approx(slow.value)
    width = slow.high - slow.low
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=0.12 * width)


def test_auc_interval_covers_the_truth():
    """Scores of separation 1: the true area is Phi(1 / sqrt(2)) = 0.760."""
    covered = sum(
        0.0 <= interval.low <= 0.7602 <= interval.high
        for interval in (auc_interval(made_up(n=120, seed=seed), seed=seed) for seed in range(100))
    )
    assert binomtest(covered, 100, 0.95).pvalue > 0.005


def test_undefined_areas_are_none_and_never_one_half():
    answers = replace(made_up(), truth=np.ones(60, bool))
    found = measure_outcome(answers, seed=0)
    assert found["auc"].interval is None
    assert found["auc"].over_folds.mean is None
    assert found["specificity"].over_folds.mean is None
    assert found["specificity"].interval is None
    assert compare_auc(answers, answers, seed=0) is None


def test_shares_of_1_have_an_interval_with_a_width():
    answers = made_up(n=12)
    found = measure_outcome(replace(answers, prediction=answers.truth), seed=0)
    assert (found["accuracy"].interval.value, found["accuracy"].interval.high) == (1.0, 1.0)
    assert found["accuracy"].interval.low == pytest.approx(12 / (12 + 1.959964**2), abs=1e-6)
    positives = int(answers.truth.sum())
    assert found["sensitivity"].interval.low == pytest.approx(positives / (positives + 1.959964**2), abs=1e-6)


def test_areas_of_1_in_every_fold_have_no_interval():
    answers = made_up(n=12)
    found = measure_outcome(replace(answers, probability=answers.truth * 0.8 + 0.1), seed=0)["auc"]
    assert found.over_folds.mean == 1.0
    assert found.interval is None


def test_a_fold_of_one_outcome_is_left_out_and_counted():
    answers = made_up()
    answers = replace(answers, truth=answers.truth | (answers.folds == 0))
    found = measure_outcome(answers, seed=0)["auc"]
    assert found.over_folds.undefined == 1
    assert found.interval.value == pytest.approx(found.over_folds.mean)


def test_differences_between_methods():
    good, bad = made_up(signal=3.0), made_up(signal=3.0)
    noise = np.random.default_rng(9).random(60)
    bad = replace(bad, probability=noise, prediction=noise >= 0.5)
    found = compare_auc(good, bad, seed=0)
    areas = [np.array(auc_by_fold(one.truth, one.probability, one.folds).values) for one in (good, bad)]
    assert found.difference == pytest.approx((areas[0] - areas[1]).mean())
    assert found.low > 0
    assert found.p == pytest.approx(nadeau_bengio_p(areas[0] - areas[1], 40, 20))
    assert found.n == 60
    share = compare_accuracy(good, bad, seed=0)
    right, other = good.truth == good.prediction, bad.truth == bad.prediction
    assert share.difference == pytest.approx(right.mean() - other.mean())
    assert share.p == pytest.approx(binomtest(int((right & ~other).sum()), int((right != other).sum())).pvalue)


def test_a_method_does_not_differ_from_itself():
    found = compare_auc(made_up(), made_up(), seed=0)
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_answers_of_other_cases_are_a_defect():
    with pytest.raises(AssertionError, match="same cases, in the same order"):
        compare_auc(made_up(), made_up(seed=5), seed=0)
    with pytest.raises(AssertionError, match="same cases, in the same order"):
        compare_accuracy(made_up(), replace(made_up(), patients=["P"] * 60), seed=0)
