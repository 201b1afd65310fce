from dataclasses import replace

import pytest

from pointpet.core import TrainingError
from pointpet.learn.batches import split_validation, views_of
from pointpet.learn.joint import JointTask
from pointpet.learn.train import train

CLASSES = ("lung", "oesophagus")


@pytest.mark.parametrize(
    ("distance", "weight"), [("weighted", 20.0), ("gaussian", 200.0)], ids=["weighted", "gaussian"]
)
def test_the_collapse_of_a_rectified_and_normalised_map_is_reported(synthetic, quick, distance, weight) -> None:
    # Readings on the map's normalised positive part, as its source states the map: pressed hard, the maps of a class
    # turn all negative, loss and slope end there, and the class is at chance.
    settings = quick(distance=distance, distance_weight=weight, epochs=12, learning_rate=0.05)
    settings = replace(settings, tolerance_mm=0.0, sigma_mm=8.0)
    with pytest.raises(TrainingError, match=r"its activation maps collapsed: in epoch \d+, .* had no positive") as told:
        train(synthetic(16), settings, seed=0, classes=CLASSES)
    assert told.value.code == "PP-TRAIN-COLLAPSE"
    assert "Train with distance 'margin'" in told.value.remedy


@pytest.mark.parametrize("distance", ["margin", "none"])
def test_a_sound_training_is_not_called_collapsed(synthetic, quick, distance: str) -> None:
    training = train(synthetic(16), quick(distance=distance, epochs=8), seed=0, classes=CLASSES).training
    assert training["epochs"] == 8


def task(synthetic, settings) -> JointTask:
    training, validation = split_validation(views_of(synthetic(4), CLASSES, settings), 0.25, seed=0)
    return JointTask(settings, training=training, validation=validation, classes=CLASSES, seed=0)


@pytest.mark.parametrize(("distance", "expected"), [("margin", 0.5 + 2 * (0.25 + 0.4)), ("none", 0.5)])
def test_the_criterion_weighs_class_localisation_and_empty_maps(synthetic, quick, distance, expected) -> None:
    joint = task(synthetic, quick(distance=distance, distance_weight=2.0))
    measured = {"class_loss": 0.5, "distance_loss": 0.25, "empty_maps": {"lung": 0.1, "oesophagus": 0.4}}
    assert joint.criterion(measured) == pytest.approx(expected)


def collapsing(*shares: float) -> list[dict]:
    return [
        {"epoch": epoch, "criterion": 1.0, "train": {"accuracy": 0.5, "empty_maps": {"lung": 0.0, "oesophagus": share}}}
        for epoch, share in enumerate(shares)
    ]


@pytest.mark.parametrize(
    ("shares", "warmup", "collapsed"),
    [
        ((1.0, 1.0, 1.0), 0, True),
        ((1.0, 1.0), 0, False),
        ((1.0, 1.0, 0.4), 0, False),
        ((1.0, 1.0, 1.0), 1, False),
        ((1.0, 0.5, 0.5, 0.5), 1, True),
    ],
)
def test_three_collapsed_epochs_after_the_warm_up_end_a_training(synthetic, quick, shares, warmup, collapsed) -> None:
    joint = task(synthetic, quick(warmup_epochs=warmup))
    if collapsed:
        with pytest.raises(TrainingError, match="class oesophagus: its activation maps collapsed"):
            joint.watch(collapsing(*shares))
    else:
        joint.watch(collapsing(*shares))


def test_without_a_distance_loss_empty_maps_are_recorded_only(synthetic, quick) -> None:
    joint = task(synthetic, quick(distance="none"))
    joint.watch(collapsing(1.0, 1.0, 1.0))
