import pytest

from pointpet.learn.batches import split_validation, views_of
from pointpet.learn.epochs import EpochTraining
from pointpet.learn.fcn_settings import FcnSettings
from pointpet.learn.joint import JointTask
from pointpet.learn.network import ViewNetworks
from pointpet.learn.settings import AUTOMATIC_EPOCHS, PATIENCE, TrainingSettings
from pointpet.learn.unet_settings import UnetSettings

CLASSES = ("lung", "oesophagus")


def module(synthetic, settings) -> EpochTraining:
    training, validation = split_validation(views_of(synthetic(4), CLASSES, settings), 0.25, seed=0)
    task = JointTask(settings, training=training, validation=validation, classes=CLASSES, seed=0)
    return EpochTraining(ViewNetworks(settings, 2), task, settings, digest="", report=lambda *_: None)


def entries(*criteria: float | None) -> list[dict]:
    return [{"epoch": epoch, "criterion": value} for epoch, value in enumerate(criteria)]


SWINGING = (5.0, 0.1) * 7
"""Fourteen of twenty epochs: before the schedule settles."""


def test_the_best_epoch_has_the_lowest_smoothed_criterion_the_earliest_of_equals(synthetic, quick) -> None:
    joint = module(synthetic, quick(epochs=20))
    joint.history = entries(*SWINGING, 3.0, 1.0)
    assert joint.best_epoch == 15, "too few settled epochs to smooth"
    # Means of five from epoch 18 on: 1.8, 2.0, 1.8.
    joint.history = entries(*SWINGING, 3.0, 2.0, 1.0, 0.0, 3.0, 4.0, 1.0)
    assert joint.best_epoch == 18


def test_no_epoch_is_chosen_before_the_schedule_has_settled(synthetic, quick) -> None:
    joint = module(synthetic, quick(epochs=20))
    joint.history = entries(*[0.1] * 14, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0)
    assert joint.best_epoch == 19


def test_without_a_criterion_the_last_epoch_is_taken(synthetic, quick) -> None:
    joint = module(synthetic, quick(epochs=20))
    joint.history = entries(*[None] * 20)
    assert joint.best_epoch == 19


@pytest.mark.parametrize(
    ("settled", "finished"),
    [
        ((3.0, 1.0, 2.0), False),
        ((1.0, 1.0, 1.0, 1.0, 1.0, 2.0), False),
        ((1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0), True),
        ((9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0), True),
        ((), False),
    ],
)
def test_it_ends_after_the_last_epoch_or_when_patience_runs_out(synthetic, quick, settled, finished) -> None:
    joint = module(synthetic, quick(epochs=30, patience=2))
    joint.history = entries(*[0.1] * 21, *settled)
    assert joint.finished is finished


def ends_after(joint: EpochTraining, epochs: int) -> int:
    """Epochs until the training says it is finished where nothing improves, the soonest that it can."""
    for done in range(1, epochs + 1):
        joint.history = entries(*map(float, range(done)))
        if joint.finished:
            return done
    return epochs


@pytest.mark.parametrize(("longer", "left_out"), [(5, 0), (6, 1), (9, 4)])
def test_patience_acts_only_where_the_settled_part_is_longer_by_more_than_five(synthetic, quick, longer, left_out):
    settled = 30
    joint = module(synthetic, quick(epochs=100, patience=settled - longer))
    assert ends_after(joint, 100) == 100 - left_out


@pytest.mark.parametrize("epochs", [*AUTOMATIC_EPOCHS, FcnSettings().epochs])
def test_default_lengths_are_run_to_their_end(synthetic, quick, epochs):
    assert "with the default lengths never" in PATIENCE
    assert ends_after(module(synthetic, quick(epochs=epochs, patience=TrainingSettings().patience)), epochs) == epochs


def test_so_is_that_of_the_u_net(synthetic, quick):
    own = UnetSettings()
    assert ends_after(module(synthetic, quick(epochs=own.epochs, patience=own.patience)), own.epochs) == own.epochs
