import numpy as np
import pytest

from pointpet.evaluate.comparisons import compare_paired, holm, nadeau_bengio_p, paired_p, rank_biserial


def names(n: int) -> list[str]:
    return [f"P{i:03d}" for i in range(n)]


def test_the_wilcoxon_p_is_that_of_a_text_book():
    # Hollander and Wolfe, Nonparametric Statistical Methods, 2nd ed., table 3.1 (depression scores): T+ = 5 of 45,
    # n = 9, exact two-sided p = 0.0391.
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    assert paired_p(after - before) == pytest.approx(0.0391, abs=1e-4)
    assert rank_biserial(after - before) == pytest.approx((5 - 40) / 45)


def test_mcnemar_for_hits():
    # 9 patients that only A hits, 1 that only B hits: two-sided binomial p = 2 x 11 / 1024.
    differences = np.array([1.0] * 9 + [-1.0] + [0.0] * 30)
    assert paired_p(differences) == pytest.approx(22 / 1024)


def test_equal_methods_are_no_evidence():
    assert paired_p(np.zeros(10)) == 1.0
    assert rank_biserial(np.zeros(10)) is None
    result = compare_paired([0.5] * 10, [0.5] * 10, names(10), seed=0)
    assert result is not None
    assert (result.difference, result.low, result.high, result.p, result.effect) == (0.0, 0.0, 0.0, 1.0, None)


def test_ties_between_methods_do_not_drop_patients():
    random = np.random.default_rng(0)
    differences = np.where(random.random(40) < 0.5, 0.0, random.normal(0.1, 0.1, 40))
    assert 0 < paired_p(differences) < 0.05
    result = compare_paired(differences, np.zeros(40), names(40), seed=0)
    assert result is not None
    assert result.n == 40


def test_a_patient_counts_once_and_undefined_cases_are_left_out():
    a = np.array([0.9, 0.7, 0.6, np.nan, 0.8])
    b = np.array([0.5, 0.5, 0.5, 0.5, np.nan])
    result = compare_paired(a, b, ["P1", "P1", "P2", "P3", "P4"], seed=0)
    assert result is not None
    assert result.n == 2
    assert result.difference == pytest.approx(np.mean([0.3, 0.1]))
    assert result.effect == 1.0
    assert compare_paired([np.nan], [0.5], ["P1"], seed=0) is None


def test_the_interval_of_the_difference_uses_the_pairing():
    random = np.random.default_rng(1)
    hardness = random.random(60)
    result = compare_paired(hardness + 0.05 + random.normal(0, 0.02, 60), hardness, names(60), seed=0)
    assert result is not None
    assert 0.04 < result.low < result.difference < result.high < 0.06
    assert result.p < 1e-6


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_nadeau_bengio_by_hand():
    differences = np.array([0.02, 0.04, 0.01, 0.05, 0.03])
    # t = 0.03 / sqrt((1/5 + 1/4) 0.00025) = 2.8284, 4 degrees of freedom: p = 0.0474.
    assert nadeau_bengio_p(differences, n_train=80, n_test=20) == pytest.approx(0.0474, abs=1e-4)
    assert nadeau_bengio_p([0.1], 80, 20) is None
    assert nadeau_bengio_p([0.0, 0.0], 80, 20) == 1.0
    assert nadeau_bengio_p([0.1, 0.1], 80, 20) == 0.0


def test_nadeau_bengio_keeps_its_level_where_the_plain_test_does_not():
    # No difference between methods, fold means with the correlation n_test / (n_train + n_test) = 0.2 that the
    # correction assumes: 5 % of the corrected tests may call a difference, within four standard errors.
    random = np.random.default_rng(5)
    n, k = 2000, 5
    shared = random.normal(0, np.sqrt(0.2), (n, 1))
    differences = shared + random.normal(0, np.sqrt(0.8), (n, k))
    rate = np.mean([(nadeau_bengio_p(row, n_train=80, n_test=20) or 0.0) < 0.05 for row in differences])
    plain = np.mean([(nadeau_bengio_p(row, n_train=1e9, n_test=20) or 0.0) < 0.05 for row in differences])
    print(f"false positives at 5 %: corrected {rate:.3f}, uncorrected {plain:.3f}")
    assert rate == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / n))
    assert plain > 0.1
