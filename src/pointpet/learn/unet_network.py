"""MONAI's U-Net with a classifier that looks where the mask is. Needs torch and MONAI.

Shape letters: B views or patches, C classes, then the sides of the input (2D or 3D).
"""

from __future__ import annotations

from typing import NamedTuple

from pointpet.learn.backend import functional, nn, torch
from pointpet.learn.backend_monai import BasicUNet
from pointpet.learn.network import NORM_MOMENTUM
from pointpet.learn.unet_settings import DEEPEST_STRIDE, UnetSettings


class UnetScores(NamedTuple):
    """Class scores (B, C) and raw scores of the mask (B, 1, ...), float32."""

    logits: torch.Tensor
    mask: torch.Tensor


class ClassifyingUnet(nn.Module):
    """A U-Net whose coarsest features also give the class: a linear layer on their means over input and lesion.

    The mean over the lesion is weighted by the mask's probability, whose slope is cut: no class may bend the mask.

    Source of the U-Net: Ronneberger et al. 2015, as MONAI's `BasicUNet` builds it; batch normalisation, since a MIP's
    mean says how large the patient is, not where the tumour lies.
    """

    def __init__(self, settings: UnetSettings, classes: int) -> None:
        super().__init__()
        self.unet = BasicUNet(
            settings.dimensions,
            in_channels=1,
            out_channels=1,
            features=settings.features,
            norm=("batch", {"momentum": NORM_MOMENTUM}),
            bias=False,
        )
        self.classifier = nn.Linear(2 * settings.features[4], classes)
        if settings.dimensions == 2:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: torch.Tensor, sizes: torch.Tensor | None = None) -> UnetScores:
        """Score views or patches.

        Args:
            images: (B, 1, ...), sides multiples of `DEEPEST_STRIDE`, zero beyond each one's own size.
            sizes: (B, 2 or 3) each one's own size, likewise multiples; None where each fills its image.
        """
        unet = self.unet
        levels = [unet.conv_0(images)]
        for down in (unet.down_1, unet.down_2, unet.down_3, unet.down_4):
            levels.append(down(levels[-1]))
        features = deepest = levels.pop()
        for up in (unet.upcat_4, unet.upcat_3, unet.upcat_2, unet.upcat_1):
            features = up(features, levels.pop())
        with torch.autocast(images.device.type, enabled=False):
            mask = unet.final_conv(features.float())
            if sizes is None:
                inside = deepest.new_ones(deepest[:, 0].shape, dtype=torch.bool)
            else:
                inside = _inside(sizes // DEEPEST_STRIDE, deepest.shape[2:], images.device)
            pool = functional.avg_pool2d if images.ndim == 4 else functional.avg_pool3d
            lesion = pool(torch.sigmoid(mask.detach()), DEEPEST_STRIDE)[:, 0]
            pooled = [_mean(deepest.float(), weights * inside) for weights in (inside.float(), lesion)]
            return UnetScores(self.classifier(torch.cat(pooled, dim=1)), mask)


def _mean(features: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(B, K) mean of features (B, K, ...) weighted by weights (B, ...)."""
    total = weights.flatten(1).sum(1).clamp_min(torch.finfo(torch.float32).tiny)
    return (features * weights[:, None]).flatten(2).sum(2) / total[:, None]


def _inside(sizes: torch.Tensor, shape: torch.Size, device: torch.device) -> torch.Tensor:
    """(B, ...) bool, which cells of a padded batch belong to the view or patch of that size, `sizes` (B, D)."""
    inside = torch.ones((len(sizes), *shape), dtype=torch.bool, device=device)
    for axis, length in enumerate(shape):
        places = torch.arange(length, device=device).reshape(-1, *[1] * (len(shape) - 1 - axis))
        inside &= places < sizes[:, axis].reshape(-1, *[1] * len(shape)).to(device)
    return inside
