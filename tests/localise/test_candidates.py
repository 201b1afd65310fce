import numpy as np
import pytest

from pointpet.core import ActivationMap, Grid, Plane
from pointpet.localise.candidates import (
    LEAST,
    MAP_FLOOR,
    WeightedCandidates,
    class_probabilities,
    forest_votes,
    joint_scores,
    place_weights,
)

PLACES = np.array([[10.0, 10.0, 10.0], [30.0, 20.0, 10.0]])


def views(values: dict[tuple[int, int, int], float]) -> dict[Plane, ActivationMap]:
    """Maps of 4 mm cells whose value at a place's cell is that of the place."""
    found = {}
    for plane in Plane:
        cells = np.zeros((20, 20), np.float32)
        for place, value in values.items():
            cells[round(place[plane.axis] / 4), round(place[2] / 4)] = value
        found[plane] = ActivationMap(cells, plane, "lung", 4.0, np.zeros(3))
    return found


def test_the_field_is_the_largest_bell_at_each_voxel() -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    grid = Grid((30, 20, 15), affine)
    box = (slice(2, 28), slice(1, 19), slice(0, 14))
    weights = np.array([1.0, 0.4])
    field = WeightedCandidates(PLACES, weights, 8.0).on(grid, box)
    index = np.stack(np.meshgrid(*[np.arange(p.start, p.stop) for p in box], indexing="ij"), -1)
    away = np.linalg.norm(grid.world(index.reshape(-1, 3))[:, None] - PLACES, axis=2)
    plain = (weights * np.exp(-(away**2) / (2 * 8.0**2))).max(1).reshape(field.shape)
    # Beyond three standard deviations a bell is cut off.
    assert np.abs(field - plain).max() <= np.exp(-4.5) + 1e-6
    assert np.abs(field - plain)[plain > 0.1].max() < 1e-5


def test_the_score_is_the_product_of_maps_uptake_and_forest() -> None:
    maps = [views({(10, 10, 10): 0.5}), views({(30, 20, 10): 0.8})]
    shares = np.array([[0.6, 0.1], [0.2, 0.7]])
    scores = joint_scores(PLACES, np.array([2.0, 3.0]), forest_votes(shares, weight=2.0), maps)
    assert scores[0, 0] == pytest.approx(2 * np.log(0.6 + LEAST) + np.log(2) + 2 * np.log(0.5 + MAP_FLOOR), rel=1e-5)
    assert scores[1, 1] == pytest.approx(2 * np.log(0.7 + LEAST) + np.log(3) + 2 * np.log(0.8 + MAP_FLOOR), rel=1e-5)
    assert np.unravel_index(scores.argmax(), scores.shape) == (1, 1)


def test_a_place_outside_the_maps_has_no_share_of_them() -> None:
    far = np.array([[500.0, 10.0, 10.0]])
    scores = joint_scores(far, np.ones(1), np.zeros((1, 1)), [views({(10, 10, 10): 1.0})])
    assert scores[0, 0] == pytest.approx(np.log(MAP_FLOOR) + np.log(1 + MAP_FLOOR))


def test_the_class_follows_its_best_candidate_and_the_networks_word() -> None:
    scores = np.array([[0.0, -5.0], [-9.0, 1.0]])
    alone = class_probabilities(scores, [0.5, 0.5], class_share=0.5)
    assert alone.sum() == pytest.approx(1)
    assert alone[1] / alone[0] == pytest.approx(np.e)
    swayed = class_probabilities(scores, [0.99, 0.01], class_share=0.5)
    assert swayed[0] > swayed[1]


def test_a_candidate_weighs_for_the_place_what_it_weighs_for_the_class() -> None:
    shares = np.array([[0.3], [0.6], [0.0]])
    votes = forest_votes(shares, weight=4.0)[:, 0]
    weights = place_weights(votes)
    assert weights[1] == 1.0
    assert weights[0] == pytest.approx(((0.3 + LEAST) / (0.6 + LEAST)) ** 4)
    assert 0 < weights[2] < 1e-5
    assert np.log(weights[0]) == pytest.approx(votes[0] - votes[1])
