import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointpet.core import GeometryError
from pointpet.learn import TrainingSettings
from pointpet.learn.pictures import Frame, body_box, coarsening, network_input


def body_picture(rows: int = 120, columns: int = 100) -> np.ndarray:
    picture = np.zeros((rows, columns), np.float32)
    picture[20:100, 30:70] = 1.0
    return picture


def test_a_coarse_pixel_is_the_maximum_of_what_it_covers() -> None:
    picture = body_picture()
    picture[50, 41] = 15.0
    values, frame = network_input(picture, 2.0, TrainingSettings(input_mm=4.0))
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert values.max() == 0.5  # SUV 15 under a ceiling of 30
    assert (row + frame.top, column + frame.left) == (25, 20)


def test_suv_is_clipped_to_the_ceiling_and_below_at_zero() -> None:
    picture = body_picture()
    picture[50, 50], picture[50, 60] = 90.0, -3.0
    values, _ = network_input(picture, 4.0, TrainingSettings(input_mm=4.0))
    assert (values.min(), values.max()) == (0.0, 1.0)


def test_the_rectangle_keeps_the_body_and_its_margin() -> None:
    # Body in rows 20 to 99, columns 30 to 69; a margin of 16 mm is 4 pixels of 4 mm.
    assert body_box(body_picture(), 4.0) == (slice(16, 104), slice(26, 74))


def test_single_hot_pixels_in_air_do_not_widen_the_rectangle() -> None:
    picture = body_picture()
    picture[3, 5] = picture[110, 90] = 9.0
    assert body_box(picture, 4.0) == (slice(16, 104), slice(26, 74))


def test_an_empty_picture_is_kept_whole() -> None:
    assert body_box(np.zeros((9, 7), np.float32), 4.0) == (slice(0, 9), slice(0, 7))


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_sides_are_multiples_of_the_stride(stride: int) -> None:
    values, frame = network_input(body_picture(), 2.0, TrainingSettings(input_mm=4.0, cam_stride=stride))
    assert values.shape == (frame.height, frame.width)
    assert frame.height % stride == frame.width % stride == 0


def test_without_cropping_the_whole_picture_goes_in() -> None:
    _, frame = network_input(body_picture(), 4.0, TrainingSettings(input_mm=4.0, crop=False, cam_stride=4))
    assert (frame.top, frame.left, frame.height, frame.width) == (0, 0, 120, 100)


@given(st.integers(1, 4), st.integers(20, 99), st.integers(30, 69))
def test_a_point_follows_its_pixel_into_the_input(factor: int, row: int, column: int) -> None:
    picture = body_picture()
    picture[row, column] = 20.0
    values, frame = network_input(picture, 2.0, TrainingSettings(input_mm=2.0 * factor))
    hottest = np.array(np.unravel_index(values.argmax(), values.shape))
    moved = frame.to_input(np.array([[row, column]], float))[0]
    assert np.abs(moved - hottest).max() <= 0.5


def test_pasting_undoes_the_crop() -> None:
    picture = body_picture()
    values, frame = network_input(picture, 4.0, TrainingSettings(input_mm=4.0))
    np.testing.assert_allclose(frame.paste(values * np.float32(30.0)), picture, rtol=1e-6)


def test_pasting_cuts_what_lies_beyond_the_picture() -> None:
    picture = np.ones((30, 30), np.float32)
    values, frame = network_input(picture, 4.0, TrainingSettings(input_mm=4.0, cam_stride=8))
    assert values.shape == (32, 32)
    np.testing.assert_allclose(frame.paste(np.full((32, 32), 0.5, np.float32)), np.full((30, 30), 0.5))


@pytest.mark.parametrize(
    ("pixel_mm", "input_mm", "factor"), [(2.0, 4.0, 2), (2.0, 2.0, 1), (4.07, 4.0, 1), (4.0, 6.0, 1.5)]
)
def test_coarsening_counts_pixels(pixel_mm: float, input_mm: float, factor: int) -> None:
    assert coarsening(pixel_mm, input_mm) == factor


@pytest.mark.parametrize(("pixel_mm", "input_mm"), [(9.0, 4.0), (4.1, 2.0)])
def test_an_input_finer_than_half_a_pixel_is_refused(pixel_mm: float, input_mm: float) -> None:
    with pytest.raises(GeometryError, match=f"must be at least half its pixel of {pixel_mm:g} mm, got {input_mm:g} mm"):
        coarsening(pixel_mm, input_mm)


# Pixels no larger than the input's: beyond, reading back by nearest neighbour as below would skip cells.
@given(st.floats(2.0, 8.0), st.integers(20, 99), st.integers(30, 69))
def test_any_pixel_size_keeps_hot_pixels_and_their_places(pixel_mm: float, row: int, column: int) -> None:
    picture = body_picture()
    picture[row, column] = 20.0
    values, frame = network_input(picture, pixel_mm, TrainingSettings(input_mm=8.0))
    hottest = np.array(np.unravel_index(values.argmax(), values.shape))
    assert values.max() == pytest.approx(20.0 / 30.0)
    moved = frame.to_input(np.array([[row, column]], float))[0]
    assert np.abs(moved - hottest).max() <= 1.0
    back = frame.paste(_spread(values, frame))
    assert back.shape == picture.shape
    assert back[row - 1 : row + 2, column - 1 : column + 2].max() == values.max()


def _spread(values: np.ndarray, frame: Frame) -> np.ndarray:
    rows, columns = (
        np.minimum((np.arange(n) / frame.factor).astype(int), size - 1)
        for n, size in zip(frame.covered, values.shape, strict=True)
    )
    return values[np.ix_(rows, columns)]
