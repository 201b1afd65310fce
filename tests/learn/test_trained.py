import json

import numpy as np
import pytest
import torch

from pointpet.core import GeometryError, MipPair, ModelError, Plane
from pointpet.learn import TrainedNetwork, TrainingSettings
from pointpet.learn.network import ViewNetworks
from pointpet.learn.pictures import network_input

CLASSES = ("lung", "oesophagus")
SPOT = (17, 60)


def untrained(**changes: object) -> TrainedNetwork:
    settings = TrainingSettings(**{"input_mm": 4.0, "widths": (6,) * 8, **changes})  # type: ignore[arg-type]
    torch.manual_seed(2)
    return TrainedNetwork(ViewNetworks(settings, 2), CLASSES, settings, {"epochs": 0})


def seeing_copy(**changes: object) -> TrainedNetwork:
    """A network whose map of `lung` is the max-pooled picture itself, so that its peak must lie on the hottest spot."""
    built = untrained(**changes)
    tensors = built.tensors()
    for name, value in tensors.items():
        if "convolutions" in name:
            value[:] = 0
            value[:, :, 1, 1] = 1 / value.shape[1]
        if "head" in name:
            value[:] = 0
            value[0] = 1
    tensors["networks.both.bias"][:] = [1.0, 0.0]
    return TrainedNetwork.from_tensors(tensors, built.record)


def spot_mips(pixel_mm: float = 2.0, u: int = SPOT[0], z: int = SPOT[1]) -> MipPair:
    values = np.full((70, 103), 0.5, np.float32)
    values[u, z] = 20.0
    return MipPair(values, values[:55], pixel_mm, np.array([-70.0, -50.0, 30.0]))


def test_maps_are_of_the_predicted_class_at_the_mips_size_and_place() -> None:
    mips = spot_mips()
    activation = seeing_copy().activate(mips)
    assert activation.predicted == "lung"
    assert sum(activation.probabilities.values()) == pytest.approx(1.0)
    for plane in Plane:
        map_ = activation.maps[plane]
        values = mips.values(plane)
        assert values is not None
        assert map_.values.shape == values.shape
        assert (map_.class_name, map_.pixel_mm) == ("lung", 2.0)
        np.testing.assert_array_equal(map_.origin_mm, mips.origin_mm)


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("input_mm", [2.0, 4.0])
@pytest.mark.parametrize(("u", "z"), [(0, 0), (69, 102), (17, 60), (34, 51)])
@pytest.mark.parametrize("crop", [True, False])
def test_a_peak_comes_back_to_its_place_within_half_a_cell(stride, input_mm, u, z, crop) -> None:
    activation = seeing_copy(cam_stride=stride, input_mm=input_mm, crop=crop).activate(spot_mips(u=u, z=z))
    values = activation.maps[Plane.CORONAL].values
    peak = np.argwhere(values == values.max()).mean(axis=0)  # between the border and its first cell's centre it is flat
    assert np.abs(peak - (u, z)).max() <= stride * input_mm / 2.0 / 2


def test_both_views_agree_on_z() -> None:
    maps = seeing_copy().activate(spot_mips()).maps
    assert abs(maps[Plane.CORONAL].peak_cell[1] - maps[Plane.SAGITTAL].peak_cell[1]) <= 1


def test_the_map_lies_between_0_and_1_and_negative_evidence_is_cut_off() -> None:
    values = untrained().activate(spot_mips()).maps[Plane.CORONAL].values
    assert values.min() == 0
    assert 0.8 < values.max() <= 1


def test_a_map_without_a_positive_cell_is_all_zero() -> None:
    built = seeing_copy()
    tensors = built.tensors()
    tensors["networks.both.head.weight"][:] *= -1
    tensors["networks.both.bias"][:] = [9.0, 0.0]
    activation = TrainedNetwork.from_tensors(tensors, built.record).activate(spot_mips())
    assert activation.predicted == "lung"
    assert activation.maps[Plane.CORONAL].values.max() == 0


def test_class_scores_are_averaged_over_the_views() -> None:
    network, mips = untrained(), spot_mips()
    logits = []
    for plane in Plane:
        values, _ = network_input(mips.picture(plane), 2.0, network.settings)
        with torch.inference_mode():
            scores = network.networks(
                torch.from_numpy(values)[None, None], torch.tensor([values.shape]), torch.tensor([True])
            )
        logits.append(scores.logits[0].numpy())
    expected = np.exp(np.mean(logits, axis=0))
    given = list(network.activate(mips).probabilities.values())
    np.testing.assert_allclose(given, expected / expected.sum(), rtol=1e-5)


def test_one_view_is_enough() -> None:
    mips = MipPair(spot_mips().coronal, None, 2.0)
    activation = untrained().activate(mips)
    assert list(activation.maps) == [Plane.CORONAL]
    assert activation.maps[Plane.CORONAL].origin_mm is None


@pytest.mark.parametrize("shared", [True, False])
def test_weights_and_record_give_the_same_activation(shared: bool) -> None:
    first = untrained(shared_views=shared)
    record = json.loads(json.dumps(first.record))
    second = TrainedNetwork.from_tensors(first.tensors(), record)
    one, two = first.activate(spot_mips()), second.activate(spot_mips())
    assert one.probabilities == two.probabilities
    for plane in Plane:
        np.testing.assert_array_equal(one.maps[plane].values, two.maps[plane].values)
    assert second.record == first.record


def test_the_tensors_are_copies() -> None:
    network = untrained()
    network.tensors()["networks.both.bias"][:] = 99
    assert network.tensors()["networks.both.bias"].max() < 99


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors: tensors.pop("networks.both.bias"), "tensor networks.both.bias: is missing"),
        (lambda tensors: tensors.update(extra=np.zeros(2)), "tensor extra: is unknown to the network"),
        (
            lambda tensors: tensors.update({"networks.both.bias": np.zeros(3, np.float32)}),
            r"tensor networks.both.bias: must have shape \(2,\), got \(3,\)",
        ),
        (
            lambda tensors: tensors.update({"networks.both.bias": np.array([0, np.nan], np.float32)}),
            "tensor networks.both.bias: must be finite",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(change, told: str) -> None:
    network = untrained()
    tensors = network.tensors()
    change(tensors)
    with pytest.raises(ModelError, match=told):
        TrainedNetwork.from_tensors(tensors, network.record)


@pytest.mark.parametrize(
    "changes",
    [{"architecture": "other"}, {"settings": {"epochs": -1}}, {"settings": {"unheard": 1}}, {"classes": None}],
)
def test_a_record_that_describes_no_such_network_is_refused(changes: dict) -> None:
    network = untrained()
    with pytest.raises(ModelError, match="model record: must describe a network of architecture eight-layer-cam"):
        TrainedNetwork.from_tensors(network.tensors(), {**network.record, **changes})


def test_a_pixel_that_does_not_fit_is_refused() -> None:
    with pytest.raises(GeometryError, match="input_mm must be at least half its pixel of 9 mm, got 4 mm"):
        untrained().activate(spot_mips(pixel_mm=9.0))


def test_a_mirrored_scan_gets_the_mirrored_answer_where_both_are_looked_at() -> None:
    random = np.random.default_rng(4)
    picture = random.gamma(2.0, 2.0, (72, 96)).astype(np.float32)
    network = untrained(mirror=True, cam_stride=4, input_mm=2.0)
    seen, turned = (network.activate(MipPair(view, None, 2.0)) for view in (picture, picture[::-1]))
    assert seen.probabilities == pytest.approx(turned.probabilities, abs=1e-6)
    mirrored = turned.maps[Plane.CORONAL].values[::-1]
    np.testing.assert_allclose(seen.maps[Plane.CORONAL].values, mirrored, atol=1e-5)
    one_look = untrained(cam_stride=4, input_mm=2.0)
    assert one_look.activate(MipPair(picture, None, 2.0)).probabilities != pytest.approx(seen.probabilities, abs=1e-6)


def test_a_sagittal_view_has_a_front_and_is_looked_at_once() -> None:
    picture = np.random.default_rng(4).gamma(2.0, 2.0, (72, 96)).astype(np.float32)
    twice, once = (untrained(mirror=mirror).activate(MipPair(None, picture, 2.0)) for mirror in (True, False))
    assert twice.probabilities == once.probabilities
