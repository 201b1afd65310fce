import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion

from pointpet.core import GeometryError, Mask
from pointpet.evaluate.overlap import compare_masks, compare_pictures, dice, require_shapes_match


def affine(*spacing_mm: float) -> np.ndarray:
    return np.diag([*spacing_mm, 1.0])


def blob(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> np.ndarray:
    axes = np.meshgrid(*[np.arange(n) - c for n, c in zip(shape, centre, strict=True)], indexing="ij")
    return sum(axis**2 for axis in axes) <= radius**2


def slow_surface_distances(found: np.ndarray, true: np.ndarray, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of surface voxels, one by one: the exact form."""
    points = [np.argwhere(voxels & ~binary_erosion(voxels)) * spacing for voxels in (found, true)]
    pairs = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
    return pairs.min(axis=1), pairs.min(axis=0)


def test_a_box_shifted_by_one_voxel_has_the_values_of_hand():
    true, found = np.zeros((2, 8, 8, 8), bool)
    true[2:4, 2:4, 2:4] = True
    found[3:5, 2:4, 2:4] = True
    scores = compare_masks(Mask(found, affine(2, 2, 2)), Mask(true, affine(2, 2, 2)))
    assert scores.dice == pytest.approx(0.5)
    assert scores.sensitivity == pytest.approx(0.5)
    assert scores.nsd == 1.0  # every surface voxel is 0 or 2 mm away
    assert scores.hd95_mm == pytest.approx(2.0)
    assert scores.fp_ml == pytest.approx(4 * 0.008)
    assert scores.fn_ml == pytest.approx(4 * 0.008)
    assert scores.volume_ml == pytest.approx(0.064)
    assert scores.truth_ml == pytest.approx(0.064)


def test_a_mask_equals_itself():
    mask = Mask(blob((12, 12, 12), (5, 6, 7), 4), affine(4, 4, 3))
    scores = compare_masks(mask, mask)
    assert (scores.dice, scores.nsd, scores.hd95_mm, scores.sensitivity) == (1.0, 1.0, 0.0, 1.0)
    assert (scores.fp_ml, scores.fn_ml) == (0.0, 0.0)


def test_an_empty_prediction_scores_the_worst_and_is_counted():
    true = Mask(blob((10, 20, 30), (5, 9, 9), 3), affine(4, 3, 2))
    scores = compare_masks(Mask(np.zeros((10, 20, 30), bool), true.affine), true)
    assert (scores.dice, scores.nsd, scores.sensitivity) == (0.0, 0.0, 0.0)
    assert scores.hd95_mm == pytest.approx(np.linalg.norm([40, 60, 60]))
    assert scores.fn_ml == pytest.approx(true.volume_ml)


def test_an_empty_truth_leaves_only_false_positives():
    found = Mask(blob((10, 10, 10), (5, 5, 5), 2), affine(2, 2, 2))
    empty = Mask(np.zeros((10, 10, 10), bool), found.affine)
    for prediction, volume in ((found, found.volume_ml), (empty, 0.0)):
        scores = compare_masks(prediction, empty)
        assert (scores.dice, scores.nsd, scores.hd95_mm, scores.sensitivity) == (None,) * 4
        assert scores.fp_ml == pytest.approx(volume)
        assert scores.fn_ml == 0.0
    assert dice(empty, empty) is None


def test_the_border_of_the_image_is_a_surface():
    whole = Mask(np.ones((5, 5, 5), bool), affine(1, 1, 1))
    core = np.zeros((5, 5, 5), bool)
    core[2, 2, 2] = True
    # The whole's surface lies 2 to sqrt(12) mm from the core, the core 2 mm from the whole's surface.
    scores = compare_masks(whole, Mask(core, whole.affine))
    assert scores.hd95_mm == pytest.approx(np.sqrt(12.0))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), spacing=st.tuples(*[st.sampled_from([1.0, 2.0, 3.27, 4.07])] * 3))
def test_against_the_slow_exact_form(seed, spacing):
    random = np.random.default_rng(seed)
    found, true = (blob((11, 9, 13), random.uniform(2, 8, 3), random.uniform(1, 4)) for _ in range(2))
    found ^= random.random(found.shape) < 0.02
    if not true.any() or not found.any():
        return
    to_truth, to_found = slow_surface_distances(found, true, np.array(spacing))
    scores = compare_masks(Mask(found, affine(*spacing)), Mask(true, affine(*spacing)))
    assert scores.hd95_mm == pytest.approx(max(np.percentile(to_truth, 95), np.percentile(to_found, 95)))
    assert scores.nsd == pytest.approx(np.mean(np.concatenate([to_truth, to_found]) <= 2.0))
    assert scores.dice == pytest.approx(2 * (found & true).sum() / (found.sum() + true.sum()))


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (4.07, 4.07, 3.0)])
def test_against_monai(spacing):
    metrics = pytest.importorskip("monai.metrics")
    import torch

    random = np.random.default_rng(3)
    true = blob((30, 28, 26), (14, 13, 12), 7) & (random.random((30, 28, 26)) > 0.05)
    found = blob((30, 28, 26), (16, 12, 13), 6)
    tensors = [torch.from_numpy(voxels[None, None].astype(np.float32)) for voxels in (found, true)]
    scores = compare_masks(Mask(found, affine(*spacing)), Mask(true, affine(*spacing)))
    hd95 = metrics.compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=spacing)
    nsd = metrics.compute_surface_dice(*tensors, class_thresholds=[2.0], include_background=True, spacing=spacing)
    assert scores.hd95_mm == pytest.approx(float(hd95), abs=1e-4)
    assert scores.nsd == pytest.approx(float(nsd), abs=1e-6)


def test_distances_do_not_depend_on_the_orientation():
    found, true = blob((20, 20, 20), (9, 9, 9), 4), blob((20, 20, 20), (11, 10, 9), 5)
    angle = 0.3
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    straight, oblique = affine(2, 3, 4), turn @ affine(2, 3, 4)
    first = compare_masks(Mask(found, straight), Mask(true, straight))
    second = compare_masks(Mask(found, oblique), Mask(true, oblique))
    assert second.hd95_mm == pytest.approx(first.hd95_mm)
    assert second.nsd == pytest.approx(first.nsd)


def test_masks_on_different_grids_are_refused():
    voxels = np.ones((4, 4, 4), bool)
    with pytest.raises(GeometryError, match=r"predicted mask: must lie on the truth's grid \(4, 4, 4\) at \[1"):
        compare_masks(Mask(voxels, affine(2, 2, 2)), Mask(voxels, affine(1, 1, 1)))
    with pytest.raises(GeometryError, match="Resample one onto the other"):
        dice(Mask(voxels, affine(1, 1, 1)), Mask(np.ones((4, 4, 5), bool), affine(1, 1, 1)))


def test_pictures():
    true, found = np.zeros((2, 10, 12), bool)
    true[2:6, 3:7] = True
    found[3:7, 3:7] = True
    scores = compare_pictures(found, true, pixel_mm=4.0)
    assert scores.dice == pytest.approx(0.75)
    assert scores.hd95_mm == pytest.approx(4.0)
    assert scores.fp_ml is None
    assert compare_pictures(np.zeros_like(true), true, 4.0).hd95_mm == pytest.approx(4 * np.hypot(10, 12))


def test_pictures_of_different_shapes_are_refused():
    with pytest.raises(GeometryError, match=r"picture mask: must have the truth's shape \(4, 5\), got \(4, 4\)"):
        compare_pictures(np.ones((4, 4), bool), np.ones((4, 5), bool), 1.0)
    with pytest.raises(GeometryError, match="map: must have"):
        require_shapes_match("map", (1, 2), (2, 1))


def test_a_whole_body_takes_a_moment():
    shape = (168, 168, 400)
    true = blob((60, 60, 60), (30, 30, 30), 9)
    voxels, prediction = np.zeros((2, *shape), bool)
    voxels[60:120, 50:110, 200:260] = true
    prediction[60:120, 52:112, 201:261] = blob((60, 60, 60), (30, 30, 30), 14)
    prediction[60:120, 60:120, 20:80] |= blob((60, 60, 60), (30, 30, 30), 25)
    prediction[60:120, 60:120, 340:400] |= blob((60, 60, 60), (30, 30, 30), 29)
    masks = [Mask(array, affine(4.07, 4.07, 3)) for array in (prediction, voxels)]
    durations = []
    for _ in range(3):
        start = time.process_time()
        compare_masks(*masks)
        durations.append(time.process_time() - start)
    print(f"compare_masks, 168 x 168 x 400, three large organs predicted: {min(durations) * 1e3:.0f} ms")
    assert min(durations) < 1.0  # measured 0.1 s alone on one core; other work may share it
