import numpy as np
import pytest

from pointpet.core import TrainingError
from pointpet.outcome import OutcomeSettings
from pointpet.outcome.preparation import fit_preparation, select_features

SETTINGS = OutcomeSettings()


def test_redundant_features_are_left_out():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    values = np.column_stack([a, np.exp(a), b, -b])  # exp and sign keep the rank correlation at 1
    chosen = select_features(values, np.array([0.3, 0.4, 0.1, 0.2]), 4, 0.85)
    assert chosen.tolist() == [1, 3]
    assert select_features(values, np.array([0.3, 0.4, 0.1, 0.2]), 1, 0.85).tolist() == [1]


def test_gaps_are_filled_with_the_training_median_and_constants_left_out():
    values = np.column_stack([np.arange(20.0), np.full(20, 3.0), np.r_[np.nan, np.arange(19.0)], np.full(20, np.nan)])
    found = fit_preparation(values, [None] * 20, lambda x: np.arange(x.shape[1], 0, -1.0), 1, SETTINGS)
    assert found.columns.tolist() == [0]
    assert found.usable.tolist() == [True, False, True, False]
    assert found.medians == pytest.approx([9.5, 9.0])
    gap = found.transform(np.full((1, 4), np.nan), [None])
    assert gap == pytest.approx(found.transform(np.array([[9.5, 3, 9, 0]]), [None]))


def test_prepared_training_cases_are_standardised_and_outliers_cut():
    rng = np.random.default_rng(1)
    values = np.exp(rng.normal(size=(200, 3)) * 2)
    found = fit_preparation(values, [None] * 200, lambda x: np.ones(x.shape[1]), 3, SETTINGS)
    prepared = found.transform(values, [None] * 200)
    assert prepared.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.05)
    assert prepared.std(axis=0) == pytest.approx(np.ones(3), abs=0.05)
    assert np.abs(found.transform(np.full((1, 3), 1e12), [None])).max() <= 4.0


def test_sites_are_harmonised_where_two_have_enough_cases():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(40, 3))
    values[20:] += 5.0
    sites = ["a"] * 20 + ["b"] * 20
    found = fit_preparation(values, sites, lambda x: np.ones(x.shape[1]), 3, SETTINGS)
    prepared = found.transform(values, sites)
    gap = np.abs(prepared[:20].mean(axis=0) - prepared[20:].mean(axis=0))
    assert gap.max() < 0.4  # 1.8 standard deviations without
    untouched = fit_preparation(values, sites, lambda x: np.ones(3), 3, OutcomeSettings(harmonise="none"))
    assert untouched.combat is None
    left = untouched.transform(values, sites)
    assert np.abs(left[:20].mean(axis=0) - left[20:].mean(axis=0)).min() > 1.5
    few = fit_preparation(values, ["a"] * 35 + ["b"] * 5, lambda x: np.ones(3), 3, SETTINGS)
    assert few.combat is None


def test_asking_for_combat_without_sites_is_refused():
    with pytest.raises(TrainingError, match="needs two sites with 10 training cases each"):
        fit_preparation(
            np.random.default_rng(0).normal(size=(20, 3)),
            [None] * 20,
            lambda x: np.ones(3),
            3,
            OutcomeSettings(harmonise="combat"),
        )


def test_nothing_that_varies_is_refused():
    with pytest.raises(TrainingError, match="at least one must vary among the training cases, got 2 that do not"):
        fit_preparation(np.ones((9, 2)), [None] * 9, lambda x: np.ones(2), 1, SETTINGS)
