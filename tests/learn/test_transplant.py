from dataclasses import replace

import numpy as np
import pytest

from pointpet.core import Plane, generator
from pointpet.learn.batches import TrainingBatches, View
from pointpet.learn.joint import JointTask
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.transplant import Transplants, transplanted, transplants_of

CANCER, CONTROL = 0, 1
CLASSES = ("cancer", "control")
SETTINGS = TrainingSettings(input_mm=8.0, cam_stride=2, transplant=0.9)
SUV = np.float32(1 / 30)


def view(name: str, label: int, *, lesion_suv: float = 8.0, plane: Plane = Plane.CORONAL) -> View:
    """A body of SUV 1 with air about it; with a lesion of five pixels, clicked beside its peak, or a hot brain."""
    values = np.zeros((80, 40), np.float32)
    values[6:74, 6:34] = SUV
    points = np.zeros((0, 2))
    if label == CANCER:
        values[40, 14:17] = values[39:42, 15] = 0.7 * lesion_suv * SUV
        values[40, 15] = lesion_suv * SUV
        points = np.array([[40.4, 15.8]])
    values[8:14, 16:24] = 12 * SUV
    return View(values, points, plane, label, name, name)


def changed(count: int = 40, **given: object) -> list[View]:
    known = transplants_of([view("A", CANCER)], frozenset({CONTROL}), SETTINGS)
    return list(transplanted([view("B", CONTROL, **given)] * count, known, SETTINGS, generator(3)))  # type: ignore[arg-type]


def test_a_lesion_is_cut_out_about_its_peak_with_its_blur_and_nothing_else() -> None:
    (donor,) = transplants_of([view("A", CANCER)], frozenset({CONTROL}), SETTINGS).donors
    assert donor.patch.shape == (17, 17)
    assert donor.patch[8, 8] == donor.patch.max() == np.float32(8 * SUV)
    assert np.count_nonzero(donor.patch >= 0.5 * donor.patch.max()) == 5
    assert np.count_nonzero(donor.patch) == 5 + 8, "and the pixels that share an edge with one of the five"


def test_what_has_run_into_its_surroundings_is_no_donor() -> None:
    faint = view("A", CANCER, lesion_suv=1.2)
    assert list(transplants_of([faint], frozenset({CONTROL}), SETTINGS).donors) == []
    assert list(transplants_of([view("B", CONTROL)], frozenset({CONTROL}), SETTINGS).donors) == []


def test_a_lesion_that_touches_a_hotter_organ_is_no_donor() -> None:
    beside = view("A", CANCER)
    beside.values[42:46, 13:18] = 15 * SUV
    assert list(transplants_of([beside], frozenset({CONTROL}), SETTINGS).donors) == []


def test_a_control_gets_a_lesion_in_its_body_a_point_on_it_and_its_class() -> None:
    before = view("B", CONTROL)
    shown = [after for after in changed() if after.label == CANCER]
    assert 0.7 * 40 <= len(shown) <= 40
    for after in shown:
        assert (after.values >= before.values).all(), "a maximum takes nothing away"
        row, column = after.points[0].astype(int)
        assert before.values[row, column] > 0
        assert after.values[row, column] > 1.5 * before.values[row, column]
        assert after.own_label == CONTROL
        assert after.values.max() <= 1
    assert len({tuple(after.points[0]) for after in shown}) > 10
    assert before.values.max() == np.float32(12 * SUV), "the input is unchanged"


def test_other_views_stay_as_they_are() -> None:
    clicked = view("A", CANCER)
    known = transplants_of([clicked], frozenset({CONTROL}), SETTINGS)
    sagittal = replace(view("B", CONTROL), plane=Plane.SAGITTAL)
    unclicked = replace(clicked, points=np.zeros((0, 2)))
    for same in (clicked, sagittal, unclicked):
        assert list(transplanted([same] * 5, known, SETTINGS, generator(1))) == [same] * 5
    nothing = Transplants((), frozenset({CONTROL}))
    assert next(transplanted([view("B", CONTROL)], nothing, SETTINGS, generator(1))).label == CONTROL


def test_where_nothing_would_be_seen_nothing_is_pasted() -> None:
    known = transplants_of([view("A", CANCER)], frozenset({CONTROL}), SETTINGS)
    hot = view("B", CONTROL)
    hot = replace(hot, values=np.maximum(hot.values, 9 * SUV))
    assert all(same is hot for same in transplanted([hot] * 10, known, SETTINGS, generator(1)))


@pytest.mark.parametrize(("changes", "some"), [({}, True), ({"transplant": 0.0}, False), ({"distance": "none"}, False)])
def test_a_training_shows_them_where_it_learns_from_points(changes, some) -> None:
    settings = replace(SETTINGS, widths=(4,) * 8, **changes)
    views = [view(f"{name}{index}", label) for index in range(8) for name, label in (("A", CANCER), ("B", CONTROL))]
    joint = JointTask(settings, training=views, validation=[], classes=CLASSES, seed=0, lesion_free=("control",))
    batches = list(joint.training_batches(0))
    moved = sum(int((batch.labels != batch.own_labels).sum()) for batch in batches)
    assert (moved > 0) == some
    assert sum(int((batch.own_labels == CONTROL).sum()) for batch in batches) == 8
    again = [batch.images for batch in joint.training_batches(0)]
    assert all((batch.images == images).all() for batch, images in zip(batches, again, strict=True))
    assert isinstance(joint.training_batches(0), TrainingBatches)
