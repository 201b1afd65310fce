"""The rotating MIP begins at the coronal one, turns the right way, and keeps every hot spot."""

import numpy as np
import pytest

from pointpet.core import GeometryError, Plane, Volume
from pointpet.project import project
from pointpet.project.rotate import rotating_mips


def _spot(world: tuple[float, float, float], affine: np.ndarray, shape: tuple[int, int, int] = (40, 40, 20)) -> Volume:
    voxels = np.zeros(shape, np.float32)
    index = np.rint(np.linalg.inv(affine)[:3, :3] @ (np.array(world) - affine[:3, 3])).astype(int)
    voxels[tuple(index)] = 5
    return Volume(voxels, affine)


CENTRED = np.array([[4, 0, 0, -78], [0, 4, 0, -78], [0, 0, 4, 0], [0, 0, 0, 1.0]])


def test_the_first_frame_is_the_coronal_mip():
    volume = Volume(np.random.default_rng(1).random((40, 40, 20)).astype(np.float32), CENTRED)
    pictures, centre = rotating_mips(volume, frames=8, pixel_mm=4.0)
    np.testing.assert_array_equal(pictures[0], project(volume, pixel_mm=4.0).picture(Plane.CORONAL))
    np.testing.assert_allclose(centre, [0, 0], atol=1e-9)


def test_a_quarter_turn_shows_the_left_side_and_a_half_turn_the_back():
    """From the patient's left the front lies at the left of the picture; from behind, the left arm does."""
    front = rotating_mips(_spot((2, 62, 40), CENTRED), frames=4)[0]
    left = rotating_mips(_spot((-62, 2, 40), CENTRED), frames=4)[0]
    columns = lambda pictures: [int(picture.max(axis=0).argmax()) for picture in pictures]  # noqa: E731
    middle = 19.5
    assert columns(front)[1] < middle < columns(front)[3]
    assert columns(left)[0] > middle > columns(left)[2]


def test_a_spot_stays_in_its_row_and_in_every_frame():
    pictures, _ = rotating_mips(_spot((30, -22, 16), CENTRED), frames=12)
    assert pictures.shape == (12, 20, 40)
    assert {int(picture.max(axis=1).argmax()) for picture in pictures} == {20 - 1 - 4}
    assert (pictures.max(axis=(1, 2)) == 5).sum() >= 10  # nearest neighbour may step over one voxel at odd angles


def test_an_oblique_volume_gives_what_its_straight_twin_gives():
    spot = _spot((30, -22, 16), CENTRED)
    barely = CENTRED.copy()
    barely[0, 1] = 0.01  # oblique for the grid, not for the picture
    turned = Volume(spot.voxels, barely)
    assert not turned.grid.is_axis_aligned
    straight, oblique = rotating_mips(spot, frames=2)[0][0], rotating_mips(turned, frames=2)[0][0]
    assert abs(int(straight.max(axis=0).argmax()) - int(oblique.max(axis=0).argmax())) <= 1


@pytest.mark.parametrize("frames", [0, 3])
def test_the_number_of_frames_is_even(frames: int):
    with pytest.raises(GeometryError, match=f"needs an even number of frames, got {frames}"):
        rotating_mips(_spot((0, 0, 0), CENTRED), frames=frames)
