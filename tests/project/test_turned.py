"""Views of a patient who has turned: against the turned volume, projected in full."""

import numpy as np
import pytest

from pointpet.core import GeometryError, Plane, Unit, Volume
from pointpet.project import coarsen, project, turned_mips

TURNS = (-25.0, -8.0, 0.0, 16.0, 90.0)


def volume_of(affine: np.ndarray, shape: tuple[int, int, int] = (23, 17, 31), lowest: float = 0.0) -> Volume:
    values = np.random.default_rng(3).uniform(lowest, 9, shape).astype(np.float32)
    return Volume(values, affine, Unit.SUVBW)


def grid(spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> np.ndarray:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


def tilted(affine: np.ndarray) -> np.ndarray:
    angle = 0.2
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return tilt @ affine


@pytest.mark.parametrize("lowest", [0.0, -5.0])
@pytest.mark.parametrize("factor", [1, 3])
@pytest.mark.parametrize(
    "affine",
    [
        grid((4.07, 4.07, 3.27), (-40.3, 12.1, 7.7)),
        grid((1.53, 1.53, 5.1), (3.3, -9.1, 0.4)),
        tilted(grid((4.07, 4.07, 3.27), (-40.3, 12.1, 7.7))),
    ],
    ids=["coarse", "fine", "oblique"],
)
def test_equals_the_projection_of_the_turned_volume(affine: np.ndarray, factor: int, lowest: float) -> None:
    volume = volume_of(affine, lowest=lowest)
    for turn, turned in zip(TURNS, turned_mips(volume, TURNS, pixel_mm=2.0, factor=factor), strict=True):
        reference = coarsen(project(Volume(volume.voxels, turned.matrix @ affine, Unit.SUVBW), pixel_mm=2.0), factor)
        assert turned.mips.pixel_mm == reference.pixel_mm
        np.testing.assert_allclose(turned.mips.origin_mm, reference.origin_mm, atol=1e-9)
        for plane in Plane:
            values, wanted = turned.mips.values(plane), reference.values(plane)
            assert values is not None
            assert wanted is not None
            assert values.shape == wanted.shape
            # Cell centres on the border of two voxels fall to either side by the last bit of the turn.
            assert np.mean(values != wanted) < 0.005, f"{turn} {plane}"


def test_a_point_moves_with_the_spot_it_marks() -> None:
    affine = grid((3.0, 3.0, 3.0), (-60.0, -45.0, 20.0))
    values = np.zeros((41, 31, 25), np.float32)
    values[30, 7, 11] = 5.0
    spot = affine[:3, :3] @ [30, 7, 11] + affine[:3, 3]
    for turned in turned_mips(Volume(values, affine, Unit.SUVBW), TURNS, pixel_mm=2.0, factor=1):
        for plane in Plane:
            row, column = turned.pixels(plane, spot)[0]
            hot = np.argwhere(turned.mips.picture(plane) == 5.0)
            assert np.abs(hot.mean(axis=0) - [row, column]).max() <= 1.0


def test_a_turn_is_counter_clockwise_as_seen_from_the_head() -> None:
    (turned,) = turned_mips(volume_of(grid((2.0, 2.0, 2.0), (0.0, 0.0, 0.0))), [90.0], pixel_mm=2.0, factor=1)
    np.testing.assert_allclose(turned.matrix[:3, :3] @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)


def test_a_factor_of_0_is_refused() -> None:
    oblique = volume_of(tilted(grid((2.0, 2.0, 2.0), (0.0, 0.0, 0.0))))
    with pytest.raises(GeometryError, match="factor must be 1 or more, got 0"):
        turned_mips(oblique, [10.0], pixel_mm=2.0, factor=0)
    with pytest.raises(GeometryError, match="factor must be 1 or more, got 0"):
        turned_mips(volume_of(grid((2.0, 2.0, 2.0), (0.0, 0.0, 0.0))), [10.0], pixel_mm=2.0, factor=0)
