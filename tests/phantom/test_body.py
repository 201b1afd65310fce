import numpy as np
import pytest

from pointpet.phantom.body import Patient, arm_path, draw_patient, half_extent_mm, paint_body
from pointpet.phantom.shapes import Canvas


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return [draw_patient(np.random.default_rng(seed)) for seed in range(300)]


def painted(patient: Patient) -> Canvas:
    canvas = Canvas([np.arange(-290, 290, 5.0), np.arange(-160, 160, 5.0), np.arange(-180, 900, 5.0)])
    paint_body(canvas, patient, np.random.default_rng(0))
    return canvas


def test_patients_have_human_sizes(patients: list[Patient]) -> None:
    height = np.array([patient.height_m for patient in patients])
    bmi = np.array([patient.weight_kg / patient.height_m**2 for patient in patients])
    length = np.array([(p.top_mm - p.bottom_mm) * p.scale[2] for p in patients])
    assert 1.45 <= height.min() <= height.max() <= 1.98
    assert 17 <= bmi.min() <= bmi.max() <= 40.5
    assert 900 <= length.min() <= length.max() <= 1050
    assert {patient.sex for patient in patients} == {"M", "F"}


def test_arms_go_both_ways_and_some_heads_are_whole(patients: list[Patient]) -> None:
    assert 0.5 < np.mean([patient.arms_up for patient in patients]) < 0.8
    assert 0.1 < np.mean([patient.top_mm > 870 for patient in patients]) < 0.4
    assert all(patient.top_mm > 765 for patient in patients)  # above the eyes


def test_body_volume_is_near_the_weight(patients: list[Patient]) -> None:
    for patient in patients[:4]:
        canvas = painted(patient)
        litres = (canvas.activity > 0.1).sum() * 125e-6 * np.prod(patient.scale)
        # From mid-thigh upwards a body holds about 85 % of its weight, at about 1 kg a litre.
        assert litres == pytest.approx(0.85 * patient.weight_kg, rel=0.3)


def test_fat_surrounds_muscle(patients: list[Patient]) -> None:
    canvas = painted(max(patients[:50], key=lambda patient: patient.fat_mm))
    row = canvas.activity[:, 32, 100]
    inside = np.flatnonzero(row > 0.1)
    edge, middle = row[inside[0] + 2], np.median(row[inside])
    assert edge < 0.75 * middle


def test_arms_raised_stay_above_the_shoulder_and_lowered_ones_below(patients: list[Patient]) -> None:
    for patient in patients[:20]:
        path, _ = arm_path(patient, 1)
        assert (path[-1, 2] > 700) == patient.arms_up
        assert (path[:, 0] > 0).all()
        wide, _ = half_extent_mm(patient)
        assert path[0, 0] < wide
