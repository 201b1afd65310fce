import pytest

from pointpet.learn.batches import split_validation, views_of
from pointpet.learn.epochs import EpochTraining
from pointpet.learn.joint import JointTask
from pointpet.learn.network import ViewNetworks

CLASSES = ("lung", "oesophagus")


def module(synthetic, settings) -> EpochTraining:
    training, validation = split_validation(views_of(synthetic(4), CLASSES, settings), 0.25, seed=0)
    task = JointTask(settings, training=training, validation=validation, classes=CLASSES, seed=0)
    return EpochTraining(ViewNetworks(settings, 2), task, settings, digest="", report=lambda *_: None)


def entries(*criteria: float | None) -> list[dict]:
    return [{"epoch": epoch, "criterion": value} for epoch, value in enumerate(criteria)]


def test_the_best_epoch_has_the_lowest_criterion_the_earliest_of_equals(synthetic, quick) -> None:
    joint = module(synthetic, quick())
    joint.history = entries(3.0, 1.0, 2.0, 1.0)
    assert joint.best_epoch == 3, "too few epochs to smooth"
    # Means of five from epoch 4 on: 2.4, 2.2, 2.4, 1.8, 2.0, 1.8.
    joint.history = entries(3.0, 0.0, 3.0, 3.0, 3.0, 2.0, 1.0, 0.0, 4.0, 2.0)
    assert joint.best_epoch == 7


def test_one_lucky_epoch_early_on_is_not_taken(synthetic, quick) -> None:
    joint = module(synthetic, quick())
    joint.history = entries(5.0, 0.1, 5.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert joint.best_epoch == 9


@pytest.mark.parametrize(
    ("criteria", "finished"),
    [
        ((3.0, 1.0, 2.0), False),
        ((1.0, 1.0, 1.0, 1.0, 1.0, 2.0), False),
        ((1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0), True),
        ((8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0), True),
        ((), False),
    ],
)
def test_it_ends_after_the_last_epoch_or_when_patience_runs_out(synthetic, quick, criteria, finished) -> None:
    joint = module(synthetic, quick(epochs=8, patience=2))
    joint.history = entries(*criteria)
    assert joint.finished is finished
