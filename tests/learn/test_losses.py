"""Expected numbers are worked out by hand from each reading's formula; cells of 10 mm unless said otherwise."""

import math

import pytest
import torch

from pointpet.learn import TrainingSettings
from pointpet.learn.losses import READINGS, MapTargets, above_controls, distances_mm, empty_maps

NAN = math.nan


def targets(points: list, shape: tuple[int, int] = (1, 5), cell_mm: float = 10.0) -> MapTargets:
    located = torch.tensor([points], dtype=torch.float32)
    return MapTargets(located, torch.ones(1, *shape, dtype=torch.bool), cell_mm)


def loss(name: str, rows: list, where: MapTargets, **settings: object) -> float:
    maps = torch.tensor([rows], dtype=torch.float32)
    return READINGS[name](maps, where, TrainingSettings(**settings)).item()  # type: ignore[arg-type]


def test_distances_are_to_the_nearest_point_and_ignore_filling() -> None:
    where = targets([[0.0, 0.0], [0.0, 3.0], [NAN, NAN]])
    torch.testing.assert_close(distances_mm(where), torch.tensor([[[0.0, 10.0, 10.0, 0.0, 10.0]]]), atol=0.02, rtol=0)


def test_centroid_is_the_distance_of_the_centre_of_mass() -> None:
    # Mass 1 in cell 0 and 3 in cell 4, the negative cell cut off: centre 3; the point is in cell 1: 20 mm = 0.2 dm.
    assert loss("centroid", [[1, 0, -5, 0, 3]], targets([[0, 1]])) == pytest.approx(0.2, abs=1e-4)


def test_two_peaks_either_side_satisfy_the_centroid_but_not_the_weighted_distance() -> None:
    rows = [[1, 0, 0, 0, 1]]
    assert loss("centroid", rows, targets([[0, 2]])) == pytest.approx(0.0, abs=1e-3)
    assert loss("weighted", rows, targets([[0, 2]]), tolerance_mm=5) == pytest.approx(0.15, abs=1e-4)


def test_weighted_is_the_mean_distance_beyond_the_tolerance() -> None:
    # Distances 0, 10, 20, 30, 40 mm less 15: 0, 0, 5, 15, 25; mass 0.5 at 20 mm and 0.5 at 40 mm: 15 mm.
    assert loss("weighted", [[0, 0, 2, -1, 2]], targets([[0, 0]]), tolerance_mm=15) == pytest.approx(0.15, abs=1e-4)
    assert loss("weighted", [[5, 5, 0, 0, 0]], targets([[0, 0]]), tolerance_mm=15) == 0


def test_margin_compares_the_peaks_of_the_raw_map() -> None:
    # Inside (within 10 mm of cell 0): cells 0 and 1, peak 1; outside peak 2; largest size 4: (2 - 1) / 4 + 0.5.
    where = targets([[0, 0]])
    assert loss("margin", [[1, 0.5, -4, 2, 0]], where, radius_mm=10.5) == pytest.approx(0.75)
    # Inside peak 4, outside 2: exactly the margin of half the largest value; nothing is left to gain.
    assert loss("margin", [[4, 0, -4, 2, 0]], where, radius_mm=10.5) == pytest.approx(0.0)
    assert loss("margin", [[4, 0, -4, 2, 0]], where, radius_mm=10.5, margin=0.8) == pytest.approx(0.3)


def test_margin_takes_the_union_of_the_discs_of_all_points() -> None:
    # The peak of 3 in cell 4 is outside the first point's disc, inside the second's.
    assert loss("margin", [[3, 0, 0, 0, 3]], targets([[0, 0]]), radius_mm=5) == pytest.approx(0.5)
    assert loss("margin", [[3, 0, 0, 0, 3]], targets([[0, 0], [0, 4]]), radius_mm=5) == 0


def test_margin_has_a_gradient_on_a_map_that_is_all_negative() -> None:
    maps = torch.tensor([[[-2.0, -1.0, -3.0]]], requires_grad=True)
    READINGS["margin"](maps, targets([[0, 0]], (1, 3)), TrainingSettings(radius_mm=5)).sum().backward()
    # d/dM of (outside - inside) / 3: the peak inside is cell 0, the one outside cell 1; the largest size is held fixed.
    torch.testing.assert_close(maps.grad, torch.tensor([[[-1 / 3, 1 / 3, 0.0]]]))


def test_margin_holds_the_nearest_cell_inside_where_the_disc_is_smaller_than_a_cell() -> None:
    assert loss("margin", [[2, 0, 0, 0, 0]], targets([[0, 0.4]]), radius_mm=1) == 0


def test_margin_asks_nothing_where_all_cells_are_inside() -> None:
    assert loss("margin", [[-1, -2, 3, 0, 0]], targets([[0, 2]]), radius_mm=500) == 0


def rivalled(rows: list, where: MapTargets, peaks: list, **settings: object) -> float:
    maps, controls = torch.tensor([rows], dtype=torch.float32), torch.tensor([peaks], dtype=torch.float32)
    return above_controls(maps, where, controls, TrainingSettings(**settings)).item()  # type: ignore[arg-type]


def test_a_peak_is_held_above_those_of_controls_and_not_above_the_own_map() -> None:
    # Inside (cells 0 and 1) the peak is 2; the unclicked lesion in cell 4 is higher and costs nothing.
    where = targets([[0, 0]])
    assert rivalled([[2, 0, 0, 0, 4]], where, [-1.0], radius_mm=10.5) == pytest.approx(0.0)
    # Controls peak at 1 and 3; the largest size of the map is 4: ((1 - 2) / 4 + 0.5 + (3 - 2) / 4 + 0.5) / 2.
    assert rivalled([[2, 0, 0, 0, 4]], where, [1.0, 3.0], radius_mm=10.5) == pytest.approx((0.25 + 0.75) / 2)
    # A control that outgrows the map sets the scale: (8 - 2) / 8 + 0.5.
    assert rivalled([[2, 0, 0, 0, 4]], where, [8.0], radius_mm=10.5) == pytest.approx(1.25)


def test_without_controls_in_a_batch_nothing_is_asked() -> None:
    assert rivalled([[2, 0, 0, 0, 4]], targets([[0, 0]]), []) == 0


def test_controls_are_pushed_down_and_the_clicked_cell_up() -> None:
    maps = torch.tensor([[[1.0, 0.0, 5.0]]], requires_grad=True)
    controls = torch.tensor([[3.0]], requires_grad=True)
    above_controls(maps, targets([[0, 0]], (1, 3)), controls, TrainingSettings(radius_mm=5)).sum().backward()
    torch.testing.assert_close(maps.grad, torch.tensor([[[-0.2, 0.0, 0.0]]]))
    torch.testing.assert_close(controls.grad, torch.tensor([[0.2]]))


def test_softmax_centroid_weighs_by_the_exponential_of_the_raw_map() -> None:
    # Weights 1, 0, 3 of 4 in cells 0, 1, 2: centre 1.5, 5 mm from the point in cell 1.
    rows = [[0.0, -80.0, math.log(3)]]
    assert loss("softmax_centroid", rows, targets([[0, 1]], (1, 3))) == pytest.approx(0.05, abs=1e-4)


def test_gaussian_is_the_squared_error_of_the_normalised_map() -> None:
    # Target 1 and exp(-1/2) at 0 and 10 mm, sigma 10; map [2, -1] is [1, 0] when normalised.
    expected = (math.exp(-0.5) ** 2) / 2
    assert loss("gaussian", [[2, -1]], targets([[0, 0]], (1, 2)), sigma_mm=10) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["gaussian", "weighted", "centroid"])
def test_a_rectified_reading_is_dead_on_a_map_that_is_all_negative(name: str) -> None:
    maps = torch.tensor([[[-2.0, -1.0, -3.0]]], requires_grad=True)
    READINGS[name](maps, targets([[0, 0]], (1, 3)), TrainingSettings()).sum().backward()
    assert maps.grad is not None
    assert torch.equal(maps.grad, torch.zeros(1, 1, 3))


def test_cross_entropy_is_minus_the_log_of_the_softmax_at_the_point() -> None:
    rows = [[math.log(2), math.log(5), 0.0]]  # softmax 2/8, 5/8, 1/8
    assert loss("cross_entropy", rows, targets([[0, 0.3]], (1, 3))) == pytest.approx(math.log(4), rel=1e-5)
    assert loss("cross_entropy", rows, targets([[0, 0], [0, 2], [NAN, NAN]], (1, 3))) == pytest.approx(
        math.log(8 / 3), rel=1e-5
    )


@pytest.mark.parametrize("name", sorted(READINGS))
def test_a_reading_ignores_cells_that_do_not_exist(name: str) -> None:
    generator = torch.Generator().manual_seed(3)
    small = torch.randn(2, 4, 5, generator=generator)
    points = torch.tensor([[[1.2, 3.0]], [[3.0, 0.4]]])
    padded = torch.full((2, 7, 6), 50.0)
    padded[:, :4, :5] = small
    valid = torch.zeros(2, 7, 6, dtype=torch.bool)
    valid[:, :4, :5] = True
    settings = TrainingSettings(radius_mm=15)
    expected = READINGS[name](small, MapTargets(points, torch.ones(2, 4, 5, dtype=torch.bool), 10.0), settings)
    torch.testing.assert_close(READINGS[name](padded, MapTargets(points, valid, 10.0), settings), expected)


@pytest.mark.parametrize("name", sorted(READINGS))
@pytest.mark.parametrize("level", [0.0, -3.0, 1e4])
def test_a_reading_is_finite_on_flat_maps_with_finite_slopes(name: str, level: float) -> None:
    maps = torch.full((1, 3, 3), level, requires_grad=True)
    where = targets([[1, 1], [NAN, NAN]], (3, 3))
    READINGS[name](maps, where, TrainingSettings()).sum().backward()
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize("name", sorted(READINGS))
def test_a_map_at_the_point_loses_less_than_one_far_off(name: str) -> None:
    near, far = torch.zeros(1, 9, 9) - 0.1, torch.zeros(1, 9, 9) - 0.1
    near[0, 2, 2], far[0, 8, 8] = 5.0, 5.0
    where = targets([[2, 2]], (9, 9))
    settings = TrainingSettings(radius_mm=20)
    assert READINGS[name](near, where, settings).item() < READINGS[name](far, where, settings).item()


def test_empty_maps_have_no_positive_cell_that_exists() -> None:
    maps = torch.tensor([[[-1.0, 0.0, 9.0]], [[-1.0, 0.5, 9.0]]])
    valid = torch.tensor([[[True, True, False]], [[True, True, False]]])
    assert empty_maps(maps, valid).tolist() == [True, False]
