import numpy as np
import pytest

from pointpet.evaluate.classification import roc_auc
from pointpet.evaluate.intervals import fold_mean_interval, mean_interval, statistic_interval


def names(n: int) -> list[str]:
    return [f"P{i:03d}" for i in range(n)]


def test_the_interval_is_that_of_theory_for_many_patients():
    values = np.random.default_rng(0).normal(0.7, 0.2, 400)
    interval = mean_interval(values, names(400), seed=1)
    assert interval is not None
    assert interval.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(400)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_intervals_are_reproducible():
    values = np.random.default_rng(0).random(30)
    first = mean_interval(values, names(30), seed=1)
    assert first == mean_interval(values, names(30), seed=1)
    assert first != mean_interval(values, names(30), seed=2)


def test_patients_are_drawn_whole():
    # Two cases of one patient that agree are one piece of evidence.
    values = np.random.default_rng(0).random(40)
    single = mean_interval(values, names(40), seed=0)
    doubled = mean_interval(np.repeat(values, 2), list(np.repeat(names(40), 2)), seed=0)
    ungrouped = mean_interval(np.repeat(values, 2), names(80), seed=0)
    assert single is not None
    assert doubled is not None
    assert ungrouped is not None
    assert doubled == single
    assert ungrouped.high - ungrouped.low < 0.8 * (single.high - single.low)


def test_the_value_is_the_mean_of_the_folds_means():
    interval = fold_mean_interval([0.0, 1.0, 1.0, 1.0], names(4), [0, 1, 1, 1], seed=0)
    assert interval is not None
    assert interval.value == 0.5


def test_undefined_values_are_left_out():
    values = [0.2, np.nan, 0.4, 0.6, np.nan]
    folds = [0, 0, 0, 1, 2]
    interval = fold_mean_interval(values, names(5), folds, seed=0)
    assert interval is not None
    assert interval.value == pytest.approx((0.3 + 0.6) / 2)
    assert fold_mean_interval([np.nan] * 3, names(3), [0, 1, 2], seed=0) is None


def test_equal_values_and_single_patients_have_an_interval_of_no_width():
    for values, patients in (([0.5] * 6, names(6)), ([0.5], names(1)), ([0.4, 0.6], ["P", "P"])):
        interval = mean_interval(values, patients, seed=0, method="BCa")
        assert interval is not None
        assert interval.low == interval.high == pytest.approx(0.5)


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.7224672, 1.0), (0.0, 0.0, 0.2775328)])
def test_a_share_of_0_or_1_has_wilsons_interval_of_the_patients(value, low, high):
    """Limits by hand: n / (n + z^2) and z^2 / (n + z^2) with n = 10 patients of two cases each, z = 1.959964."""
    values, patients = [value] * 20 + [np.nan] * 2, [*names(10), *names(10), "Q", "R"]
    folds = np.arange(22) % 3
    interval = fold_mean_interval(values, patients, folds, seed=0, is_share=True)
    assert interval is not None
    assert (interval.value, interval.low, interval.high) == pytest.approx((value, low, high), abs=1e-7)
    same = fold_mean_interval(values, patients, folds, seed=0)
    assert same is not None
    assert same.low == same.high == value, "no share: a Dice of 0 in every case is no count"


def test_a_share_between_is_drawn_as_any_mean():
    values = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    assert fold_mean_interval(values, names(6), [0, 1] * 3, seed=0, is_share=True) == fold_mean_interval(
        values, names(6), [0, 1] * 3, seed=0
    )
    half = fold_mean_interval([0.5] * 6, names(6), [0, 1] * 3, seed=0, is_share=True)
    assert half is not None
    assert half.low == half.high == 0.5, "a mean over views of 0.5 everywhere is not a share of 0 or 1"


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_intervals_cover_the_truth(method):
    # 200 studies of 40 patients in 5 folds, Dice-like skewed values (beta 4, 2: mean 2/3). A 95 % interval that covers
    # as it says falls under 0.89 or over 0.99 in fewer than one set of 200 in a thousand.
    random = np.random.default_rng(7)
    covered = 0
    for study in range(200):
        values = random.beta(4, 2, 40)
        interval = fold_mean_interval(values, names(40), np.arange(40) % 5, seed=study, n_resamples=400, method=method)
        assert interval is not None
        covered += interval.low <= 2 / 3 <= interval.high
    print(f"coverage of the 95 % {method} interval, 200 studies of 40 patients: {covered / 200:.3f}")
    assert 0.89 <= covered / 200 <= 0.99


def test_any_statistic_counts_the_draws_that_leave_it_undefined():
    truth = np.array([1, 0, 0, 0, 0, 0])
    score = np.array([0.9, 0.1, 0.2, 0.95, 0.3, 0.4])
    interval, undefined = statistic_interval(
        lambda index: roc_auc(truth[index], score[index]), names(6), seed=0, n_resamples=300
    )
    assert interval is not None
    assert interval.value == pytest.approx(0.8)
    # The one positive is missing in (5/6)^6 = 0.33 of the draws.
    assert undefined / 300 == pytest.approx((5 / 6) ** 6, abs=0.1)
    assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0


def test_a_statistic_that_is_undefined_has_no_interval():
    assert statistic_interval(lambda index: None, names(3), seed=0, n_resamples=10) == (None, 10)


def test_a_statistic_of_zero_has_an_interval():
    values = np.array([0.0, 0.0, 0.0])
    interval, undefined = statistic_interval(lambda i: float(values[i].mean()), names(3), seed=0, n_resamples=10)
    assert interval is not None
    assert (interval.value, interval.low, interval.high, undefined) == (0.0, 0.0, 0.0, 0)
