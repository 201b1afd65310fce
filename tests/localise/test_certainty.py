import numpy as np
import pytest

from pointpet.core import ActivationMap, Lesion, Plane, Prediction
from pointpet.localise.certainty import case_certainty, lesion_certainties, peak_clearance

ORIGIN = np.array([-100.0, -80.0, -200.0])


def a_map(plane: Plane, *spots: tuple[int, int, float], origin=ORIGIN) -> ActivationMap:
    values = np.zeros((40, 60), np.float32)
    for u, z, value in spots:
        values[u, z] = value
    return ActivationMap(values, plane, "lung", 4.0, origin)


def prediction(*maps: ActivationMap, chance: float = 0.9) -> Prediction:
    return Prediction("A", {"lung": chance, "other": 1 - chance}, "lung", maps={one.plane: one for one in maps})


def test_one_peak_leaves_the_class_probability():
    answer = prediction(a_map(Plane.CORONAL, (10, 20, 1.0), (12, 20, 0.9)), a_map(Plane.SAGITTAL, (5, 20, 1.0)))
    assert case_certainty(answer) == pytest.approx(0.9)


def test_a_second_peak_far_off_counts_in_the_worse_view():
    far = a_map(Plane.CORONAL, (10, 20, 1.0), (10, 33, 0.6))
    near = a_map(Plane.CORONAL, (10, 20, 1.0), (10, 31, 0.6))
    alone = a_map(Plane.SAGITTAL, (5, 20, 1.0))
    assert case_certainty(prediction(far, alone)) == pytest.approx(0.9 * 0.4)
    assert case_certainty(prediction(near, alone)) == pytest.approx(0.9)
    assert peak_clearance(a_map(Plane.CORONAL)) == 0


def test_methods_without_probability_or_maps():
    assert case_certainty(Prediction("A")) is None
    assert case_certainty(Prediction("A", {"a": 0.8, "b": 0.2}, "a")) == 0.8


def lesion(x: float, y: float, z: float) -> Lesion:
    return Lesion(1, (0, 0, 0), (x, y, z), 1, 1, 1, 1, 1)


def test_a_lesion_counts_with_what_the_maps_say_of_its_place():
    maps = {
        Plane.CORONAL: a_map(Plane.CORONAL, (10, 20, 1.0), (30, 20, 0.5)),
        Plane.SAGITTAL: a_map(Plane.SAGITTAL, (5, 20, 1.0), (15, 20, 0.7)),
    }
    main = lesion(*(ORIGIN + 4.0 * np.array([10, 5, 20])))
    second = lesion(*(ORIGIN + 4.0 * np.array([30, 15, 20])))
    assert lesion_certainties([main, second], maps, 0.8) == pytest.approx([0.8, 0.4])
    assert lesion_certainties([main], maps, None) == [None]
    flat = {Plane.CORONAL: a_map(Plane.CORONAL, (10, 20, 1.0), origin=None)}
    assert lesion_certainties([main], flat, 0.8) == [0.8]
    assert lesion_certainties([main], {Plane.CORONAL: a_map(Plane.CORONAL)}, 0.8) == [0.0]
