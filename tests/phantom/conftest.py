"""Cases and a thorax shared by the phantom's tests: generating one takes a second or two."""

import numpy as np
import pytest

from pointpet.phantom import PhantomCase, generate_case
from pointpet.phantom.shapes import Canvas
from pointpet.phantom.thorax import Thorax, paint_thorax


@pytest.fixture(scope="session")
def lung_case() -> PhantomCase:
    return generate_case(0, patients=1, seed=3, preset="default")


@pytest.fixture(scope="session")
def oesophagus_case() -> PhantomCase:
    return next(
        generate_case(index, patients=2, seed=3, preset="default") for index in (0, 1) if _label(index) == "oesophagus"
    )


def _label(index: int) -> str:
    from pointpet.phantom import assigned_label

    return assigned_label(index, patients=2, seed=3, preset="default")


@pytest.fixture(scope="session")
def chest() -> tuple[Canvas, Thorax]:
    """A canvas of 3 mm with nothing but a thorax, in the reference frame."""
    canvas = Canvas([np.arange(-150, 150, 3.0), np.arange(-115, 115, 3.0), np.arange(290, 720, 3.0)])
    return canvas, paint_thorax(canvas, np.random.default_rng(1), breath_mm=0.0)
