from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pointpet.core import TrainingError
from pointpet.outcome.combat import Combat

REFERENCE = Path(__file__).with_name("combat_reference.csv")
"""Three sites, six made-up features, and what neuroCombat 0.2.12 (Fortin's own code) makes of them."""


def test_equals_neurocombat():
    table = pd.read_csv(REFERENCE)
    values = table[[f"x{i}" for i in range(6)]].to_numpy()
    expected = table[[f"adjusted{i}" for i in range(6)]].to_numpy()
    found = Combat().fit(values, list(table["site"])).transform(values, list(table["site"]))
    # neuroCombat stops its iteration at a relative change of 1e-4.
    assert np.abs(found - expected).max(axis=0) / values.std(axis=0) == pytest.approx(np.zeros(6), abs=3e-4)
    assert np.abs(found - values).max() > 1.0


def two_sites(rng, n=400, shift=2.0, scale=1.5):
    values = rng.normal(size=(2 * n, 5)) + np.arange(5)
    sites = ["a"] * n + ["b"] * n
    values[n:] = values[n:] * scale + shift
    return values, sites


def test_held_out_cases_of_a_known_site_lose_its_shift_and_scale():
    rng = np.random.default_rng(0)
    combat = Combat().fit(*two_sites(rng))
    fresh, sites = two_sites(rng)
    adjusted = combat.transform(fresh, sites)
    gap = adjusted[400:].mean(axis=0) - adjusted[:400].mean(axis=0)
    assert np.abs(gap).max() < 0.25
    ratio = adjusted[400:].std(axis=0) / adjusted[:400].std(axis=0)
    assert ratio == pytest.approx(np.ones(5), abs=0.12)


def test_test_cases_have_no_say_and_input_is_unchanged():
    values, sites = two_sites(np.random.default_rng(1))
    combat = Combat().fit(values, sites)
    copy = values.copy()
    alone = combat.transform(values[:3], sites[:3])
    assert np.array_equal(combat.transform(values, sites)[:3], alone)
    assert np.array_equal(values, copy)


def test_an_unseen_or_small_site_passes_unchanged():
    values, sites = two_sites(np.random.default_rng(2), n=20)
    sites[:3] = ["c"] * 3
    combat = Combat().fit(values, sites)
    assert combat.unadjusted_ == ("c",)
    new = np.full((2, 5), 7.0)
    assert np.array_equal(combat.transform(new, ["c", "d"]), new)


def test_constant_features_stay_as_they_are():
    values, sites = two_sites(np.random.default_rng(3), n=20)
    values[:, 2] = 4.0
    adjusted = Combat().fit(values, sites).transform(values, sites)
    assert np.all(adjusted[:, 2] == 4.0)
    assert np.isfinite(adjusted).all()


def test_one_site_is_refused():
    with pytest.raises(TrainingError, match=r"needs two sites with 5 training cases each, got \{'a': 9, 'b': 3\}"):
        Combat().fit(np.random.default_rng(0).normal(size=(12, 4)), ["a"] * 9 + ["b"] * 3)


def test_one_varying_feature_is_refused():
    values = np.ones((20, 3))
    values[:, 0] = np.arange(20)
    with pytest.raises(TrainingError, match="needs two features that vary inside sites, got 1"):
        Combat().fit(values, ["a", "b"] * 10)
