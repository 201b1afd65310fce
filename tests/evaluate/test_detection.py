import numpy as np
import pytest

from pointpet.core import ActivationMap, GeometryError, Plane
from pointpet.evaluate.detection import detect, peak_distance_mm

SHAPE = (40, 60)


def activation(plane: Plane, peak: tuple[int, int] | None, pixel_mm: float = 4.0) -> ActivationMap:
    values = np.zeros(SHAPE, np.float32)
    if peak is not None:
        values[peak] = 1.0
    return ActivationMap(values, plane, "lung", pixel_mm)


def truth(cells: tuple[slice, slice] = (slice(10, 14), slice(20, 26))) -> np.ndarray:
    picture = np.zeros(SHAPE, bool)
    picture[cells] = True
    return picture


@pytest.mark.parametrize(
    ("peak", "distance_mm"),
    [((12, 22), 0.0), ((15, 22), 8.0), ((17, 22), 16.0), ((18, 22), 20.0), ((16, 29), 4 * np.hypot(3, 4))],
)
def test_distance_runs_to_the_nearest_pixel_of_truth(peak, distance_mm):
    assert peak_distance_mm(activation(Plane.CORONAL, peak), truth()) == pytest.approx(distance_mm)


@pytest.mark.parametrize(
    ("coronal", "sagittal", "hit", "strict", "distance_mm"),
    [
        ((12, 22), (11, 25), True, True, 0.0),
        ((12, 22), (17, 22), True, False, 16.0),
        ((12, 22), (18, 22), False, False, 20.0),
        ((30, 22), (12, 22), False, False, 68.0),
    ],
)
def test_every_view_must_hit_and_the_larger_distance_counts(coronal, sagittal, hit, strict, distance_mm):
    maps = {plane: activation(plane, peak) for plane, peak in zip(Plane, (coronal, sagittal), strict=True)}
    found = detect(maps, dict.fromkeys(Plane, truth()))
    assert found is not None
    assert (found.hit, found.hit_strict) == (hit, strict)
    assert found.distance_mm == pytest.approx(distance_mm)


def test_a_map_of_zeros_is_a_miss_at_the_worst_distance():
    maps = {Plane.CORONAL: activation(Plane.CORONAL, (12, 22)), Plane.SAGITTAL: activation(Plane.SAGITTAL, None)}
    found = detect(maps, dict.fromkeys(Plane, truth()))
    assert found is not None
    assert not found.hit
    assert not found.hit_strict
    assert found.distance_mm == pytest.approx(4 * np.hypot(40, 60))


def test_a_peak_at_cell_zero_is_no_empty_map():
    found = detect({Plane.CORONAL: activation(Plane.CORONAL, (0, 0))}, {Plane.CORONAL: truth((slice(0, 2),) * 2)})
    assert found is not None
    assert found.hit_strict


def test_one_view_alone_is_judged():
    found = detect({Plane.CORONAL: activation(Plane.CORONAL, (12, 22))}, {Plane.CORONAL: truth()})
    assert found is not None
    assert found.hit_strict


def test_methods_without_maps_and_cases_without_lesions_have_no_answer():
    maps = {Plane.CORONAL: activation(Plane.CORONAL, (12, 22))}
    assert detect({}, dict.fromkeys(Plane, truth())) is None
    assert detect(maps, {}) is None
    assert detect(maps, {Plane.CORONAL: np.zeros(SHAPE, bool)}) is None


def test_a_truth_of_another_shape_is_refused():
    with pytest.raises(GeometryError, match=r"coronal activation map: must have the truth's shape \(2, 2\)"):
        detect({Plane.CORONAL: activation(Plane.CORONAL, (1, 1))}, {Plane.CORONAL: np.ones((2, 2), bool)})
