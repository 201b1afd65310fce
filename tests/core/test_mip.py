"""The orientation of pictures: head up, the patient's right on the left of the coronal one, the front on the left."""

import numpy as np
import pytest

from pointpet.core import ActivationMap, GeometryError, MipPair, Plane, from_picture, to_picture

# RAS+: x grows to the patient's right, y to the front, z to the head.
RIGHT, FRONT, HEAD = (3, 0, 0), (0, 4, 0), (0, 0, 5)
SHAPE = (4, 5, 6)


def pair_of(cell: tuple[int, int, int]) -> MipPair:
    volume = np.zeros(SHAPE)
    volume[cell] = 1
    return MipPair(volume.max(axis=1), volume.max(axis=0), 2.0, np.array([10.0, 20.0, 30.0]))


def bright(picture: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(int(picture.argmax()), picture.shape)
    return int(row), int(column)


def test_the_patients_right_is_column_0_of_the_coronal_picture():
    assert bright(pair_of(RIGHT).picture(Plane.CORONAL)) == (5, 0)
    assert bright(pair_of((0, 0, 0)).picture(Plane.CORONAL)) == (5, 3)


def test_the_front_is_column_0_of_the_sagittal_picture():
    assert bright(pair_of(FRONT).picture(Plane.SAGITTAL)) == (5, 0)
    assert bright(pair_of((0, 0, 0)).picture(Plane.SAGITTAL)) == (5, 4)


def test_the_head_is_row_0():
    assert bright(pair_of(HEAD).picture(Plane.CORONAL))[0] == 0
    assert bright(pair_of(HEAD).picture(Plane.SAGITTAL))[0] == 0


@pytest.mark.parametrize("cell", [(0, 0, 0), (3, 4, 5), (1, 3, 2), (2, 0, 4)])
@pytest.mark.parametrize("plane", list(Plane))
def test_a_world_point_falls_on_the_pixel_that_shows_it(cell, plane):
    pair = pair_of(cell)
    point = np.array([10.0, 20.0, 30.0]) + 2.0 * np.array(cell)
    np.testing.assert_allclose(pair.pixels(plane, point)[0], bright(pair.picture(plane)))


def test_from_picture_undoes_to_picture():
    values = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(from_picture(to_picture(values)), values)
    assert to_picture(values).shape == (4, 3)


def test_ready_made_pictures_have_no_world():
    with pytest.raises(GeometryError, match="has no world coordinates"):
        MipPair(np.ones((3, 4)), None, 1.0).pixels(Plane.CORONAL, np.zeros(3))


def test_a_missing_view_is_named():
    pair = MipPair(np.ones((3, 4)), None, 1.0)
    assert pair.planes == (Plane.CORONAL,)
    with pytest.raises(GeometryError, match="sagittal MIP: is needed, the pair has none"):
        pair.picture(Plane.SAGITTAL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, None, 2.0), "needs at least one view"),
        ((np.ones((3, 4)), None, 0.0), "pixel_mm must be over 0, got 0.0"),
        ((np.ones(3), None, 2.0), r"coronal MIP: must be 2D, got \(3,\)"),
        ((np.ones((3, 4)), np.ones((3, 5)), 2.0, np.zeros(3)), "both views of one volume must share z"),
    ],
)
def test_a_pair_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(GeometryError, match=message):
        MipPair(*arguments)


@pytest.mark.parametrize("values", [np.full((2, 2), 1.1), np.full((2, 2), -0.1), np.full((2, 2), np.nan), np.ones(3)])
def test_a_map_lies_in_0_to_1(values):
    with pytest.raises(GeometryError, match=r"must be 2D with values in \[0, 1\]"):
        ActivationMap(values, Plane.CORONAL, "lung", 2.0)


def test_the_peak_is_the_highest_cell():
    values = np.zeros((3, 4))
    values[2, 1] = 1
    assert ActivationMap(values, Plane.CORONAL, "lung", 2.0).peak_cell == (2, 1)


def test_values_cannot_be_changed():
    pair = pair_of(HEAD)
    with pytest.raises(ValueError, match="read-only"):
        pair.coronal[0, 0] = 5
