from dataclasses import replace

import numpy as np
import pytest

from pointpet.core import Plane, TrainingError
from pointpet.learn.example import Example, check_examples

CLASSES = ("lung", "oesophagus")


def test_a_missing_plane_is_no_point(synthetic) -> None:
    example = replace(synthetic(1)[0], pixels={})
    assert example.points(Plane.CORONAL).shape == (0, 2)


def test_sound_examples_pass_without_points_too(synthetic) -> None:
    check_examples([replace(example, pixels={}) for example in synthetic(4)], CLASSES)


@pytest.mark.parametrize("classes", [(), ("lung",), ("lung", "lung")])
def test_one_class_is_refused(synthetic, classes: tuple[str, ...]) -> None:
    with pytest.raises(TrainingError, match=r"classes: training needs at least two different ones, got"):
        check_examples(synthetic(4), classes)


def test_an_unknown_label_is_refused(synthetic) -> None:
    with pytest.raises(TrainingError, match=r"case case00: its label must be one of liver, oesophagus, got 'lung'"):
        check_examples(synthetic(4), ("liver", "oesophagus"))


def test_a_class_without_cases_is_refused(synthetic) -> None:
    with pytest.raises(TrainingError, match=r"class liver: needs at least 2 patients in the training cases, got 0"):
        check_examples(synthetic(4), (*CLASSES, "liver"))


def test_two_cases_of_one_patient_are_one_patient(synthetic) -> None:
    examples = [replace(example, patient_id=example.label) for example in synthetic(4)]
    with pytest.raises(TrainingError, match=r"class lung: needs at least 2 patients in the training cases, got 1"):
        check_examples(examples, CLASSES)


def test_a_case_given_twice_is_refused(synthetic) -> None:
    examples = synthetic(4)
    with pytest.raises(TrainingError, match="case case00: must be given once, got it twice"):
        check_examples([*examples, examples[0]], CLASSES)


@pytest.mark.parametrize("point", [(56.0, 3.0), (-0.6, 3.0), (3.0, 46.0), (np.nan, 3.0)])
def test_a_point_outside_its_picture_is_refused(synthetic, point: tuple[float, float]) -> None:
    first, *others = synthetic(4)
    broken = replace(first, pixels={Plane.CORONAL: np.array([(10.0, 10.0), point])})
    with pytest.raises(TrainingError, match="case case00: its point must lie inside the coronal picture of 56 x 46"):
        check_examples([broken, *others], CLASSES)


def test_points_are_kept_as_given_and_read_only(synthetic) -> None:
    given = np.array([1.0, 2.0])
    example = Example("a", "a", synthetic(1)[0].mips, "lung", {Plane.SAGITTAL: given})
    given[:] = 0
    np.testing.assert_array_equal(example.points(Plane.SAGITTAL), [[1.0, 2.0]])
    with pytest.raises(ValueError, match="read-only"):
        example.points(Plane.SAGITTAL)[:] = 0
