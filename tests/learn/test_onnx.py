"""The same network by torch and by onnxruntime, on pictures of several sizes."""

import sys
from functools import cache

import numpy as np
import onnxruntime
import pytest
import torch

from pointpet.core import GeometryError, MipPair, MissingExtraError, ModelError, Plane
from pointpet.learn import TrainedNetwork, TrainingSettings
from pointpet.learn.activation import spread
from pointpet.learn.network import ViewNetworks
from pointpet.learn.onnx_export import onnx_graph
from pointpet.learn.onnx_names import CORONAL, IMAGE, LOGITS, MAPS
from pointpet.learn.onnx_network import OnnxNetwork
from pointpet.learn.trained_unet import TrainedViewUnet
from pointpet.learn.unet_network import ClassifyingUnet
from pointpet.learn.unet_settings import UnetSettings

CLASSES = ("lung", "oesophagus", "control")
TOLERANCE = 1e-4
SIZES = ((64, 40, 100), (80, 51, 67), (33, 90, 120))
"""Cells along x, y and z."""


def unsettled(module: torch.nn.Module) -> torch.nn.Module:
    """Normalisation as after a training: with its first values a slip in it would not show."""
    torch.manual_seed(5)
    for name, buffer in module.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.2, 1.5)
    for name, weights in module.named_parameters():
        if "norm" in name or name.endswith("bias"):
            weights.data.uniform_(-0.5, 1.0)
        if "head" in name:  # every class has evidence somewhere: an empty map would prove nothing
            weights.data.abs_()
    return module


def cam_network(**changes: object) -> TrainedNetwork:
    settings = TrainingSettings(**{"input_mm": 4.0, "widths": (6,) * 8, **changes})  # type: ignore[arg-type]
    torch.manual_seed(2)
    networks = unsettled(ViewNetworks(settings, len(CLASSES)))
    return TrainedNetwork(networks, CLASSES, settings, {"epochs": 0})  # type: ignore[arg-type]


def unet_network() -> TrainedViewUnet:
    settings = UnetSettings(features=(4, 4, 8, 8, 8, 4))
    torch.manual_seed(3)
    network = unsettled(ClassifyingUnet(settings, len(CLASSES)))
    network.unet.final_conv.weight.data *= 4  # else every pixel is about as sure: flat
    network.unet.final_conv.bias.data.fill_(-10.0)
    common = settings.training(TrainingSettings(input_mm=4.0))
    return TrainedViewUnet(network, CLASSES, settings, common, {"epochs": 0})  # type: ignore[arg-type]


NETWORKS = {
    "shared": cam_network,
    "a network per view": lambda: cam_network(shared_views=False, cam_stride=8),
    "widened": lambda: cam_network(cam_stride=2, context_stride=8),
    "highest cells": lambda: cam_network(pooled_share=0.3),
    "mirrored": lambda: cam_network(mirror=True),
    "unet": unet_network,
}


def mips(size: tuple[int, int, int]) -> MipPair:
    x, y, z = size
    random = np.random.default_rng(x)
    views = [random.gamma(2.0, 3.0, (across, z)).astype(np.float32) for across in (x, y)]
    return MipPair(*views, 2.0, np.zeros(3))


@cache
def exported(name: str) -> tuple[TrainedNetwork | TrainedViewUnet, bytes]:
    network = NETWORKS[name]()
    return network, onnx_graph(network)


@pytest.fixture(params=["shared", *(pytest.param(name, marks=pytest.mark.slow) for name in list(NETWORKS)[1:])])
def pair(request: pytest.FixtureRequest) -> tuple[TrainedNetwork | TrainedViewUnet, bytes]:
    return exported(request.param)


def test_scores_and_maps_are_those_of_torch(pair) -> None:
    network, content = pair
    ours = OnnxNetwork(content, network.tensors(), network.record)
    for size in SIZES:
        expected, got = network.activate(mips(size)), ours.activate(mips(size))
        assert got.probabilities == pytest.approx(expected.probabilities, abs=TOLERANCE)
        assert min(expected.probabilities.values()) > 0.001, "a class that is certain would prove nothing"
        for plane in Plane:
            values = expected.maps[plane].values
            np.testing.assert_allclose(got.maps[plane].values, values, atol=TOLERANCE)
            assert got.maps[plane].class_name == expected.predicted
            assert values.std() > 0.01, "a flat map would prove nothing"


def test_the_graph_gives_scores_first_and_maps_second_for_batches_of_any_size(pair) -> None:
    network, content = pair
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_outputs()] == [LOGITS, MAPS]
    assert next(entry.name for entry in session.get_inputs()) == IMAGE
    views = np.random.default_rng(0).random((3, 1, 48, 80), np.float32)
    coronal = np.array([True, False, True])
    fed = {IMAGE: views} | ({CORONAL: coronal} if len(session.get_inputs()) > 1 else {})
    logits, maps = session.run(None, fed)
    with torch.inference_mode():
        if isinstance(network, TrainedViewUnet):
            expected = network.network(torch.from_numpy(views))
            seconds = expected.mask
        else:
            sizes = torch.tensor([[48, 80]] * 3)
            expected = network.networks(torch.from_numpy(views), sizes, torch.from_numpy(coronal))
            seconds = expected.maps
    np.testing.assert_allclose(logits, expected.logits.numpy(), atol=TOLERANCE)
    np.testing.assert_allclose(maps, seconds.numpy(), atol=TOLERANCE)


def test_one_view_alone_is_enough_and_the_pixel_must_fit() -> None:
    network, content = exported("shared")
    ours = OnnxNetwork(content, network.tensors(), network.record)
    lone = MipPair(None, mips(SIZES[0]).sagittal, 2.0)
    assert list(ours.activate(lone).maps) == [Plane.SAGITTAL]
    with pytest.raises(GeometryError, match="input_mm must be at least half its pixel of 9 mm, got 4 mm"):
        ours.activate(MipPair(None, lone.sagittal, 9.0))
    assert ours.record == network.record
    assert ours.tensors().keys() == network.tensors().keys()


def test_bytes_that_are_no_graph_are_refused() -> None:
    network = cam_network()
    with pytest.raises(ModelError, match=r"model\.onnx: cannot be run by onnxruntime .* \(InvalidProtobuf\)"):
        OnnxNetwork(b"no graph", network.tensors(), network.record)


def test_another_programs_graph_is_refused(tmp_path) -> None:
    class Foreign(torch.nn.Module):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return picture * 2

    torch.onnx.export(Foreign(), (torch.zeros(1, 1, 8, 8),), tmp_path / "x.onnx", dynamo=True, input_names=["picture"])
    network = cam_network()
    with pytest.raises(ModelError, match=r"model\.onnx: must have image in, logits and maps out, got \{'picture'\}"):
        OnnxNetwork((tmp_path / "x.onnx").read_bytes(), network.tensors(), network.record)


def test_the_exporters_packages_are_named_where_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "onnxscript"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"needs onnx and onnxscript.*pip install 'pointpet\[onnx\]'"):
        onnx_graph(cam_network())


def test_the_runtime_is_named_where_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "pointpet.learn.backend_onnx", raising=False)
    with pytest.raises(MissingExtraError, match=r"needs onnxruntime.*pip install 'pointpet\[runtime\]'"):
        __import__("pointpet.learn.backend_onnx")


@pytest.mark.parametrize("size", [(20, 28), (21, 7), (5, 7), (1, 1)])
@pytest.mark.parametrize("shape", [(5, 7), (1, 4), (3, 1)])
def test_maps_are_spread_as_torch_interpolates(shape, size) -> None:
    values = np.random.default_rng(1).random(shape, np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=size, mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(spread(values, size), expected[0, 0].numpy(), atol=1e-6)
