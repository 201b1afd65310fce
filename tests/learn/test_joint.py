from dataclasses import replace

import pytest

from pointpet.core import TrainingError
from pointpet.learn.batches import collate, split_validation, views_of
from pointpet.learn.joint import JointTask
from pointpet.learn.network import ViewNetworks
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


def test_classes_weigh_the_same_where_one_is_free_of_lesions(synthetic, quick) -> None:
    settings = quick()
    views = views_of(synthetic(9), CLASSES, settings)
    options = {"training": views, "validation": [], "classes": CLASSES, "seed": 0}
    # Five cases of lung and four of oesophagus, two views each.
    weights = JointTask(settings, **options, lesion_free=("oesophagus",))._weights
    assert weights.tolist() == pytest.approx([18 / 20, 18 / 16])
    assert JointTask(settings, **options)._weights.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("rivals", "free", "spares"),
    [("auto", (), False), ("auto", ("lung",), True), ("own", ("lung",), False), ("controls", ("lung",), True)],
)
def test_unclicked_lesions_are_spared_where_there_are_controls(synthetic, quick, rivals, free, spares) -> None:
    settings = quick(rivals=rivals)
    views = views_of(synthetic(8), CLASSES, settings)
    joint = JointTask(settings, training=views, validation=[], classes=CLASSES, seed=0, lesion_free=free)
    assert joint._spares_lesions == spares


def test_a_point_in_a_control_teaches_nothing(synthetic, quick) -> None:
    settings = quick()
    views = views_of(synthetic(8), CLASSES, settings)
    networks = ViewNetworks(settings, 2)
    batch = collate(views)
    for free, count in (((), 16), (("lung",), 8)):
        joint = JointTask(settings, training=views, validation=[], classes=CLASSES, seed=0, lesion_free=free)
        assert len(joint.step(networks, batch, 0).outcomes["distance_losses"]) == count


def test_controls_as_rivals_need_a_class_of_them(synthetic, quick) -> None:
    with pytest.raises(TrainingError, match="rivals must be own or auto without a class without lesions") as told:
        train(synthetic(8), quick(rivals="controls"), seed=0, classes=CLASSES)
    assert told.value.code == "PP-TRAIN-RIVALS"
    assert train(synthetic(8), quick(epochs=1), seed=0, classes=CLASSES, lesion_free=("lung",)).classes == CLASSES
