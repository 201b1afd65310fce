"""Bodies in pictures: their grey level and width, whatever the window, the scale and the frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointpet.core import MipPair, Plane
from pointpet.image.picture_body import (
    PLAUSIBLE_LEVEL_SUV,
    TRUNK_MM,
    has_hot_border,
    is_level_plausible,
    picture_body,
    pixel_correction,
    trunk_shares,
)


def body(rows: int = 120, width: int = 60, *, columns: int = 90, level: float = 1.0) -> np.ndarray:
    picture = np.zeros((rows, columns), np.float32)
    left = (columns - width) // 2
    picture[10:, left : left + width] = level
    picture[12:18, columns // 2 - 3 : columns // 2 + 3] = 8 * level
    return picture


def test_level_and_width_of_a_body() -> None:
    found = picture_body(body(level=1.3))
    assert found is not None
    assert (found.level, found.width) == (pytest.approx(1.3), 60)


@given(st.floats(0.01, 1000), st.integers(0, 40))
def test_scale_and_frame_do_not_matter(gain: float, air: int) -> None:
    found = picture_body(np.pad(body() * np.float32(gain), air))
    assert found is not None
    assert found.level == pytest.approx(gain, rel=1e-4)
    assert found.width == 60


def test_a_window_does_not_matter() -> None:
    assert picture_body(np.minimum(body(), 3.0)) == picture_body(body())


def test_faint_air_is_no_body() -> None:
    noisy = body() + np.random.default_rng(0).random((120, 90), np.float32) * 0.1
    found = picture_body(noisy)
    assert found is not None
    assert found.width == 60


@pytest.mark.parametrize("picture", [np.zeros((5, 5)), -np.ones((5, 5))])
def test_no_body_where_nothing_is_over_0(picture: np.ndarray) -> None:
    assert picture_body(picture) is None


def test_plausible_levels() -> None:
    low, high = PLAUSIBLE_LEVEL_SUV
    values = (low / 2, low, 1.2, high, high * 2)
    assert [is_level_plausible(value) for value in values] == [False, True, True, True, False]


def test_a_hot_border_is_air_upside_down() -> None:
    assert has_hot_border(10 - body())
    assert not has_hot_border(body())
    assert not has_hot_border(np.ones((50, 50)))
    assert not has_hot_border(10 - body(columns=15, width=8))


@pytest.mark.parametrize("plane", list(Plane))
def test_a_plausible_pixel_size_is_left_alone(plane: Plane) -> None:
    values = body(width=60).T
    for pixel_mm, correction in ((TRUNK_MM[plane] / 60, 1.0), (TRUNK_MM[plane] / 90, 1.0)):
        pair = MipPair(*(values if view is plane else None for view in Plane), pixel_mm)
        assert pixel_correction(trunk_shares(pair)) == correction
    pair = MipPair(*(values if view is plane else None for view in Plane), 1.0)
    assert pixel_correction(trunk_shares(pair)) == pytest.approx(TRUNK_MM[plane] / 60)


def test_no_picture_asks_for_no_correction() -> None:
    assert pixel_correction([]) == 1.0
    assert trunk_shares(MipPair(np.zeros((4, 4)), None, 1.0)) == []


def test_a_few_odd_pictures_correct_nothing() -> None:
    assert pixel_correction([1.0, 1.1, 0.9, 5.0, 6.0]) == 1.0
