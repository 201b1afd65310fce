import numpy as np
import pytest
import torch

from pointpet.learn import TrainingSettings
from pointpet.learn.augment import augmented, bent

STILL = {"flip": False, "shift_mm": 0.0, "scale": 0.0, "intensity": 0.0, "gamma": 0.0, "noise": 0.0}


def batch(count: int = 32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Views of 40 x 30 in a canvas of 44 x 36, with a smooth spot on the point."""
    random = np.random.default_rng(5)
    points = torch.from_numpy(random.uniform((12, 10), (28, 20), (count, 2))).float()
    rows, columns = torch.arange(44.0)[:, None], torch.arange(36.0)[None]
    squared = (rows - points[:, :1, None]) ** 2 + (columns - points[:, 1:, None]) ** 2
    images = torch.exp(-squared / 8)
    images[:, 40:] = images[:, :, 30:] = 0
    return images[:, None], torch.tensor([[40, 30]] * count), points[:, None]


def run(coronal: bool = True, **changes: object) -> tuple[torch.Tensor, torch.Tensor]:
    images, sizes, points = batch()
    settings = TrainingSettings(input_mm=4.0, **{**STILL, **changes})  # type: ignore[arg-type]
    return augmented(
        images,
        sizes,
        points,
        torch.full((len(images),), coronal),
        settings=settings,
        random=np.random.default_rng(0),
    )


def centres(images: torch.Tensor) -> torch.Tensor:
    """Centre of mass of each picture, (B, 2)."""
    rows, columns = torch.arange(44.0)[:, None], torch.arange(36.0)[None]
    mass = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
    return torch.stack([(mass * rows).sum((1, 2)), (mass * columns).sum((1, 2))], dim=1)


def test_nothing_asked_changes_nothing() -> None:
    images, _, points = batch()
    result, moved = run()
    torch.testing.assert_close(result, images, atol=1e-5, rtol=0)
    torch.testing.assert_close(moved, points)


@pytest.mark.parametrize("changes", [{"flip": True}, {"shift_mm": 16.0}, {"scale": 0.2}, {"flip": True, "scale": 0.1}])
def test_the_points_move_with_the_pictures(changes: dict) -> None:
    _, _, points = batch()
    result, moved = run(**changes)
    assert (moved - points).abs().max() > 1.0
    torch.testing.assert_close(centres(result), moved[:, 0], atol=0.05, rtol=0)


def test_mirroring_takes_half_of_the_coronal_views_and_no_sagittal_one() -> None:
    _, _, points = batch()
    _, moved = run(flip=True)
    mirrored = (moved[:, 0, 1] - (29 - points[:, 0, 1])).abs() < 1e-4
    assert 8 <= mirrored.sum() <= 24
    _, moved = run(coronal=False, flip=True)
    torch.testing.assert_close(moved, points)


def test_a_view_whose_point_would_leave_it_stays() -> None:
    images, _, points = batch()
    _, moved = run(shift_mm=400.0)
    kept = (moved == points).all(2)[:, 0]
    assert kept.sum() > len(images) / 2
    assert (moved >= -0.5).all()
    assert (moved <= torch.tensor([39.5, 29.5])).all()


def test_the_padding_stays_empty() -> None:
    result, _ = run(shift_mm=40.0)
    assert result[:, :, 40:].abs().max() == 0
    assert result[:, :, :, 30:].abs().max() == 0


def test_intensity_scales_the_whole_view_and_noise_its_pixels() -> None:
    images, _, _ = batch()
    result, _ = run(intensity=0.3)
    peaks = result.amax((1, 2, 3)) / images.amax((1, 2, 3))
    assert 0.6 < peaks.min() < 0.9
    noisy, _ = run(noise=0.1)
    ratio = noisy[images > 0.3] / images[images > 0.3]
    assert ratio.std() == pytest.approx(0.1, rel=0.2)


def test_filling_points_stay_filling() -> None:
    images, sizes, points = batch(2)
    points = torch.cat([points, torch.full_like(points, torch.nan)], dim=1)
    _, moved = augmented(
        images,
        sizes,
        points,
        torch.ones(2, dtype=torch.bool),
        settings=TrainingSettings(input_mm=4.0),
        random=np.random.default_rng(0),
    )
    assert torch.isnan(moved[:, 1]).all()
    assert torch.isfinite(moved[:, 0]).all()


def test_a_bent_curve_of_grey_keeps_the_bodys_level_and_the_order_of_uptake() -> None:
    settings = TrainingSettings(suv_ceiling=10.0, gamma=0.25)
    suv = torch.tensor([0.0, 0.4, 1.2, 2.4, 4.8]).expand(64, 1, 1, 5)
    result = 10 * bent(suv / 10, settings, np.random.default_rng(2))[:, 0, 0]
    torch.testing.assert_close(result[:, [0, 2]], torch.tensor([0.0, 1.2]).expand(64, 2))
    assert (result.diff(dim=1) > 0).all()
    # 2 and 4 times the body's level are raised to one power, whose logarithm has the deviation asked for.
    powers = torch.log(result[:, 3] / 1.2) / np.log(2)
    torch.testing.assert_close(torch.log(result[:, 4] / 1.2) / np.log(4), powers)
    assert 0.2 < powers.log().std() < 0.3
    assert abs(powers.log().mean()) < 0.1


def test_without_it_nothing_is_drawn() -> None:
    random, untouched = np.random.default_rng(2), np.random.default_rng(2)
    images = torch.rand(3, 1, 4, 4)
    assert bent(images, TrainingSettings(), random) is images
    assert random.random() == untouched.random()


def test_a_batch_is_bent() -> None:
    plain, _ = run()
    result, _ = run(gamma=0.25)
    assert (result - plain).abs().max() > 0.05
