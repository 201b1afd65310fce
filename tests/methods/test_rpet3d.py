import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pointpet.core import ConfigError, Faults, Mask, TrainingError, Volume
from pointpet.methods.base import FitContext
from pointpet.methods.registry import build_method
from pointpet.methods.rpet3d import SUV_CEILING, RpetSettings, build_rpet3d, build_rpet3d_proposed, tumour_patch
from pointpet.methods.rpet3d_network import augment, build_network, fit_networks

SMALL = RpetSettings(cells=16, epochs=25, patience=8, splits=2)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])


def scan(spacing=4.0) -> tuple[Volume, Mask]:
    """A ball of SUV 10 and 20 mm radius in a background of SUV 1."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    shape = (int(160 / spacing),) * 3
    points = np.stack(np.indices(shape), axis=-1) * spacing
    ball = np.linalg.norm(points - 80.0, axis=-1) <= 20
    return Volume(np.where(ball, 10.0, 1.0).astype(np.float32), affine), Mask(ball, affine)


@pytest.mark.parametrize(("margin_cm", "half_mm"), [(0.0, 22.0), (2.0, 42.0), (4.0, 62.0)])
def test_the_patch_shows_the_box_and_its_margin_and_nothing_else(margin_cm, half_mm):
    volume, mask = scan()
    patch = tumour_patch(volume, mask, RpetSettings(margin_cm=margin_cm))
    centres = (np.arange(32) - 15.5) * 4.0
    inside = np.abs(centres) <= half_mm
    assert np.array_equal(patch.any(axis=(1, 2)), inside)
    assert patch.max() == pytest.approx(10 / SUV_CEILING)
    assert patch[15, 15, 15] == pytest.approx(10 / SUV_CEILING)


def test_the_patch_does_not_depend_on_the_scans_grid():
    coarse, fine = (tumour_patch(*scan(spacing), RpetSettings()) for spacing in (4.0, 2.0))
    half = 5 / SUV_CEILING
    assert (coarse > half).sum() == pytest.approx((fine > half).sum(), rel=0.1)


def test_an_empty_mask_shows_nothing():
    volume, mask = scan()
    assert not tumour_patch(volume, Mask(np.zeros_like(mask.voxels), AFFINE), RpetSettings()).any()


def test_a_mask_at_the_border_is_seen_with_nothing_beyond():
    volume, mask = scan()
    moved = Mask(np.roll(mask.voxels, -18, axis=0), AFFINE)
    patch = tumour_patch(volume, moved, RpetSettings())
    assert patch.shape == (32, 32, 32)
    assert np.isfinite(patch).all()


def test_augmented_patches_keep_shape_and_content_and_the_input():
    patch = np.random.default_rng(0).random((16, 16, 16)).astype(np.float32)
    before = patch.copy()
    seen = [augment(patch, np.random.default_rng(seed)) for seed in range(20)]
    assert np.array_equal(patch, before)
    assert {one.shape for one in seen} == {(16, 16, 16)}
    assert not np.array_equal(seen[0], seen[1])


def balls(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Large balls are positive."""
    random = np.random.default_rng(seed)
    truth = np.arange(n) % 2 == 0
    radius = np.linalg.norm(np.indices((16, 16, 16)) - 7.5, axis=0)
    patches = [np.where(radius < 3 + 2.5 * t + random.normal(0, 0.3), 0.4, 0.03) for t in truth]
    return np.array(patches, np.float32), truth


@pytest.fixture(scope="module")
def fitted():
    patches, truth = balls(40, 0)
    return fit_networks(patches, truth, [f"P{i}" for i in range(40)], SMALL, seed=2)


def test_a_size_is_learnt(fitted):
    patches, truth = balls(30, 1)
    assert roc_auc_score(truth, fitted.probabilities(patches)) > 0.95
    assert 0 < fitted.threshold < 1
    assert fitted.parameters == sum(value.numel() for value in build_network(SMALL).parameters())
    assert len(fitted.epochs) == 2
    assert all(1 <= count <= 25 for count in fitted.epochs)
    assert fitted.seconds > 0


def test_the_same_seed_gives_the_same_answers(fitted):
    patches, truth = balls(40, 0)
    again = fit_networks(patches, truth, [f"P{i}" for i in range(40)], SMALL, seed=2)
    assert np.array_equal(again.probabilities(patches), fitted.probabilities(patches))


def test_too_few_patients_of_one_outcome_are_refused():
    patches, truth = balls(10, 0)
    with pytest.raises(TrainingError, match="needs 4 patients of each outcome, got 1 of one"):
        fit_networks(patches, truth, ["A" if t else f"P{i}" for i, t in enumerate(truth)], RpetSettings(), seed=0)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("margin_cm", 4.5, "rpet3d.margin_cm: must be 0 to 4, got 4.5"),
        ("spacing_mm", 0.5, "rpet3d.spacing_mm: must be 1 to 10, got 0.5"),
        ("cells", 20, "rpet3d.cells: must be a multiple of 8, got 20"),
        ("epochs", 0, "rpet3d.epochs: must be 1 or more, got 0"),
        ("patience", 0, "rpet3d.patience: must be 1 or more, got 0"),
        ("batch_size", 1, "rpet3d.batch_size: must be 2 or more, got 1"),
        ("learning_rate", 0.0, "rpet3d.learning_rate: must be over 0, got 0.0"),
        ("dropout", 1.0, "rpet3d.dropout: must be 0 or more and under 1, got 1.0"),
        ("splits", 1, "rpet3d.splits: must be 2 or more, got 1"),
    ],
)
def test_settings_out_of_range_are_refused(name, value, text):
    with pytest.raises(ConfigError, match=text):
        RpetSettings(**{name: value})


def test_several_faults_are_reported_together():
    with pytest.raises(Faults, match=r"2 faults(.|\n)*margin_cm(.|\n)*splits"):
        RpetSettings(margin_cm=-1, splits=0)


def test_both_methods_say_what_they_are_given_and_make_no_masks(tmp_path):
    assert build_method("rpet3d", None, None) == build_rpet3d(None, None)
    assert build_rpet3d(None, None).masks_of == ""
    method = build_method("rpet3d_proposed", None, None)
    assert method == build_rpet3d_proposed(None, None)
    assert method.masks_of == "proposed"
    assert not method.supervision.testing
    with pytest.raises(ConfigError, match="rpet3d_proposed: predicts outcomes inside a study and makes no masks"):
        method.fit([], FitContext(seed=0))
    with pytest.raises(ConfigError, match="Use it with `pointpet study` on a cohort with outcomes"):
        method.load(tmp_path)
