"""The 2D U-Net on synthetic balls: does it learn, does it repeat itself, does it go on where it stopped."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pointpet.core import Mask, MipPair, ModelError, Plane, TrainingError, Volume
from pointpet.learn import Example
from pointpet.learn.trained_unet import TrainedViewUnet
from pointpet.learn.unet_settings import UnetSettings
from pointpet.learn.unet_train import train_unet
from pointpet.learn.unet_views import MaskedBatches, MaskedExample, MaskedValidation, masked_views
from pointpet.project import project, project_mask, turned_mips

CLASSES = ("lung", "oesophagus")
SETTINGS = UnetSettings(features=(4, 4, 8, 8, 16, 4), epochs=2)
SPACING_MM = 8.0


def ball_case(index: int, *, turns=()) -> MaskedExample:
    """A tumour among hot organs that do not move: high up for `lung`, low down for `oesophagus`."""
    random = np.random.default_rng(index)
    label = CLASSES[index % 2]
    shape = (24, 18, 32)
    grid = np.indices(shape).astype(float)
    centre = np.array(
        [random.integers(6, 18), random.integers(6, 12), (23 if label == "lung" else 9) + random.integers(-3, 4)]
    )
    ball = ((grid - centre[:, None, None, None]) ** 2).sum(axis=0) <= 2.5**2
    organ = ((grid - np.array([12, 9, 16])[:, None, None, None]) ** 2).sum(axis=0) <= 2.0**2
    voxels = 1.0 + random.gamma(2.0, 0.05, shape) + 9.0 * organ
    voxels[ball] = 6.0
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    volume = Volume(voxels.astype(np.float32), affine)
    turned = tuple(turned_mips(volume, turns, pixel_mm=4.0, factor=1))
    name = f"case{index:02d}"
    return MaskedExample(Example(name, name, project(volume, pixel_mm=4.0), label), Mask(ball, affine), turned)


@pytest.fixture(scope="module")
def cases() -> list[MaskedExample]:
    return [ball_case(index) for index in range(24)]


@pytest.fixture
def common(quick):
    return quick(shift_mm=8.0)


def weights_differ(first, second) -> list[str]:
    one, two = first.tensors(), second.tensors()
    assert one.keys() == two.keys()
    return [name for name in one if not np.array_equal(one[name], two[name])]


@pytest.fixture(scope="module")
def learnt(cases, quick):
    settings = replace(SETTINGS, epochs=16, features=(8, 8, 16, 16, 32, 8), learning_rate=1e-2)
    return train_unet(cases, settings, quick(shift_mm=8.0), seed=0, classes=CLASSES)


def test_it_learns_the_mask_and_the_class(learnt) -> None:
    right, overlaps = [], []
    for case in [ball_case(index) for index in range(50, 62)]:
        found = learnt.activate(case.example.mips)
        assert sum(found.probabilities.values()) == pytest.approx(1.0)
        right.append(found.predicted == case.example.label)
        truth = project_mask(case.mask, pixel_mm=4.0)
        for plane, lesion in found.maps.items():
            assert lesion.values.max() == pytest.approx(1.0)
            assert lesion.class_name == found.predicted
            mask = lesion.values >= 0.5
            overlaps.append(2 * (mask & truth[plane]).sum() / (mask.sum() + truth[plane].sum()))
    assert np.mean(right) >= 0.9
    assert np.mean(overlaps) >= 0.7


def test_the_record_holds_parameters_epochs_seconds_and_the_learning_curve(learnt) -> None:
    training = learnt.training
    assert training["epochs"] == len(training["history"]) == 16
    assert training["seconds"] > 0
    assert training["parameters"] == sum(weights.numel() for weights in learnt.network.parameters())
    first, last = training["history"][0], training["history"][-1]
    assert last["train"]["dice"] > first["train"]["dice"]
    assert set(last["validation"]) == {"loss", "mask_loss", "class_loss", "dice", "accuracy"}
    assert last["criterion"] == last["validation"]["loss"]
    assert (training["training_views"], training["validation_views"]) == (40, 8)


def test_weights_and_record_give_the_network_back(learnt) -> None:
    again = TrainedViewUnet.from_tensors(learnt.tensors(), learnt.record)
    mips = ball_case(70).example.mips
    ours, theirs = learnt.activate(mips), again.activate(mips)
    assert ours.probabilities == theirs.probabilities
    for plane in Plane:
        np.testing.assert_array_equal(ours.maps[plane].values, theirs.maps[plane].values)


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "eight-layer-cam"},
        {"settings": {"dimensions": 7}},
        {"classes": None},
        {"training_settings": {"no": 1}},
    ],
)
def test_a_record_of_something_else_is_refused(learnt, change) -> None:
    with pytest.raises(ModelError, match="must describe a network of architecture classifying-unet"):
        TrainedViewUnet.from_tensors(learnt.tensors(), {**learnt.record, **change})


def test_a_missing_weight_is_named(learnt) -> None:
    tensors = learnt.tensors()
    tensors.pop("classifier.bias")
    with pytest.raises(ModelError, match=r"tensor classifier.bias: is missing"):
        TrainedViewUnet.from_tensors(tensors, learnt.record)


def test_a_seed_gives_identical_weights_whatever_the_order(cases, common) -> None:
    arguments = {"classes": CLASSES}
    first = train_unet(cases[:8], SETTINGS, common, seed=3, **arguments)
    assert not weights_differ(first, train_unet(cases[7::-1], SETTINGS, common, seed=3, **arguments))
    assert weights_differ(first, train_unet(cases[:8], SETTINGS, common, seed=4, **arguments))


def test_an_interrupted_training_goes_on_to_the_same_weights(cases, common, tmp_path) -> None:
    settings = replace(SETTINGS, epochs=4)

    def interrupt(done: int, total: int, message: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    whole = train_unet(cases[:8], settings, common, seed=0, classes=CLASSES)
    arguments = {"seed": 0, "classes": CLASSES, "checkpoint_dir": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train_unet(cases[:8], settings, common, **arguments, report=interrupt)
    seen: list[int] = []
    resumed = train_unet(cases[:8], settings, common, **arguments, report=lambda done, *_: seen.append(done))
    assert seen == [3, 4]
    assert not weights_differ(whole, resumed)


def test_the_masks_decide_what_is_learned(cases, common) -> None:
    moved = [replace(case, mask=Mask(np.roll(case.mask.voxels, 4, 2), case.mask.affine)) for case in cases[:8]]
    first, second = (train_unet(part, SETTINGS, common, seed=0, classes=CLASSES) for part in (cases[:8], moved))
    assert "unet.final_conv.weight" in weights_differ(first, second)


def test_a_case_without_a_mask_teaches_its_class_alone(cases, common) -> None:
    blind = [replace(case, mask=None) if index > 3 else case for index, case in enumerate(cases[:8])]
    training = train_unet(blind, SETTINGS, replace(common, validation_share=0.0), seed=0, classes=CLASSES).training
    assert training["history"][0]["train"]["class_loss"] > 0
    views = masked_views(blind, CLASSES, SETTINGS.training(common))
    known = torch.cat([batch.known for batch in MaskedValidation(views)])
    assert known.tolist() == [True] * 8 + [False] * 8


def test_without_any_mask_there_is_nothing_to_train_on(cases, common) -> None:
    bare = [replace(case, mask=None) for case in cases[:8]]
    with pytest.raises(TrainingError, match="the U-Net needs true masks, got none that holds a voxel"):
        train_unet(bare, SETTINGS, common, seed=0, classes=CLASSES)


def test_one_view_and_three_classes(cases, common) -> None:
    labels = (*CLASSES, "control")
    three = [
        replace(
            case,
            example=replace(
                case.example,
                label=labels[index % 3],
                mips=MipPair(case.example.mips.coronal, None, 4.0, case.example.mips.origin_mm),
            ),
            mask=Mask(np.zeros_like(case.mask.voxels), case.mask.affine) if index % 3 == 2 else case.mask,
        )
        for index, case in enumerate(cases[:9])
    ]
    found = train_unet(three, SETTINGS, common, seed=0, classes=labels).activate(three[0].example.mips)
    assert set(found.probabilities) == set(labels)
    assert list(found.maps) == [Plane.CORONAL]


def test_picture_and_target_move_together_and_the_target_stays_inside(quick) -> None:
    common = SETTINGS.training(quick(shift_mm=60.0, scale=0.2, intensity=0.3, noise=0.1))
    views = masked_views([ball_case(index, turns=[-16.0, 16.0]) for index in range(6)], CLASSES, common)
    assert all(len(view.turned) == 2 for view in views)
    seen = set()
    for epoch in range(6):
        for batch in MaskedBatches(views, common, seed=1, epoch=epoch):
            assert float(batch.images.max()) <= 1
            for image, target in zip(batch.images[:, 0], batch.targets[:, 0], strict=True):
                middle = np.average(np.argwhere(target.numpy() > 0), axis=0, weights=target.numpy()[target.numpy() > 0])
                row, column = np.rint(middle).astype(int)
                # SUV 6 in the tumour, 1 around it, ceiling 30; intensity may take 30 % and noise a little more.
                assert float(image[row, column]) > 0.09
                assert float(target.sum()) > 10
                seen.add((row, column))
    assert len(seen) > 40, "turned, mirrored, shifted and scaled"


def test_an_epochs_batches_follow_from_its_number(cases, common) -> None:
    views = masked_views(cases[:6], CLASSES, common)
    first, again, other = (
        torch.cat([batch.targets.flatten() for batch in MaskedBatches(views, common, seed=1, epoch=epoch)])
        for epoch in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
