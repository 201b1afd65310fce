"""Crude synthetic MIPs: a blob on noise, round and off the midline for `lung`, long and on it for `oesophagus`."""

from collections.abc import Callable

import numpy as np
import pytest

from pointpet.core import MipPair, Plane, generator
from pointpet.learn import Example, TrainingSettings

CLASSES = ("lung", "oesophagus")
PIXEL_MM = 4.0


def _blob(shape: tuple[int, int], centre: tuple[float, float], sigma: tuple[float, float]) -> np.ndarray:
    u, z = np.mgrid[: shape[0], : shape[1]]
    return 8 * np.exp(-(((u - centre[0]) / sigma[0]) ** 2 + ((z - centre[1]) / sigma[1]) ** 2) / 2)


def make_example(index: int, seed: int = 0) -> Example:
    random = generator(seed, "synthetic", index)
    lung = index % 2 == 0
    x = random.uniform(6, 14) if lung else random.uniform(22, 24)
    y, z = random.uniform(8, 20), random.uniform(10, 45)
    sigma = (2.0, 2.0) if lung else (1.2, 4.0)
    coronal, sagittal = (
        1 + 0.1 * random.standard_normal(shape) + _blob(shape, (across, z), sigma)
        for shape, across in (((46, 56), x), ((30, 56), y))
    )
    mips = MipPair(coronal.astype(np.float32), sagittal.astype(np.float32), PIXEL_MM, np.zeros(3))
    point = np.array([[x, y, z]]) * PIXEL_MM
    name = f"case{index:02d}"
    return Example(name, name, mips, CLASSES[index % 2], {plane: mips.pixels(plane, point) for plane in Plane})


@pytest.fixture(scope="session")
def synthetic() -> Callable[..., list[Example]]:
    return lambda count, seed=0: [make_example(index, seed) for index in range(count)]


@pytest.fixture(scope="session")
def quick() -> Callable[..., TrainingSettings]:
    """Settings for a training of about a second."""

    def settings(**changes: object) -> TrainingSettings:
        base = {"widths": (8,) * 8, "epochs": 3, "batch_size": 8, "patience": 30, "precision": "fp32", "threads": 1}
        return TrainingSettings(**{"input_mm": 4.0, "learning_rate": 5e-3, "validation_share": 0.15, **base, **changes})  # type: ignore[arg-type]

    return settings
