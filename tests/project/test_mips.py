"""Projections against a plain three-dimensional reference, cell by cell.

The reference knows nothing of the code: it takes every cell's centre, finds the voxel that it lies in by the inverse
affine, builds the whole isotropic volume, and only then takes the maxima.
"""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from pointpet.core import GeometryError, Grid, Mask, Plane, Volume
from pointpet.project import mips as mips_module
from pointpet.project import project, project_mask, projection_grid


def isotropic_reference(voxels: NDArray, affine: NDArray, pixel_mm: float) -> tuple[NDArray, NDArray]:
    """The resampled volume and the world centre of its first cell, by brute force."""
    faces = [np.array(corner) - 0.5 for corner in itertools.product(*[(0, n) for n in voxels.shape])]
    corners = np.array([(affine @ [*face, 1])[:3] for face in faces])
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = [max(1, int(np.ceil((high[i] - low[i]) / pixel_mm - 1e-4))) for i in range(3)]
    cells = np.zeros(counts, voxels.dtype)
    inverse = np.linalg.inv(affine)
    for cell in np.ndindex(*counts):
        centre = low + (np.array(cell) + 0.5) * pixel_mm
        voxel = np.floor((inverse @ [*centre, 1])[:3] + 0.5 + 1e-4).astype(int)
        if (voxel >= 0).all() and (voxel < voxels.shape).all():
            cells[cell] = voxels[tuple(voxel)]
    return cells, low + pixel_mm / 2


shapes = st.tuples(*[st.integers(1, 9)] * 3)
steps = st.tuples(*[st.floats(0.7, 6.0)] * 3)
round_steps = st.tuples(*[st.sampled_from([1.0, 2.0, 3.0, 4.0, 4.0625, 5.46875])] * 3)
origins = st.tuples(*[st.floats(-300, 300)] * 3)
round_origins = st.tuples(*[st.sampled_from([-100.0, 0.0, 0.5, 1.0])] * 3)
pixels = st.sampled_from([1.5, 2.0, 3.0, 4.0])


def random_voxels(shape: tuple[int, ...], seed: int, order: str = "C") -> NDArray[np.float32]:
    values = np.random.default_rng(seed).normal(0.3, 1.0, shape).astype(np.float32)
    return np.asarray(values, order=order)  # type: ignore[arg-type]


def aligned(step: tuple, origin: tuple) -> NDArray:
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = origin
    return affine


def assert_equals_reference(voxels: NDArray, affine: NDArray, pixel_mm: float) -> None:
    mips = project(Volume(voxels, affine), pixel_mm=pixel_mm)
    cells, origin = isotropic_reference(voxels, affine, pixel_mm)
    assert mips.coronal is not None
    assert mips.sagittal is not None
    assert mips.origin_mm is not None
    assert np.array_equal(mips.coronal, cells.max(axis=1))
    assert np.array_equal(mips.sagittal, cells.max(axis=0))
    assert np.allclose(mips.origin_mm, origin, atol=1e-9)
    assert mips.pixel_mm == pixel_mm


@settings(max_examples=80, deadline=None)
@given(shapes, steps, origins, pixels, st.integers(0, 99), st.sampled_from("CF"))
def test_axis_aligned_equals_the_reference(
    shape: tuple, step: tuple, origin: tuple, pixel_mm: float, seed: int, order: str
) -> None:
    assert_equals_reference(random_voxels(shape, seed, order), aligned(step, origin), pixel_mm)


@settings(max_examples=80, deadline=None)
@given(shapes, round_steps, round_origins, pixels, st.integers(0, 99))
def test_ties_on_voxel_borders_equal_the_reference(
    shape: tuple, step: tuple, origin: tuple, pixel_mm: float, seed: int
) -> None:
    assert_equals_reference(random_voxels(shape, seed), aligned(step, origin), pixel_mm)


@settings(max_examples=60, deadline=None)
@given(shapes, steps, origins, pixels, st.tuples(*[st.floats(-3.2, 3.2)] * 3), st.booleans(), st.booleans())
def test_oblique_flipped_and_sheared_equal_the_reference(
    shape: tuple, step: tuple, origin: tuple, pixel_mm: float, angles: tuple, flipped: bool, sheared: bool
) -> None:
    affine = aligned(step, origin)
    affine[:3, :3] = Rotation.from_euler("xyz", angles).as_matrix() @ affine[:3, :3]
    if flipped:
        affine[:3, 0] *= -1
    if sheared:
        affine[:3, 1] += 0.3 * affine[:3, 2]
    assert_equals_reference(random_voxels(shape, 7), affine, pixel_mm)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_permuted_and_flipped_voxel_orders_give_the_upright_pictures(axes: tuple[int, ...]) -> None:
    # Sizes of which no multiple meets a cell's centre: on a border the upper voxel along its own axis is taken.
    voxels, affine = random_voxels((4, 5, 6), 3), aligned((3.1, 4.3, 5.7), (-7.0, 8.0, 9.0))
    upright = project(Volume(voxels, affine))
    permuted = affine[:, [*axes, 3]].copy()
    turned = np.transpose(voxels, axes)[::-1]
    permuted[:3, 3] += permuted[:3, 0] * (turned.shape[0] - 1)
    permuted[:3, 0] *= -1
    mips = project(Volume(turned, permuted))
    assert np.array_equal(mips.coronal, upright.coronal)
    assert np.array_equal(mips.sagittal, upright.sagittal)


def test_a_whole_volume_equals_scipy() -> None:
    """A second, independent reference at real size: SciPy's nearest neighbour of the full 2 mm volume."""
    affine = aligned((4.07283, 4.07283, 3.0), (-340.0, -330.0, -900.0))
    voxels = random_voxels((60, 60, 80), 1)
    mips = project(Volume(voxels, affine))
    grid = projection_grid(Grid(voxels.shape, affine), 2.0)
    first = (grid.affine[:3, 3] - affine[:3, 3]) / np.diag(affine)[:3]
    full = ndimage.affine_transform(
        voxels, 2.0 / np.diag(affine)[:3], first, output_shape=grid.shape, order=0, mode="grid-constant"
    )
    assert np.array_equal(mips.coronal, full.max(axis=1))
    assert np.array_equal(mips.sagittal, full.max(axis=0))


def test_a_known_picture() -> None:
    """One hot voxel of 4 mm in an 8 x 8 x 12 mm volume: 2 x 2 pixels of 2 mm, where its world coordinates say."""
    voxels = np.zeros((2, 2, 4), np.float32)
    voxels[1, 0, 2] = 5.0
    mips = project(Volume(voxels, aligned((4.0, 4.0, 3.0), (0.0, 0.0, 0.0))))
    assert mips.origin_mm is not None
    assert mips.origin_mm.tolist() == [-1.0, -1.0, -0.5]
    assert mips.coronal is not None
    assert mips.sagittal is not None
    assert mips.coronal.shape == mips.sagittal.shape == (4, 6)
    # z from 4.5 to 7.5 mm holds the centres 5.5 (cell 3) and, on its border, none of 3.5 and 7.5 but the lower one.
    assert np.argwhere(mips.coronal == 5.0).tolist() == [[2, 3], [3, 3]]
    assert np.argwhere(mips.sagittal == 5.0).tolist() == [[0, 3], [1, 3]]
    picture = mips.picture(Plane.CORONAL)
    row, column = mips.pixels(Plane.CORONAL, np.array([[4.0, 0.0, 6.0]]))[0]
    assert picture[round(row), int(column)] == 5.0


def test_negative_values_stay_inside_and_are_0_where_the_ray_leaves_the_volume() -> None:
    voxels = np.full((3, 3, 3), -1.0, np.float32)
    inside = project(Volume(voxels, aligned((2.0, 2.0, 2.0), (0, 0, 0))))
    assert (inside.coronal == -1).all()
    reaching_out = project(Volume(voxels, aligned((2.2, 2.2, 2.2), (0, 0, 0))))
    assert (reaching_out.coronal == 0).all()


def test_one_thin_layer_that_holds_no_cell_centre_is_0() -> None:
    mips = project(Volume(np.ones((5, 1, 5), np.float32), aligned((4.0, 0.5, 4.0), (0, 0, 0))), pixel_mm=2.0)
    assert (mips.coronal == 0).all()
    assert (mips.sagittal == 0).all()


def test_linear_of_a_ramp_is_the_ramp() -> None:
    """Linear interpolation reproduces a linear function between the outermost voxel centres."""
    affine = aligned((4.0, 4.0, 5.0), (10.0, 20.0, 30.0))
    grid = Grid((8, 9, 10), affine)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1).reshape(-1, 3)
    slopes = np.array([1.0, -2.0, 0.5])
    ramp = (grid.world(index) @ slopes).reshape(grid.shape)
    mips = project(Volume(ramp, affine), interpolation="linear")
    assert mips.coronal is not None
    assert mips.origin_mm is not None
    cells = projection_grid(grid, 2.0)
    x, z = cells.world(np.stack([np.arange(15)] * 3, 1))[:, [0, 2]].T
    highest_y = 20.0  # the slope along y is negative: the maximum is at the first voxel centre, held to the edge
    expected = np.clip(x, 10, 38)[:, None] * slopes[0] + highest_y * slopes[1] + np.clip(z, 30, 75)[None] * slopes[2]
    assert np.allclose(mips.coronal[:15, :15], expected, atol=1e-3)


def test_linear_of_an_oblique_volume_equals_that_of_scipy() -> None:
    voxels = ndimage.gaussian_filter(np.random.default_rng(2).random((14, 15, 16)), 1.5).astype(np.float32)
    affine = aligned((3.0, 3.5, 4.0), (5.0, -6.0, 7.0))
    affine[:3, :3] = Rotation.from_euler("xyz", [0.2, -0.3, 0.4]).as_matrix() @ affine[:3, :3]
    padded = np.pad(voxels, 1, mode="edge")
    cells = projection_grid(Grid(voxels.shape, affine), 2.0)
    index = np.stack(np.meshgrid(*map(np.arange, cells.shape), indexing="ij"), -1).reshape(-1, 3)
    places = Grid(voxels.shape, affine).indices(cells.world(index)).T
    full = ndimage.map_coordinates(padded, places + 1, order=1).reshape(cells.shape)
    within = (places > -0.5) & (places < np.array(voxels.shape)[:, None] - 0.5)
    full[~within.all(axis=0).reshape(cells.shape)] = 0
    mips = project(Volume(voxels, affine), interpolation="linear")
    assert np.allclose(mips.coronal, full.max(axis=1), atol=2e-4)
    assert np.allclose(mips.sagittal, full.max(axis=0), atol=2e-4)


def test_slabs_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    affine = aligned((3.0, 3.0, 3.0), (0, 0, 0))
    affine[:3, :3] = Rotation.from_euler("x", 0.3).as_matrix() @ affine[:3, :3]
    volume = Volume(random_voxels((12, 13, 14), 5), affine)
    whole = project(volume, interpolation="linear")
    monkeypatch.setattr("pointpet.project.mips._SLAB_CELLS", 1)
    sliced = project(volume, interpolation="linear")
    assert np.allclose(whole.coronal, sliced.coronal, atol=1e-6)
    assert np.allclose(whole.sagittal, sliced.sagittal, atol=1e-6)


def test_threads_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(random_voxels((23, 19, 41), 5), aligned((2.5, 2.1, 1.7), (0, 0, 0)))
    whole = project(volume)
    threads = []
    in_threads = mips_module._in_threads

    def watched(fill, length: int, **given: int) -> None:
        threads.append(given["threads"])
        in_threads(fill, length, **given)

    monkeypatch.setattr(mips_module, "_in_threads", watched)
    monkeypatch.setattr(mips_module, "_THREAD_BYTES", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)))
    apart = project(volume)
    assert threads == [4]
    assert np.array_equal(whole.coronal, apart.coronal)
    assert np.array_equal(whole.sagittal, apart.sagittal)


@settings(max_examples=40, deadline=None)
@given(shapes, steps, pixels, st.booleans(), st.floats(0, 1))
def test_a_mask_falls_on_the_pixels_of_its_volume(
    shape: tuple, step: tuple, pixel_mm: float, oblique: bool, share: float
) -> None:
    affine = aligned(step, (1.0, 2.0, 3.0))
    if oblique:
        affine[:3, :3] = Rotation.from_euler("xyz", [0.1, 0.2, 0.3]).as_matrix() @ affine[:3, :3]
    voxels = np.random.default_rng(0).random(shape) < share
    pictures = project_mask(Mask(voxels, affine), pixel_mm=pixel_mm)
    mips = project(Volume(voxels.astype(np.float32), affine), pixel_mm=pixel_mm)
    assert pictures[Plane.CORONAL].dtype == bool
    assert np.array_equal(pictures[Plane.CORONAL], mips.coronal == 1)
    assert np.array_equal(pictures[Plane.SAGITTAL], mips.sagittal == 1)


def test_the_input_is_left_alone() -> None:
    voxels = random_voxels((5, 5, 5), 0)
    before = voxels.copy()
    project(Volume(voxels, aligned((3.0, 3.0, 3.0), (0, 0, 0))))
    assert np.array_equal(voxels, before)


def test_speed_on_a_whole_body() -> None:
    volume = Volume(random_voxels((168, 168, 400), 0, "F"), np.diag([4.07, 4.07, 3.0, 1.0]))
    times = []
    for _ in range(5):
        start = time.process_time()
        project(volume)
        times.append(time.process_time() - start)
    # 10 ms on two idle cores; the full three-dimensional way takes over 280 ms.
    assert min(times) < 0.1


def test_refusals() -> None:
    volume = Volume(np.ones((2, 2, 2), np.float32), np.eye(4))
    for pixel_mm in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(GeometryError, match=f"pixel_mm must be over 0, got {pixel_mm}"):
            project(volume, pixel_mm=pixel_mm)
    with pytest.raises(GeometryError, match="interpolation must be nearest or linear, got 'cubic'"):
        project(volume, interpolation="cubic")  # type: ignore[arg-type]
