"""Where organs lie and how hot they are, in the reference frame."""

import itertools

import numpy as np
import pytest

from pointpet.phantom.abdomen import paint_abdomen
from pointpet.phantom.body import SPINE_Y, draw_patient, paint_body
from pointpet.phantom.distractors import paint_distractors
from pointpet.phantom.head import paint_head
from pointpet.phantom.lesions import draw_latents
from pointpet.phantom.scattered import scattered_lesions
from pointpet.phantom.shapes import Canvas
from pointpet.phantom.skeleton import VERTEBRAE_Z, paint_skeleton
from pointpet.phantom.thorax import Thorax, diaphragm, paint_thorax


def blank() -> Canvas:
    return Canvas([np.arange(-150, 150, 4.0), np.arange(-120, 120, 4.0), np.arange(-60, 900, 4.0)])


def around(canvas: Canvas, place: tuple[float, float, float], radius: float = 8.0) -> np.ndarray:
    low, high = (np.array(place) + sign * radius for sign in (-1, 1))
    return canvas.activity[canvas.box(low, high).slices]


@pytest.fixture(scope="module")
def abdomens() -> list[tuple[Canvas, float]]:
    painted = []
    for seed in range(4):
        canvas = blank()
        patient = draw_patient(np.random.default_rng(seed))
        painted.append((canvas, paint_abdomen(canvas, patient, np.random.default_rng(seed), breath_mm=0.0)))
    return painted


def test_liver_lies_on_the_right_at_suv_two(abdomens: list[tuple[Canvas, float]]) -> None:
    for canvas, value in abdomens:
        assert 1.5 <= value <= 3.2
        assert around(canvas, (80, 10, 360)).mean() == pytest.approx(value, rel=0.15)
        assert around(canvas, (-105, 30, 250)).mean() < 0.8 * value


def test_liver_has_a_liver_s_volume(abdomens: list[tuple[Canvas, float]]) -> None:
    for canvas, value in abdomens:
        region = canvas.activity[canvas.box((-60, -80, 260), (132, 105, 450)).slices]
        litres = (np.abs(region / value - 1) < 0.2).sum() * 64e-6
        assert 0.8 < litres < 2.6


def test_bladder_is_very_hot_and_kidneys_are_hot(abdomens: list[tuple[Canvas, float]]) -> None:
    for canvas, _ in abdomens:
        assert around(canvas, (0, 24, 88), 6).mean() > 6
        for side in (-1, 1):
            kidney = canvas.activity[canvas.box((side * 62 - 30, -70, 240), (side * 62 + 30, 0, 350)).slices]
            assert np.percentile(kidney, 98) > 1.9


def test_brain_is_hot_with_darker_white_matter() -> None:
    canvas = blank()
    paint_head(canvas, np.random.default_rng(0))
    brain = canvas.activity[canvas.box((-60, -70, 770), (60, 70, 860)).slices]
    grey, white = np.percentile(brain, [90, 15])
    assert 6 < grey < 16
    assert white < 0.6 * grey


def test_head_outside_the_scan_paints_nothing() -> None:
    canvas = Canvas([np.arange(-150, 150, 4.0), np.arange(-120, 120, 4.0), np.arange(-60, 560, 4.0)])
    paint_head(canvas, np.random.default_rng(0))
    assert canvas.activity.max() == 0


def test_vertebrae_are_painted_one_by_one() -> None:
    canvas = Canvas([np.arange(-20, 20, 2.0), np.arange(-80, 40, 2.0), np.arange(150, 340, 1.0)])
    paint_skeleton(canvas, draw_patient(np.random.default_rng(0)), np.random.default_rng(0))
    lumbar = [z for z in VERTEBRAE_Z if 150 < z < 340]
    bodies = [around(canvas, (0, float(SPINE_Y(z)), z), 3).mean() for z in lumbar]
    gaps = [
        around(canvas, (0, float(SPINE_Y((a + b) / 2)), (a + b) / 2), 1).mean() for a, b in itertools.pairwise(lumbar)
    ]
    assert len(lumbar) == 5
    assert min(bodies) > max(gaps)


def test_lungs_are_darker_than_the_mediastinum_and_hold_litres(chest: tuple[Canvas, Thorax]) -> None:
    canvas, thorax = chest
    region = canvas.activity[thorax.patch.slices]
    lungs = thorax.lungs < -4
    assert region[lungs].mean() < 0.7
    assert 1.8 < (thorax.lungs < 0).sum() * 27e-6 < 5.5
    assert around(canvas, (-20, 26, 440), 6).mean() > 1.0


def test_myocardium_goes_from_faint_to_very_hot() -> None:
    hottest = []
    for seed in range(12):
        canvas = Canvas([np.arange(-120, 60, 4.0), np.arange(-60, 100, 4.0), np.arange(370, 520, 4.0)])
        paint_thorax(canvas, np.random.default_rng(seed), breath_mm=0.0)
        hottest.append(float(canvas.activity.max()))
    assert min(hottest) < 4
    assert max(hottest) > 10


def test_diaphragm_has_a_higher_dome_on_the_right() -> None:
    x, y = np.array([62.0, 0.0, -66.0, 62.0]), np.array([12.0, 12.0, 12.0, -80.0])
    right, middle, left, behind = diaphragm(x, y, 0.0)
    assert right > left > middle
    assert behind < middle


def test_distractors_add_uptake_only() -> None:
    bare = blank()
    thorax = paint_thorax(bare, np.random.default_rng(0), breath_mm=0.0)
    before = bare.activity.copy()
    patient = draw_patient(np.random.default_rng(0))
    added = []
    for seed in range(5):
        canvas = Canvas(bare.axes, before.copy())
        paint_distractors(canvas, patient, thorax, np.random.default_rng(seed))
        added.append(float((canvas.activity - before).max()))
    assert max(added) > 3


def test_distractors_stay_inside_the_body() -> None:
    patient = draw_patient(np.random.default_rng(1))
    canvas = Canvas([np.arange(-290, 290, 5.0), np.arange(-160, 160, 5.0), np.arange(-120, 900, 5.0)])
    paint_body(canvas, patient, np.random.default_rng(1))
    thorax = paint_thorax(canvas, np.random.default_rng(1), breath_mm=0.0)
    before = canvas.activity.copy()
    for seed in range(12):
        canvas.activity[:] = before
        paint_distractors(canvas, patient, thorax, np.random.default_rng(seed))
        added = canvas.activity - before > 1
        assert added[before < 0.1].sum() <= 0.1 * added.sum()


def test_scattered_lesions_number_one_to_forty_with_the_largest_first(chest: tuple[Canvas, Thorax]) -> None:
    canvas, thorax = chest
    counts = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        lesions = scattered_lesions(canvas, thorax, (1.0, 1.0, 1.0), draw_latents(rng), rng=rng)
        volumes = [lesion.traits["volume_ml"] for lesion in lesions]
        counts.append(len(lesions))
        assert volumes == sorted(volumes, reverse=True)
        assert min(volumes) > 0.1
    assert 1 <= min(counts) < max(counts) <= 40
