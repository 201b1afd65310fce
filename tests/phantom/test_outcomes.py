import itertools

import numpy as np
import pytest

from pointpet.phantom.lesions import draw_latents
from pointpet.phantom.outcomes import THREE_YEARS_DAYS, TRAIT_NAMES, Outcomes, best_auc, draw_outcomes


@pytest.fixture(scope="module")
def many() -> list[Outcomes]:
    rng = np.random.default_rng(0)
    return [draw_outcomes(draw_latents(rng), rng) for _ in range(2500)]


def test_best_auc_is_the_expectation_over_all_outcomes() -> None:
    chances = (0.1, 0.4, 0.4, 0.85)
    wins = pairs = 0.0
    for outcome in itertools.product((0, 1), repeat=4):
        weight = np.prod([p if y else 1 - p for p, y in zip(chances, outcome, strict=True)])
        for i, j in itertools.permutations(range(4), 2):
            if outcome[i] == 1 and outcome[j] == 0:
                pairs += weight
                wins += weight * ((chances[i] > chances[j]) + 0.5 * (chances[i] == chances[j]))
    assert best_auc(chances) == pytest.approx(wins / pairs)


def test_best_auc_of_certain_outcomes_is_one_and_of_equal_chances_a_half() -> None:
    assert best_auc([0.0, 1.0, 1.0]) == 1.0
    assert best_auc([0.3, 0.3, 0.3]) == pytest.approx(0.5)


@pytest.mark.parametrize("chances", [[], [0.5], [1.0, 1.0]])
def test_best_auc_is_undefined_without_two_outcomes(chances: list[float]) -> None:
    assert np.isnan(best_auc(chances))


@pytest.mark.parametrize("endpoint", ["response", "survival3y"])
def test_best_attainable_auc_is_about_four_fifths(many: list[Outcomes], endpoint: str) -> None:
    assert 0.78 <= best_auc([outcomes.probabilities[endpoint] for outcomes in many]) <= 0.82


@pytest.mark.parametrize("endpoint", ["response", "survival3y"])
def test_outcomes_follow_their_probabilities(many: list[Outcomes], endpoint: str) -> None:
    chance = np.array([outcomes.probabilities[endpoint] for outcomes in many])
    value = np.array([outcomes.values[endpoint] for outcomes in many])
    assert 0.3 < value.mean() < 0.7
    for low in (0.0, 0.25, 0.5, 0.75):
        here = (chance >= low) & (chance < low + 0.25)
        assert value[here].mean() == pytest.approx(chance[here].mean(), abs=0.06)


def test_death_falls_before_three_years_exactly_where_survival_is_zero(many: list[Outcomes]) -> None:
    for outcomes in many:
        died_early = outcomes.event == 1 and outcomes.time_days < THREE_YEARS_DAYS
        assert died_early == (outcomes.values["survival3y"] == 0)
        assert outcomes.time_days >= 14
        if outcomes.values["survival3y"]:
            assert outcomes.time_days >= THREE_YEARS_DAYS


def test_latents_are_independent_standard_normals() -> None:
    rng = np.random.default_rng(4)
    drawn = np.array([[draw_latents(rng)[name] for name in TRAIT_NAMES] for _ in range(2000)])
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.08)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(4), atol=0.12)
