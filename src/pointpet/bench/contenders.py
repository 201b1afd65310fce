"""Our side of each comparison. Every contender prepares what it needs and returns one run, ready to be repeated.

A run returns None, and is timed as a whole; or the seconds that count, where these are a part or a multiple of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from statistics import median
from typing import TYPE_CHECKING

from pointpet.bench.material import PIXEL_MM, SEED, VOXEL_MM, Material, Size

if TYPE_CHECKING:
    import torch

    from pointpet.learn.network import EightLayerNetwork

Run = Callable[[], float | None]
Contender = Callable[[Material, Size], Run]

TRAINING_EPOCHS = 4
"""In a run of training; the first, in which memory is laid out, does not count."""
SHIPPED_MODEL = "demo"
"""The four patients of `Material` click too seldom for a forest of candidates, which takes a third of a prediction."""
FORWARD_REPEATS = 10
"""Forward passes in a run: one takes milliseconds."""


def project_ours(material: Material, _: Size) -> Run:
    """SUV in memory -> both MIPs."""
    from pointpet.project import project

    volume = material.volume()
    return lambda: drop(project(volume, pixel_mm=PIXEL_MM))


def prepare_ours(material: Material, _: Size) -> Run:
    """DICOM folder -> SUV -> both MIPs."""
    from pointpet.io.pet import read_pet
    from pointpet.project import project

    return lambda: drop(project(read_pet(material.dicom).volume, pixel_mm=PIXEL_MM))


def predict_ours(material: Material, _: Size) -> Run:
    """DICOM folder -> everything that `pointpet predict` writes, by the model that comes along."""
    from pointpet.pipeline.predict import predict_inputs

    numbers = count()

    def run() -> None:
        # A folder of its own each time: what is there already would not be made again.
        outcome = predict_inputs(SHIPPED_MODEL, [material.dicom], material.folder / f"predicted{next(numbers)}")
        assert not outcome.failures, outcome.failures

    return run


def train_ours(material: Material, size: Size) -> Run:
    """Seconds an image of `train`, augmentation and all: what the epochs take."""
    from pointpet.learn.settings import TrainingSettings
    from pointpet.learn.train import train

    settings = replace(TrainingSettings(), epochs=TRAINING_EPOCHS, turns=False, validation_share=0.0)
    examples = material.examples(size.views)
    classes = tuple(sorted({example.label for example in examples}))

    def run() -> float:
        network = train(examples, settings, seed=SEED, classes=classes)
        seconds = [entry["seconds"] for entry in network.training["history"][1:]]
        return median(seconds) / size.views

    return run


def forward_with_maps(material: Material, size: Size) -> Run:
    """Forward pass of the network on both views, with each view's normalised map of the predicted class."""
    from pointpet.learn.backend import functional

    network, images = _network_and_views(material, size)

    def forward() -> None:
        scores = network(images)
        raw = functional.relu(scores.maps[:, int(scores.logits.mean(0).argmax())])
        drop(raw / raw.amax((1, 2), keepdim=True).clamp_min(1e-12))

    return _timed(forward)


def forward_alone(material: Material, size: Size) -> Run:
    """Forward pass of the same network without any map: means of the features, then the linear layer."""
    from pointpet.learn.backend import functional

    network, images = _network_and_views(material, size)
    weights = network.head.weight[:, :, 0, 0]

    def forward() -> None:
        means = network.features(images).mean((2, 3))
        int((functional.linear(means, weights) + network.bias).mean(0).argmax())

    return _timed(forward)


def _network_and_views(material: Material, size: Size) -> tuple[EightLayerNetwork, torch.Tensor]:
    """The trained network and the whole pictures of both views, one size, as a batch of two."""
    from pointpet.learn.backend import torch
    from pointpet.learn.network import BOTH_VIEWS, EightLayerNetwork
    from pointpet.learn.trained import TrainedNetwork
    from pointpet.pipeline.model_loading import load_model

    trained = getattr(load_model(material.model)[0], "network", None)
    assert isinstance(trained, TrainedNetwork)
    network = trained.networks.networks[BOTH_VIEWS]
    assert isinstance(network, EightLayerNetwork)
    sides = [
        -(-round(side * voxel / trained.settings.input_mm) // network.stride) * network.stride
        for side, voxel in zip(size.voxels, VOXEL_MM, strict=True)
    ]
    images = torch.rand(2, 1, sides[2], sides[0], generator=torch.Generator().manual_seed(SEED))
    return network, images


def _timed(forward: Callable[[], None]) -> Run:
    from pointpet.learn.backend import torch

    def run() -> float:
        with torch.inference_mode():
            started = time.perf_counter()
            for _ in range(FORWARD_REPEATS):
                forward()
            return (time.perf_counter() - started) / FORWARD_REPEATS

    return run


def drop(_: object) -> None:
    """Drop a result: what a run returns is time."""
