import json
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from pointpet.core import ConfigError, Faults
from pointpet.learn import TrainingSettings
from pointpet.learn.settings import PICTURES_PRESET


def test_every_setting_says_what_it_means() -> None:
    assert all(len(item.metadata["doc"]) > 10 for item in fields(TrainingSettings))


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("input_mm", 0, "over 0"),
        ("input_mm", float("nan"), "over 0"),
        ("suv_ceiling", -1, "over 0"),
        ("crop", 1, "true or false"),
        ("cam_stride", 5, "4, 8 or 16"),
        ("widths", (8, 8), "eight counts"),
        ("widths", (0,) * 8, "eight counts"),
        ("shared_views", "yes", "true or false"),
        ("distance", "euclid", "one of none, centroid, weighted, margin, softmax_centroid, gaussian, cross_entropy"),
        ("distance_weight", -0.1, "at least 0"),
        ("warmup_epochs", 1.5, "whole number"),
        ("radius_mm", 0, "over 0"),
        ("margin", "wide", "over 0"),
        ("tolerance_mm", -1, "at least 0"),
        ("sigma_mm", 0, "over 0"),
        ("epochs", -1, "at least 0"),
        ("batch_size", True, "at least 1"),
        ("learning_rate", 0, "over 0"),
        ("weight_decay", -1, "at least 0"),
        ("flip", None, "true or false"),
        ("shift_mm", -1, "at least 0"),
        ("scale", 1.0, "under 1"),
        ("intensity", 2, "under 1"),
        ("noise", -0.1, "at least 0"),
        ("validation_share", 0.6, "at most 0.5"),
        ("patience", 0, "at least 1"),
        ("precision", "fp16", "one of auto, fp32, bf16"),
        ("threads", -1, "at least 0"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: object, rule: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: must be .*{rule}.*, got .*Correct the setting"):
        TrainingSettings(**{name: value})  # type: ignore[arg-type]


def test_all_faults_are_told_together() -> None:
    with pytest.raises(Faults, match="2 faults") as caught:
        TrainingSettings(epochs=-1, distance="euclid")
    assert {fault.subject for fault in caught.value.faults} == {"epochs", "distance"}


def test_the_record_survives_json() -> None:
    settings = TrainingSettings(cam_stride=8, widths=(4,) * 8)
    assert TrainingSettings(**json.loads(json.dumps(settings.as_record()))) == settings


def test_a_cell_is_stride_times_pixel() -> None:
    assert TrainingSettings(input_mm=2.0, cam_stride=16).cell_mm == 32.0


@pytest.mark.parametrize(
    ("distance", "weight", "localises"), [("margin", 1.0, True), ("none", 1.0, False), ("margin", 0.0, False)]
)
def test_localises_where_a_distance_loss_takes_part(distance: str, weight: float, localises: bool) -> None:
    assert TrainingSettings(distance=distance, distance_weight=weight).localises is localises


def test_importing_the_package_needs_no_torch() -> None:
    program = "import sys, pointpet.learn; pointpet.learn.TrainingSettings(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_name_of_the_package_is_refused() -> None:
    import pointpet.learn

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = pointpet.learn.nothing


@pytest.mark.parametrize(("views", "epochs"), [(8, 150), (72, 150), (176, 69), (1000, 60)])
def test_automatic_epochs_follow_the_batches_within_bounds(views: int, epochs: int) -> None:
    assert TrainingSettings().with_epochs_for(views).epochs == epochs


def test_epochs_that_were_asked_for_stay() -> None:
    settings = TrainingSettings(epochs=3)
    assert settings.with_epochs_for(8) == settings


def test_controls_bring_their_own_defaults_and_no_more() -> None:
    default = TrainingSettings()
    settled = default.for_cohort(("control",))
    assert (settled.input_mm, settled.cam_stride, settled.pooled_share, settled.mirror) == (8.0, 2, 0.1, True)
    assert default.for_cohort(()) == default
    given = TrainingSettings(cam_stride=8).for_cohort(("control",))
    assert (given.cam_stride, given.input_mm) == (8, 8.0)
    as_it_stands = TrainingSettings(controls_preset=False)
    assert as_it_stands.for_cohort(("control",), pictures=True) == as_it_stands


def test_ready_made_pictures_of_controls_bring_more_and_pictures_alone_nothing() -> None:
    default = TrainingSettings()
    volumes, pictures = default.for_cohort(("control",)), default.for_cohort(("control",), pictures=True)
    assert (volumes.suv_ceiling, volumes.gamma) == (default.suv_ceiling, 0.0)
    assert {name: getattr(pictures, name) for name in PICTURES_PRESET} == PICTURES_PRESET
    assert replace(pictures, **{name: getattr(default, name) for name in PICTURES_PRESET}) == volumes
    assert default.for_cohort((), pictures=True) == default
    assert TrainingSettings(suv_ceiling=20.0).for_cohort(("control",), pictures=True).suv_ceiling == 20.0


def test_greys_are_bent_late_and_no_other_setting_follows_the_epoch() -> None:
    bending = TrainingSettings(epochs=100, gamma=0.2)
    assert [bending.in_epoch(epoch).gamma for epoch in (0, 40, 45, 50, 99)] == pytest.approx([0, 0, 0.1, 0.2, 0.2])
    assert replace(bending.in_epoch(45), gamma=0.2) == bending
    for plain in (TrainingSettings(epochs=100), TrainingSettings(gamma=0.2)):
        assert plain.in_epoch(0) is plain
