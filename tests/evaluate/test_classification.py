import numpy as np
import pytest

from pointpet.core import TrainingError
from pointpet.evaluate.classification import (
    accuracy,
    auc_by_fold,
    balanced_accuracy,
    brier_score,
    calibrate,
    delong_covariance,
    delong_interval,
    fold_mean,
    newcombe_interval,
    pr_auc,
    roc_auc,
    sensitivity,
    specificity,
    wilson_interval,
)


def slow_delong(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong 1988 as printed: structural components from every pair of a positive and a negative."""
    areas, v10, v01 = [], [], []
    for score in scores:
        kernel = np.array([[1.0 if p > n else 0.5 if p == n else 0.0 for n in score[~truth]] for p in score[truth]])
        areas.append(kernel.mean())
        v10.append(kernel.mean(axis=1))
        v01.append(kernel.mean(axis=0))
    k = len(scores)
    m, n = truth.sum(), (~truth).sum()
    s10, s01 = np.zeros((2, k, k))
    for r in range(k):
        for s in range(k):
            s10[r, s] = sum((v10[r][i] - areas[r]) * (v10[s][i] - areas[s]) for i in range(m)) / (m - 1)
            s01[r, s] = sum((v01[r][j] - areas[r]) * (v01[s][j] - areas[s]) for j in range(n)) / (n - 1)
    return np.array(areas), s10 / m + s01 / n


@pytest.mark.parametrize("seed", range(3))
def test_delong_against_the_slow_exact_form(seed):
    random = np.random.default_rng(seed)
    truth = random.random(40) < 0.4
    scores = np.round(random.normal(truth * 1.0, 1.0, (3, 40)), 1)  # rounded: ties occur
    areas, covariance = delong_covariance(truth, scores)
    slow_areas, slow_covariance = slow_delong(truth, scores)
    np.testing.assert_allclose(areas, slow_areas, rtol=1e-12)
    np.testing.assert_allclose(covariance, slow_covariance, rtol=1e-10, atol=1e-15)
    assert areas[0] == pytest.approx(roc_auc(truth, scores[0]))


def test_delong_needs_two_of_either_kind():
    with pytest.raises(TrainingError, match="needs two positives and two negatives, got 1 and 3"):
        delong_covariance([1, 0, 0, 0], [0.1, 0.2, 0.3, 0.4])
    assert delong_interval([1, 0, 0, 0], [0.1, 0.2, 0.3, 0.4]) is None


def test_delong_interval():
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1], bool)
    score = np.array([0.1, 0.2, 0.3, 0.8, 0.25, 0.6, 0.7, 0.9])
    interval = delong_interval(truth, score)
    areas, covariance = slow_delong(truth, score[None])
    assert interval is not None
    assert interval.value == pytest.approx(12 / 16)
    assert interval.low == pytest.approx(areas[0] - 1.959964 * np.sqrt(covariance[0, 0]), abs=1e-6)
    assert interval.high == 1.0  # cut


def test_four_cases_of_either_kind_prove_no_perfect_area():
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1], bool)
    perfect, reverse = (delong_interval(truth, sign * truth.astype(float)) for sign in (1, -1))
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    # (1 - x)^2 = z^2 V(x), divided by 1 - x: the cubic of Newcombe's equation with 4 and 4 cases, N = 3.
    z = 1.959964
    roots = np.roots(np.polysub(
        np.polymul([-16, 16], np.polymul([-1, 2], [1, 1])),
        z**2 * np.polymul([1, 0], np.polyadd(np.polyadd(
            np.polymul([-1, 2], [1, 1]), 3 * np.polymul([-1, 1], [1, 1])), 3 * np.polymul([1, 0], [-1, 2]))),
    ))  # fmt: skip
    assert perfect.low == pytest.approx(next(x.real for x in roots if 0 < x.real < 1 and abs(x.imag) < 1e-9), abs=1e-5)
    assert 0.5 < perfect.low < 0.8
    assert (reverse.value, reverse.low) == (0.0, 0.0)
    assert reverse.high == pytest.approx(1 - perfect.low)
    constant = delong_interval(truth, np.full(8, 0.5))
    assert constant.value == 0.5
    assert constant.low == pytest.approx(1 - constant.high)
    assert 0.1 < constant.low < 0.3


def test_newcombes_interval_covers_the_truth_where_cases_are_few():
    """Scores of separation 2: the true area is Phi(2 / sqrt(2)) = 0.921; ten cases of either kind."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        score = np.concatenate([rng.normal(2, 1, 10), rng.normal(0, 1, 10)])
        area = roc_auc(np.arange(20) < 10, score)
        interval = newcombe_interval(area, 10, 10)
        covered += interval.low <= 0.9214 <= interval.high
    assert covered / 300 > 0.92


def test_rates():
    truth, predicted = ["a", "a", "a", "b"], ["a", "a", "b", "b"]
    assert accuracy(truth, predicted) == 0.75
    assert balanced_accuracy(truth, predicted) == pytest.approx((2 / 3 + 1) / 2)
    assert balanced_accuracy(truth, ["a", "a", "c", "c"]) == pytest.approx((2 / 3 + 0) / 2)
    assert sensitivity([1, 1, 0, 0, 0], [1, 0, 0, 0, 1]) == 0.5
    assert specificity([1, 1, 0, 0, 0], [1, 0, 0, 0, 1]) == pytest.approx(2 / 3)


def test_what_is_undefined_is_none_and_never_a_half():
    assert accuracy([], []) is None
    assert balanced_accuracy(["a", "a"], ["a", "b"]) is None
    assert sensitivity([0, 0], [0, 1]) is None
    assert specificity([1, 1], [0, 1]) is None
    assert roc_auc([1, 1], [0.2, 0.3]) is None
    assert pr_auc([0, 0], [0.2, 0.3]) is None
    assert brier_score([], np.zeros((0, 2)), ["a", "b"]) is None
    assert calibrate([], []) is None
    assert wilson_interval(0, 0) is None


def test_area_by_fold_leaves_undefined_folds_out_and_counts_them():
    truth = [1, 0, 1, 0, 1, 1]
    score = [0.9, 0.1, 0.2, 0.8, 0.5, 0.6]
    result = auc_by_fold(truth, score, [0, 0, 1, 1, 2, 2])
    assert result.values == (1.0, 0.0, None)
    assert result.undefined == 1
    assert result.mean == 0.5
    assert result.sd == pytest.approx(np.sqrt(0.5))


def test_fold_mean_of_few():
    assert fold_mean([None, None]).mean is None
    one = fold_mean([0.7, None])
    assert (one.mean, one.sd, one.undefined) == (0.7, None, 1)


def test_brier_score_of_two_classes_is_that_of_the_positive_one():
    probabilities = np.array([[0.8, 0.2], [0.4, 0.6]])
    assert brier_score(["a", "b"], probabilities, ["a", "b"]) == pytest.approx((0.2**2 + 0.4**2) / 2)


def test_average_precision_of_chance_is_the_prevalence():
    assert pr_auc([1, 0, 0, 0], [0.5] * 4) == pytest.approx(0.25)
    assert pr_auc([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]) == 1.0


def test_calibration():
    random = np.random.default_rng(0)
    chance = random.random(20_000)
    honest = calibrate(random.random(20_000) < chance, chance)
    assert honest is not None
    assert honest.expected_error < 0.02
    np.testing.assert_allclose(honest.predicted, honest.observed, atol=0.04)
    boastful = calibrate(random.random(20_000) < 0.5 + 0.2 * (chance - 0.5), chance)
    assert boastful is not None
    # |0.8 (chance - 0.5)| has the mean 0.2 over a uniform chance.
    assert boastful.expected_error == pytest.approx(0.2, abs=0.02)


def test_wilson_interval():
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3: 81 of 263.
    interval = wilson_interval(81, 263)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
