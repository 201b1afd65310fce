"""The 3D U-Net: what its patches hold, and one short training from patches to a mask on the scan's own grid."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pointpet.core import Mask, Plane, Volume
from pointpet.learn import Example
from pointpet.learn.trained_unet3d import TrainedVolumeUnet
from pointpet.learn.unet3d_train import train_unet3d
from pointpet.learn.unet_settings import UnetSettings
from pointpet.learn.unet_views import MaskedExample
from pointpet.learn.unet_volumes import PatchBatches, PatchValidation, coarse_case, coarse_values, patch_at, patch_start
from pointpet.project import project

CLASSES = ("lung", "oesophagus")
SETTINGS = UnetSettings(
    dimensions=3, cell_mm=8.0, patch_cells=16, features=(4, 4, 8, 8, 16, 4), epochs=2, batch_size=4, patches=2
)
SPACING_MM = (8.0, 8.0, 4.0)


def ball_case(index: int) -> tuple[MaskedExample, Volume]:
    """A tumour in a body: round and high up for `lung`, long and low down for `oesophagus`."""
    random = np.random.default_rng(index)
    label = CLASSES[index % 2]
    grid = np.indices((26, 22, 60)).astype(float) * np.array(SPACING_MM)[:, None, None, None]
    centre = np.array([random.integers(9, 17), random.integers(8, 14), (22 if label == "lung" else 10)]) * 8.0
    radii = np.array([20.0, 20.0, 20.0] if label == "lung" else [12.0, 12.0, 40.0])
    ball = (((grid - centre[:, None, None, None]) / radii[:, None, None, None]) ** 2).sum(axis=0) <= 1
    body = (grid[0] > 16) & (grid[0] < 190) & (grid[1] > 16) & (grid[1] < 160)
    voxels = np.where(body, 1.0, 0.0) + random.gamma(2.0, 0.02, body.shape)
    voxels[ball] = 9.0
    affine = np.diag([*SPACING_MM, 1.0])
    volume = Volume(voxels.astype(np.float32), affine)
    name = f"case{index:02d}"
    return MaskedExample(Example(name, name, project(volume, pixel_mm=4.0), label), Mask(ball, affine)), volume


@pytest.fixture(scope="module")
def pairs():
    return [ball_case(index) for index in range(10)]


@pytest.fixture
def training(quick):
    return SETTINGS.training(quick())


def test_the_coarse_volume_is_cut_to_the_body_and_keeps_its_place(pairs, training) -> None:
    case, volume = pairs[0]
    values, grid = coarse_values(volume, SETTINGS, training)
    assert values.min() >= 0
    assert values.max() == pytest.approx(9 / 30, abs=0.02)
    hot = grid.world(np.argwhere(values > 0.2)).mean(axis=0)
    truth = volume.grid.world(np.argwhere(case.mask.voxels)).mean(axis=0)
    np.testing.assert_allclose(hot, truth, atol=4.0)
    whole, _ = coarse_values(volume, SETTINGS, replace(training, crop=False))
    assert whole.size > values.size
    small = Volume(volume.voxels[:5, :5, :5], volume.affine)
    assert coarse_values(small, SETTINGS, training)[0].shape == (16, 16, 16), "filled up to one patch"


def test_the_target_holds_the_masks_volume(pairs, training) -> None:
    for case, volume in pairs[:3]:
        coarse = coarse_case(case, volume, CLASSES, SETTINGS, training)
        assert coarse.target is not None
        assert coarse.target.sum() * 8.0**3 / 1000 == pytest.approx(case.mask.volume_ml, rel=0.1)
        assert coarse.values[coarse.target > 0.9].min() > 0.2


def test_a_patchs_class_is_known_where_it_shows_the_tumour(pairs, training) -> None:
    case, volume = pairs[1]
    coarse = coarse_case(case, volume, CLASSES, SETTINGS, training)
    shape = coarse.values.shape
    about = patch_at(coarse, patch_start(np.argwhere(coarse.target).mean(axis=0), shape, 16), 16)
    assert about.label == 1
    assert about.target.sum() == pytest.approx(coarse.target.sum())
    away = patch_at(coarse, np.array(shape) - 16, 16)
    assert away.target.sum() < 0.2 * coarse.target.sum()
    assert away.label == -1
    control = replace(coarse, target=np.zeros_like(coarse.target))
    assert patch_at(control, np.array(shape) - 16, 16).label == 1, "a case without lesions shows its class anywhere"
    unknown = replace(coarse, target=None)
    assert patch_at(unknown, np.zeros(3, int), 16).label == -1


def test_an_epoch_has_its_patches_half_of_them_on_tumours(pairs, training) -> None:
    coarse = [coarse_case(case, volume, CLASSES, SETTINGS, training) for case, volume in pairs]
    batches = PatchBatches(coarse, SETTINGS, training, seed=0, epoch=0)
    drawn, again = (torch.cat([batch.targets for batch in batches]) for _ in range(2))
    assert drawn.shape == (20, 1, 16, 16, 16)
    assert len(list(batches)) == len(batches) == 5
    assert (drawn.flatten(1).sum(1) > 0).sum() >= 10
    assert torch.equal(drawn, again)
    other = torch.cat([batch.targets for batch in PatchBatches(coarse, SETTINGS, training, seed=0, epoch=1)])
    assert not torch.equal(drawn, other)


def test_validation_has_two_patches_a_case(pairs, training) -> None:
    coarse = [coarse_case(case, volume, CLASSES, SETTINGS, training) for case, volume in pairs[:3]]
    batches = list(PatchValidation([*coarse[:2], replace(coarse[2], target=None)], SETTINGS))
    assert [len(batch.images) for batch in batches] == [2, 2, 1]
    assert batches[0].known.all()
    assert not batches[2].known.any()


def test_it_learns_and_draws_a_mask_on_the_scans_grid(pairs, quick) -> None:
    settings = replace(SETTINGS, epochs=40, learning_rate=1e-2)
    readers = [(case, lambda volume=volume: volume) for case, volume in pairs]
    network = train_unet3d(readers, settings, quick(), seed=0, classes=CLASSES)
    again = train_unet3d(readers[::-1], settings, quick(), seed=0, classes=CLASSES)
    assert all(np.array_equal(value, again.tensors()[name]) for name, value in network.tensors().items())
    assert network.training["epochs"] == 40
    assert (network.training["training_cases"], network.training["validation_cases"]) == (8, 2)
    stored = TrainedVolumeUnet.from_tensors(network.tensors(), network.record)
    overlaps, right = [], []
    for index in (20, 21, 22, 23):
        case, volume = ball_case(index)
        found = stored.activate_volume(volume, case.example.mips)
        assert found.mask.grid.matches(volume.grid)
        truth = case.mask.voxels
        overlaps.append(2 * (found.mask.voxels & truth).sum() / (found.mask.voxels.sum() + truth.sum()))
        right.append(found.activation.predicted == case.example.label)
        centre = volume.grid.world(np.argwhere(truth)).mean(axis=0)
        for plane in Plane:
            lesion = found.activation.maps[plane]
            assert lesion.values.shape == case.example.mips.values(plane).shape
            u, z = lesion.peak_cell
            peak = lesion.origin_mm[[plane.axis, 2]] + 4.0 * np.array([u, z])
            assert np.linalg.norm(peak - centre[[plane.axis, 2]]) < 24.0
    assert np.mean(overlaps) > 0.7, overlaps
    assert np.mean(right) >= 0.75
