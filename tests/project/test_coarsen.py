"""Block maxima."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointpet.core import GeometryError, MipPair, Plane
from pointpet.project import coarse_pixels, coarsen, coarsen_plane
from pointpet.project.coarsen import resample_plane


def pair(origin: bool = True, shape: tuple[int, int, int] = (5, 7, 9)) -> MipPair:
    rng = np.random.default_rng(0)
    x, y, z = shape
    return MipPair(rng.random((x, z)), rng.random((y, z)), 2.0, np.array([10.0, 20.0, 30.0]) if origin else None)


@given(st.integers(1, 5), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_every_block_holds_its_maximum(factor: int, rows: int, columns: int, binary: bool) -> None:
    values = np.random.default_rng(1).random((rows, columns))
    values = values > 0.8 if binary else values
    coarse = coarsen_plane(values, factor)
    assert coarse.dtype == values.dtype
    assert coarse.shape == (-(-rows // factor), -(-columns // factor))
    for i, j in np.ndindex(coarse.shape):
        assert coarse[i, j] == values[i * factor : (i + 1) * factor, j * factor : (j + 1) * factor].max()


def test_incomplete_blocks_are_filled_with_0() -> None:
    assert coarsen_plane(np.full((3, 2), -1.0), 2).tolist() == [[-1.0], [0.0]]


def test_pixel_size_and_origin() -> None:
    coarse = coarsen(pair(), 2)
    assert coarse.pixel_mm == 4.0
    assert coarse.origin_mm is not None
    # The centre of cells 0 and 1, at 10 and 12 mm.
    assert coarse.origin_mm.tolist() == [11.0, 21.0, 31.0]
    assert coarsen(pair(origin=False), 2).origin_mm is None
    assert np.array_equal(coarsen(pair(), 1).coronal, pair().coronal)


def test_a_missing_view_stays_missing() -> None:
    assert coarsen(MipPair(np.ones((4, 4)), None, 1.0), 2).planes == (Plane.CORONAL,)


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_coarse_pixels_agree_with_the_world(plane: Plane, factor: int) -> None:
    """Through the world and straight from pixel to pixel must be one way."""
    fine = pair()
    points = np.array([[12.0, 24.0, 33.0], [10.0, 20.0, 30.0], [17.5, 31.1, 45.9]])
    through_world = coarsen(fine, factor).pixels(plane, points)
    assert np.allclose(coarse_pixels(fine, plane, fine.pixels(plane, points), factor), through_world)


def test_refuses_a_factor_below_1() -> None:
    with pytest.raises(GeometryError, match="the factor must be 1 or more, got 0"):
        coarsen(pair(), 0)


@given(st.floats(0.5, 4.0), st.integers(1, 30), st.integers(1, 30))
def test_any_ratio_keeps_the_maximum_and_the_places(ratio: float, row: int, column: int) -> None:
    values = np.zeros((32, 32), np.float32)
    values[row, column] = 1.0
    resampled = resample_plane(values, ratio)
    assert resampled.shape == (round(32 / ratio),) * 2
    if ratio >= 1:
        assert resampled.max() == 1.0
    for place in np.argwhere(resampled):
        # Centre of the new pixel in old ones: no farther off than half of both edges together.
        assert np.abs((place + 0.5) * ratio - 0.5 - [row, column]).max() <= (1 + ratio) / 2 + 1e-9


def test_a_whole_ratio_is_the_block_maximum() -> None:
    values = np.random.default_rng(3).random((7, 9))
    np.testing.assert_array_equal(resample_plane(values, 2.0), coarsen_plane(values, 2))


def test_refuses_a_ratio_of_0() -> None:
    with pytest.raises(GeometryError, match="the ratio must be over 0, got 0"):
        resample_plane(np.ones((3, 3)), 0.0)
