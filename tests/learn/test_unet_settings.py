import pytest

from pointpet.core import ConfigError, Faults
from pointpet.learn import TrainingSettings
from pointpet.learn.fcn_settings import FcnSettings
from pointpet.learn.unet_settings import UnetSettings


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("dimensions", 4, "2 or 3"),
        ("features", (8, 8), "six counts of at least 1"),
        ("features", (8, 8, 8, 8, 8, 0), "six counts of at least 1"),
        ("class_weight", -0.1, "0 or more"),
        ("epochs", 0, "1 or more"),
        ("patience", 0, "1 or more"),
        ("batch_size", 0, "1 or more"),
        ("learning_rate", 0.0, "over 0"),
        ("weight_decay", -1.0, "0 or more"),
        ("cell_mm", 0.5, "1 to 16"),
        ("patch_cells", 40, "a multiple of 16"),
        ("patches", 0, "1 or more"),
    ],
)
def test_a_wrong_setting_of_the_unet_is_named_with_its_rule(name, value, rule) -> None:
    with pytest.raises(ConfigError, match=rf"unet\.{name}: must be {rule}, got"):
        UnetSettings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("cam_stride", 3, "2, 4, 8 or 16"),
        ("pooled_share", 0.0, "over 0 and at most 1"),
        ("pooled_share", 1.5, "over 0 and at most 1"),
        ("epochs", 0, "1 or more"),
        ("learning_rate", 0.0, "over 0"),
    ],
)
def test_a_wrong_setting_of_the_fcn_is_named_with_its_rule(name, value, rule) -> None:
    with pytest.raises(ConfigError, match=rf"cam_fcn\.{name}: must be {rule}, got"):
        FcnSettings(**{name: value})


@pytest.mark.parametrize(
    ("settings", "wrong", "subject"),
    [
        (UnetSettings, {"dimensions": 1, "epochs": 0}, "unet: 2 faults"),
        (FcnSettings, {"cam_stride": 1, "epochs": 0}, "cam_fcn: 2 faults"),
    ],
)
def test_several_faults_are_told_together(settings, wrong, subject) -> None:
    with pytest.raises(Faults, match=subject):
        settings(**wrong)


def test_the_unet_takes_picture_and_augmentation_from_training_and_its_own_schedule() -> None:
    common = TrainingSettings(shift_mm=7.0, input_mm=4.0, threads=1, distance="margin")
    own = UnetSettings(epochs=3, patience=2, batch_size=5, learning_rate=0.1, weight_decay=0.2).training(common)
    assert (own.shift_mm, own.input_mm, own.threads) == (7.0, 4.0, 1)
    assert (own.epochs, own.patience, own.batch_size, own.learning_rate, own.weight_decay) == (3, 2, 5, 0.1, 0.2)
    assert own.cam_stride == 16, "sides of the input divide by the coarsest level's cell"
    assert not own.localises


@pytest.mark.parametrize(("common", "stride", "context"), [(8, 2, 8), (4, 4, 0), (4, 8, 0)])
def test_the_fcn_keeps_the_field_of_view_of_training_and_drops_the_distance_loss(common, stride, context) -> None:
    own = FcnSettings(cam_stride=stride, pooled_share=0.5, epochs=9, learning_rate=0.02).training(
        TrainingSettings(cam_stride=common)
    )
    assert (own.cam_stride, own.context_stride, own.pooled_share, own.epochs) == (stride, context, 0.5, 9)
    assert own.learning_rate == 0.02
    assert not own.localises
