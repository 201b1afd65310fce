from dataclasses import dataclass

import numpy as np
import pytest

from pointpet.core import ActivationMap, Mask, MipPair, Plane, Prediction
from pointpet.learn.settings import TrainingSettings
from pointpet.methods.base import CaseInput, FitContext
from pointpet.methods.fitted_weak import FittedWeakMethod
from pointpet.methods.held_out import HoldsOut, held_out_cases
from pointpet.methods.proposed import build
from pointpet.pipeline.confidence import FOUND, NAMED, calibrate_on, load_calibration

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
MIPS = MipPair(np.ones((20, 20), np.float32), np.ones((20, 20), np.float32), 4.0, np.zeros(3))


def ball(at: int) -> Mask:
    voxels = np.zeros((20, 20, 20), bool)
    voxels[at - 1 : at + 2, at - 1 : at + 2, at - 1 : at + 2] = True
    return Mask(voxels, AFFINE)


@dataclass
class Scripted:
    """Answers by case id: (chance of lung, where the mask lies; None for an empty one)."""

    answers: dict[str, tuple[float, int | None]]

    @property
    def training_record(self):
        return {}

    def predict(self, case: CaseInput) -> Prediction:
        assert case.label is None
        assert case.load_mask is None
        assert not len(case.points_mm)
        assert not case.pixels
        chance, at = self.answers[case.case_id]
        mask = Mask(np.zeros((20, 20, 20), bool), AFFINE) if at is None else ball(at)
        return Prediction(case.case_id, {"lung": chance, "other": 1 - chance}, "lung", mask=mask)

    def save(self, folder):
        raise NotImplementedError


def case(name: str, label: str = "lung", *, at: int | None = 10, with_mask: bool = False) -> CaseInput:
    points = np.zeros((0, 3)) if at is None or with_mask else np.full((1, 3), 4.0 * at)
    return CaseInput(
        name, name, mips=MIPS, label=label, points_mm=points, load_mask=(lambda: ball(at)) if with_mask else None
    )


@pytest.mark.parametrize("with_mask", [False, True])
def test_found_means_class_right_and_mask_at_the_lesion(with_mask):
    answers = {"A": (0.9, 10), "B": (0.9, 2), "C": (0.9, None), "D": (0.6, 10)}
    cases = [case(name, "other" if name == "D" else "lung", with_mask=with_mask) for name in answers]
    found = calibrate_on(Scripted(answers), cases)
    assert found.event == FOUND
    assert (found.scaling.cases, found.scaling.events) == (4, 1)


def test_a_click_is_met_within_the_tolerance_of_a_hit():
    """Ball to voxel 11, click at voxel 15: 16 mm along each axis are 28 mm; along one axis 16 mm."""
    answers = {"A": (0.9, 10)}
    near, far = case("A"), case("A", at=15)
    beside = CaseInput("A", "A", mips=MIPS, label="lung", points_mm=np.array([[60.0, 40.0, 40.0]]))
    for one, events in ((near, 1), (far, 0), (beside, 1)):
        assert calibrate_on(Scripted(answers), [one]).scaling.events == events


def test_labels_alone_calibrate_the_class():
    answers = {"A": (0.9, None), "B": (0.8, None)}
    found = calibrate_on(Scripted(answers), [case("A", at=None), case("B", "other", at=None)])
    assert found.event == NAMED
    assert (found.scaling.cases, found.scaling.events) == (2, 1)


def test_ready_made_pictures_are_met_in_every_view():
    @dataclass
    class Flat(Scripted):
        def predict(self, case):
            view = np.zeros((20, 20), bool)
            view[9:12, 9:12] = True
            return Prediction(
                case.case_id, {"lung": 0.9, "other": 0.1}, "lung", picture_masks=dict.fromkeys(Plane, view)
            )

    def clicked(row: float) -> CaseInput:
        pixels = {Plane.CORONAL: np.array([[9.0, 9.0]]), Plane.SAGITTAL: np.array([[row, 9.0]])}
        return CaseInput("A", "A", mips=MIPS, label="lung", pixels=pixels)

    assert calibrate_on(Flat({}), [clicked(9.0)]).scaling.events == 1
    assert calibrate_on(Flat({}), [clicked(1.0)]).scaling.events == 0


def test_nothing_to_calibrate_on():
    assert calibrate_on(Scripted({}), []) is None


def test_a_calibration_is_read_back_and_gives_every_entry(tmp_path):
    found = calibrate_on(Scripted({"A": (0.9, 10), "B": (0.7, 2)}), [case("A"), case("B")])
    found.save(tmp_path)
    assert load_calibration(tmp_path) == found
    assert load_calibration(tmp_path / "elsewhere") is None
    values = np.zeros((20, 20), np.float32)
    values[10, 10] = 1.0
    maps = {plane: ActivationMap(values, plane, "lung", 4.0, np.zeros(3)) for plane in Plane}
    entries = found.case_entries(Prediction("A", {"lung": 0.9, "other": 0.1}, "lung", maps=maps))
    assert 0 < entries["confidence"] < 1
    assert sum(entries["probabilities_calibrated"].values()) == pytest.approx(1)
    assert found.case_entries(Prediction("A"))["confidence"] is None


def test_what_is_held_out_is_what_training_did_not_learn_from():
    """The same patients as the network's own split, whole, for two methods' own seeds."""
    from pointpet.learn.batches import split_validation, views_of
    from pointpet.learn.example import Example

    cases = [case(f"{label[0]}{index:02d}", label) for label in ("lung", "other") for index in range(15)]
    settings = TrainingSettings(input_mm=4.0, validation_share=0.2)
    method = build(settings, None)
    assert isinstance(method, HoldsOut)
    for seed in (1, 2):
        context = FitContext(seed=seed, classes=("lung", "other"))
        examples = [Example(one.case_id, one.patient_id, MIPS, one.label) for one in cases]
        _, held = split_validation(views_of(examples, context.classes, settings), 0.2, seed)
        assert method.held_out(cases, context) == {view.case_id for view in held}
        assert len({view.case_id for view in held}) == 6
    assert (
        held_out_cases(cases, TrainingSettings(validation_share=0), FitContext(seed=0, classes=("lung", "other")))
        == frozenset()
    )


def test_a_forest_that_knows_the_held_out_clicks_is_fitted_again_without_them(monkeypatch):
    cases = [case(f"{label[0]}{index:02d}", label) for label in ("lung", "other") for index in range(10)]
    context = FitContext(seed=1, classes=("lung", "other"))
    method = build(TrainingSettings(input_mm=4.0, validation_share=0.2), None)
    known = []
    monkeypatch.setattr(
        method, "_forest", lambda training, context: known.extend(training) or ("forest of the rest", "")
    )
    fitted = FittedWeakMethod("proposed", None, None, {}, forest="forest of all")
    blinded = method.blinded(fitted, cases, context)
    assert blinded.forest == "forest of the rest"
    assert {one.case_id for one in known} == {one.case_id for one in cases} - method.held_out(cases, context)
    alone = FittedWeakMethod("proposed", None, None, {}, forest=None)
    assert method.blinded(alone, cases, context) is alone
