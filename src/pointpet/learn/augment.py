"""Augmentation of a batch: mirror, shift, scale, curve of grey, intensity, noise; the points move with the pictures.

Mirroring swaps left and right, which is legitimate for a coronal view; a sagittal one has a front.
"""

from __future__ import annotations

import numpy as np

from pointpet.image.picture_body import BODY_LEVEL_SUV
from pointpet.learn.backend import functional, torch
from pointpet.learn.network import cells_exist
from pointpet.learn.settings import TrainingSettings


def augmented(
    images: torch.Tensor,
    sizes: torch.Tensor,
    points: torch.Tensor,
    coronal: torch.Tensor,
    *,
    settings: TrainingSettings,
    random: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return augmented images (B, 1, H, W) and their points (B, N, 2); the inputs are unchanged.

    Args:
        images, sizes, points, coronal: as in `Batch`.
        settings: its `input_mm`, `suv_ceiling`, `flip`, `shift_mm`, `scale`, `gamma`, `intensity` and `noise`.
        random: where every choice comes from.

    A view one of whose points would leave it keeps its place and size (mirroring never moves a point out).
    """
    count = len(images)
    flips = torch.from_numpy(random.random(count) < 0.5) & coronal & settings.flip
    shifts = torch.from_numpy(random.uniform(-1, 1, (count, 2))).float() * settings.shift_mm / settings.input_mm
    scales = 1 + torch.from_numpy(random.uniform(-1, 1, count)).float() * settings.scale
    gains = 1 + torch.from_numpy(random.uniform(-1, 1, count)).float() * settings.intensity
    moved = _move(points, sizes, flips, shifts, scales)
    limits = sizes[:, None].float() - 0.5
    left = ((moved < -0.5) | (moved > limits)).any(2).any(1)
    shifts = shifts.masked_fill(left[:, None], 0.0)
    scales = scales.masked_fill(left, 1.0)
    result = _resample(bent(images, settings, random), sizes, flips, shifts, scales) * gains[:, None, None, None]
    if settings.noise > 0:
        noise = torch.from_numpy(random.standard_normal(tuple(images.shape), np.float32))
        result = result * (1 + settings.noise * noise)
    return result.clamp(0, 1), _move(points, sizes, flips, shifts, scales)


def bent(images: torch.Tensor, settings: TrainingSettings, random: np.random.Generator) -> torch.Tensor:
    """Images (B, 1, H, W) whose SUV, as multiples of the body's level, are each raised to a power of their own.

    0 and the body's level stay where they are. Without `settings.gamma` nothing is drawn from `random`.
    """
    if settings.gamma == 0:
        return images
    powers = torch.from_numpy(np.exp(random.normal(0, settings.gamma, len(images)))).float()
    level = BODY_LEVEL_SUV / settings.suv_ceiling
    return level * (images / level) ** powers[:, None, None, None]


def _move(
    points: torch.Tensor, sizes: torch.Tensor, flips: torch.Tensor, shifts: torch.Tensor, scales: torch.Tensor
) -> torch.Tensor:
    """Where points (B, N, 2) of the old pictures lie in the new: mirrored, scaled about the middle, shifted."""
    middle = (sizes[:, None].float() - 1) / 2
    mirrored = torch.stack([points[..., 0], 2 * middle[..., 1] - points[..., 1]], dim=-1)
    points = torch.where(flips[:, None, None], mirrored, points)
    return (points - middle) * scales[:, None, None] + middle + shifts[:, None]


def _resample(
    images: torch.Tensor, sizes: torch.Tensor, flips: torch.Tensor, shifts: torch.Tensor, scales: torch.Tensor
) -> torch.Tensor:
    """Pictures whose pixel p is the old picture's at the inverse of `_move`, linearly; 0 from outside."""
    height, width = images.shape[2:]
    middle = (sizes.float() - 1) / 2
    rows = (torch.arange(height)[None] - middle[:, :1] - shifts[:, :1]) / scales[:, None] + middle[:, :1]
    columns = (torch.arange(width)[None] - middle[:, 1:] - shifts[:, 1:]) / scales[:, None] + middle[:, 1:]
    columns = torch.where(flips[:, None], 2 * middle[:, 1:] - columns, columns)
    grid = torch.stack(
        [
            ((2 * columns + 1) / width - 1)[:, None, :].expand(-1, height, -1),
            ((2 * rows + 1) / height - 1)[:, :, None].expand(-1, -1, width),
        ],
        dim=-1,
    )
    moved = functional.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
    return moved * cells_exist(sizes, (height, width), images.device)[:, None]
