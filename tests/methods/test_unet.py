"""The U-Net and the fully convolutional classifier as methods: what they are given, and models that come back."""

from dataclasses import replace

import numpy as np
import pytest

from pointpet.core import Flag, GeometryError, Mask, ModelError, Plane, Volume
from pointpet.learn import TrainingSettings
from pointpet.learn.cam_settings import CamSettings
from pointpet.learn.fcn_settings import FcnSettings
from pointpet.learn.unet_settings import UnetSettings
from pointpet.localise import LocaliseSettings
from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Given, Method
from pointpet.methods.cam_fcn import build as build_fcn
from pointpet.methods.registry import build_method, method_names
from pointpet.methods.unet import build as build_unet
from pointpet.project import project

CLASSES = ("lung", "oesophagus")
COMMON = TrainingSettings(input_mm=8.0, widths=(4,) * 8, epochs=2, threads=1, precision="fp32", turns=False)
SMALL = {"features": (4, 4, 8, 8, 8, 4), "epochs": 2, "patch_cells": 16, "cell_mm": 8.0}
LOCALISING = LocaliseSettings()


def case(index: int, *, label: str | None = None, masked: bool = True) -> CaseInput:
    random = np.random.default_rng(index)
    shape = (22, 18, 32)
    grid = np.indices(shape).astype(float)
    centre = np.array([random.integers(7, 15), random.integers(7, 12), 22 if index % 2 == 0 else 10])
    ball = ((grid - centre[:, None, None, None]) ** 2).sum(axis=0) <= 2.5**2
    voxels = (1.0 + random.gamma(2.0, 0.05, shape) + 7.0 * ball).astype(np.float32)
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    volume = Volume(voxels, affine)
    return CaseInput(
        f"P{index}",
        f"P{index}",
        mips=project(volume, pixel_mm=4.0),
        load_volume=lambda: volume,
        label=label or CLASSES[index % 2],
        load_mask=(lambda: Mask(ball, affine)) if masked else None,
    )


def unseen(index: int) -> CaseInput:
    """The case as a method sees it at test time."""
    known = case(index)
    return CaseInput(known.case_id, known.patient_id, mips=known.mips, load_volume=known.load_volume)


def build(name: str, dimensions: int = 2) -> Method:
    if name == "cam_fcn":
        return build_fcn(COMMON, LOCALISING, FcnSettings(epochs=2))
    return build_unet(COMMON, LOCALISING, UnetSettings(dimensions=dimensions, **SMALL))


@pytest.mark.parametrize("name", ["unet", "cam_fcn"])
def test_both_are_registered_and_take_the_defaults_without_settings(name) -> None:
    assert name in method_names()
    method = build_method(name, COMMON, LOCALISING)
    assert isinstance(method, Method)
    assert method.name == name
    assert method.summary


def test_a_section_of_its_own_reaches_the_method() -> None:
    own = {"unet": UnetSettings(epochs=3), "cam_fcn": FcnSettings(pooled_share=0.3)}
    assert build_method("unet", COMMON, LOCALISING, own).settings.epochs == 3
    assert build_method("cam_fcn", COMMON, LOCALISING, own).training.pooled_share == 0.3
    assert build_method("cam_alone", COMMON, LOCALISING, own).training.pooled_share == COMMON.pooled_share
    slower = build_method("cam_alone", COMMON, LOCALISING, {"cam_alone": CamSettings(learning_rate=1e-4)}).training
    assert (slower.learning_rate, slower.distance, slower.epochs) == (1e-4, "none", COMMON.epochs)


def test_the_unet_is_given_label_and_mask_in_training_and_nothing_at_test_time() -> None:
    for dimensions in (2, 3):
        supervision = build("unet", dimensions).supervision
        assert supervision.training == {Given.LABEL, Given.MASK}
        assert supervision.testing == frozenset()
    assert build("cam_fcn").supervision.training == {Given.LABEL}
    assert build("cam_fcn").supervision.testing == frozenset()


@pytest.mark.parametrize(
    ("dimensions", "turns", "asked"), [(2, True, True), (2, False, False), (3, True, False)], ids=str
)
def test_only_the_2d_unet_asks_for_turned_views_and_only_where_it_is_to_learn_from_them(
    dimensions, turns, asked
) -> None:
    loaded = []

    def turned_of(index: int) -> list:
        loaded.append(index)
        return []

    training = [replace(case(index), load_turned=lambda index=index: turned_of(index)) for index in range(4)]
    settings = UnetSettings(dimensions=dimensions, turns=turns, **SMALL)
    build_unet(COMMON, LOCALISING, settings).fit(training, FitContext(seed=0, classes=CLASSES))
    assert bool(loaded) == asked


@pytest.mark.parametrize(("name", "dimensions"), [("unet", 2), ("unet", 3), ("cam_fcn", 2)])
def test_a_model_folder_gives_the_same_answer(name, dimensions, tmp_path) -> None:
    method = build(name, dimensions)
    fitted = method.fit([case(index) for index in range(6)], FitContext(seed=0, classes=CLASSES))
    assert isinstance(fitted, FittedMethod)
    assert {"parameters", "epochs", "seconds", "history"} <= set(fitted.training_record)
    fitted.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"weights.safetensors", "model.json", "MODEL_CARD.md"}
    ours, theirs = fitted.predict(unseen(20)), method.load(tmp_path).predict(unseen(20))
    assert ours.probabilities == theirs.probabilities
    assert sum(ours.probabilities.values()) == pytest.approx(1.0)
    np.testing.assert_array_equal(ours.mask.voxels, theirs.mask.voxels)
    np.testing.assert_array_equal(ours.hull.voxels, theirs.hull.voxels)
    for plane in Plane:
        np.testing.assert_array_equal(ours.maps[plane].values, theirs.maps[plane].values)
    card = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"Model card: {name}" in card
    assert ("mask of the lesion and class" in card) == (name == "unet")
    assert "| input_mm | 8.0 |" in card


@pytest.mark.parametrize(("name", "other"), [("unet", "cam_fcn"), ("cam_fcn", "unet")])
def test_a_model_of_another_method_is_refused(name, other, tmp_path) -> None:
    build(name).fit([case(index) for index in range(4)], FitContext(seed=0, classes=CLASSES)).save(tmp_path)
    with pytest.raises(ModelError, match=f"holds a model of method '{name}', expected '{other}'"):
        build(other).load(tmp_path)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_class_without_lesions_needs_no_mask_and_gets_an_empty_one(dimensions) -> None:
    labels = {index: "control" if index % 2 else "lung" for index in range(6)}
    training = [case(index, label=label, masked=label == "lung") for index, label in labels.items()]
    context = FitContext(seed=0, classes=("control", "lung"), lesion_free=("control",))
    method = build("unet", dimensions)
    examples = [method._example(item, item.label, context, 1.0) for item in training]
    assert [example.mask is not None and bool(example.mask.voxels.any()) for example in examples] == [True, False] * 3
    assert all(example.mask is not None for example in examples)
    fitted = method.fit(training, context)
    bias = fitted.network.network.classifier.bias
    bias.data[0], bias.data[1] = 1e6, -1e6
    found = fitted.predict(unseen(9))
    assert found.predicted == "control"
    assert not found.mask.voxels.any()
    assert found.flags == (Flag.EMPTY,)


def test_ready_made_pictures_are_outlined_in_two_dimensions_and_refused_in_three() -> None:
    context = FitContext(seed=0, classes=CLASSES)
    training = [case(index) for index in range(4)]
    known = unseen(9)
    pictures = CaseInput("P", "P", mips=known.mips)
    found = build("unet").fit(training, context).predict(pictures)
    assert set(found.picture_masks) == set(Plane)
    with pytest.raises(GeometryError, match="P: the 3D U-Net needs a PET volume, got ready-made pictures"):
        build("unet", 3).fit(training, context).predict(pictures)
