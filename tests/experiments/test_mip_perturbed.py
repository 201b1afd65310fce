"""How `experiments/mip_perturbed.py` changes a picture, and that its mask goes along."""

from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def script(experiment) -> ModuleType:
    return experiment("mip_perturbed")


@pytest.fixture
def heat() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (100, 50)).astype(np.uint8)


@pytest.fixture
def seen(script):
    def look(picture: np.ndarray, kind: str, *, inverted: bool = False) -> np.ndarray:
        return script.changed(picture, kind, np.random.default_rng(1), inverted=inverted)

    return look


def test_dark_is_hot_changes_as_bright_is_hot(script, seen, heat):
    for kind in script.KINDS:
        np.testing.assert_array_equal(255 - seen(255 - heat, kind, inverted=True), seen(heat, kind))


def test_a_window_saturates_or_leaves_room(seen, heat):
    assert (seen(heat, "window x 0.3") == 255).mean() == pytest.approx((heat >= 76.5).mean(), abs=0.01)
    assert seen(heat, "window x 3").max() == round(heat.max() / 3)
    np.testing.assert_array_equal(seen(heat, "as it is"), heat)


def test_a_bent_curve_keeps_black_and_white(seen):
    ends = np.array([[0, 51, 255]], np.uint8)
    assert seen(ends, "gamma 1.5").tolist() == [[0, round(255 * 0.2**1.5), 255]]
    assert seen(ends, "gamma 0.67").tolist() == [[0, round(255 * 0.2**0.67), 255]]


def test_a_mask_is_cut_and_mirrored_as_its_picture_and_never_gets_other_values(script, seen, heat):
    mask = heat > 150
    for kind in script.KINDS:
        found = seen(mask, kind)
        assert found.dtype == bool
        np.testing.assert_array_equal(found, mask if kind in script.GREY else seen(heat, kind) > 150)
        assert (found.shape != mask.shape) == (kind in script.CUTS)
