"""The eight-layer network whose class scores are means of its class activation maps.

Shape letters: B views, C classes, H, W rows and columns of the input, h, w those of the map (H / stride, W / stride).
"""

from __future__ import annotations

from typing import NamedTuple

from pointpet.core import Plane
from pointpet.learn.backend import functional, nn, torch
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.together import SharedBatchNorm2d, somewhere

POOLED_LAYERS = {2: (0,), 4: (0, 1), 8: (0, 1, 3), 16: (0, 1, 3, 5)}
"""Stride of the map to the layers (from 0) that a 2 x 2 max-pooling follows. The first is pooled at once: at full
resolution a layer costs as much as the rest together."""

NORM_MOMENTUM = 0.2
"""Share of a batch in the running statistics. An epoch has a dozen batches only: with torch's 0.1 the statistics lag
behind the weights, and a network that is right in training is at chance in validation for the first ten epochs."""

BOTH_VIEWS = "both"


class Scores(NamedTuple):
    """Class scores (B, C), raw class activation maps (B, C, h, w) and which of their cells exist (B, h, w) bool."""

    logits: torch.Tensor
    maps: torch.Tensor
    valid: torch.Tensor


class EightLayerNetwork(nn.Module):
    """Eight times 3 x 3 convolution, batch normalisation and ReLU, max-pooling between; mean over the map; linear.

    The linear layer is applied before the mean, which is the same: the score of class c is the mean of its raw map
    M_c = W_c^T f over the cells that exist, plus a bias. The map itself has no bias.

    Args:
        widths: channels of the eight layers.
        stride: edge of a map's cell in input pixels.
        classes: number of classes.
        context_stride: of the network whose field of view is kept. Where it exceeds `stride`, the poolings in between
            take 3 x 3 pixels with stride 1 and the convolutions after each are widened twofold (the "hole algorithm",
            Chen et al., ICLR 2015): more cells, each of which sees as much as one of `context_stride`.
        pooled_share: the class score is the mean of this share of the map's cells, the highest, not of all.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        stride: int,
        classes: int,
        *,
        context_stride: int = 0,
        pooled_share: float = 1.0,
    ) -> None:
        super().__init__()
        inputs = (1, *widths[:-1])
        left_out = set(POOLED_LAYERS[max(stride, context_stride)]) - set(POOLED_LAYERS[stride])
        reaches = [2 ** sum(pool < layer for pool in left_out) for layer in range(len(widths))]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=reach, dilation=reach, bias=False)
            for before, after, reach in zip(inputs, widths, reaches, strict=True)
        )
        self.norms = nn.ModuleList(SharedBatchNorm2d(width, momentum=NORM_MOMENTUM) for width in widths)
        self.stride = stride
        self.pooled = POOLED_LAYERS[stride]
        self.pooled_in_place = left_out
        self.pooled_share = pooled_share
        self.head = nn.Conv2d(widths[-1], classes, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(classes))
        for convolution in self.convolutions:
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")  # type: ignore[arg-type]

    def features(self, images: torch.Tensor, sizes: torch.Tensor | None = None) -> torch.Tensor:
        """(B, K, h, w) features of the last layer; the arguments are those of `forward`.

        The padding is held at zero after every layer, as the convolution's own border is, so that a view's scores do
        not depend on what it is batched with. Pooling comes before ReLU, which is the same and cheaper.
        """
        scale = 1
        features = images.contiguous(memory_format=torch.channels_last)
        for layer, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            features = norm(convolution(features))
            if layer in self.pooled:
                features = functional.max_pool2d(features, 2)
                scale *= 2
            if sizes is not None:
                _zero_beyond(features, sizes // scale)
            features = functional.relu(features)
            if layer in self.pooled_in_place:
                features = functional.max_pool2d(features, 3, stride=1, padding=1)
                if sizes is not None:
                    # A copy: what the pooling carried over the edge must not be seen, nor its slope taken.
                    features = features * cells_exist(sizes // scale, features.shape[2:], images.device)[:, None]
        return features

    def forward(self, images: torch.Tensor, sizes: torch.Tensor | None = None) -> Scores:
        """Score views padded to one size.

        Args:
            images: (B, 1, H, W); zero beyond each view's own size.
            sizes: (B, 2) rows and columns of each view, multiples of the stride; None where each view fills its image.
        """
        features = self.features(images, sizes)
        if sizes is None:
            exists = features.new_ones(features[:, 0].shape, dtype=torch.bool)
        else:
            exists = cells_exist(sizes // self.stride, features.shape[2:], images.device)
        with torch.autocast(images.device.type, enabled=False):
            # As a matrix product: torch's convolution of 1 x 1 in float32 is a slow one.
            maps = functional.linear(features.float().movedim(1, 3), self.head.weight[:, :, 0, 0]).movedim(3, 1)
            logits = mean_of_highest(maps, exists, self.pooled_share) + self.bias
        return Scores(logits, maps, exists)


def mean_of_highest(maps: torch.Tensor, exists: torch.Tensor, share: float) -> torch.Tensor:
    """(B, C) mean over the cells that exist, or over the highest `share` of them, at least one."""
    area = exists.sum((1, 2))[:, None]
    if share == 1:
        return (maps * exists[:, None]).sum((2, 3)) / area
    counts = (share * area).long().clamp_min(1)
    cells = maps.masked_fill(~exists[:, None], torch.finfo(maps.dtype).min).flatten(2)
    # Sorted whole and not topk: a graph whose shape hung on the cells' number could not be exported.
    highest = cells.sort(dim=2, descending=True).values
    counted = torch.arange(highest.shape[2], device=maps.device) < counts
    return (highest * counted[:, None]).sum(2) / counts


class ViewNetworks(nn.Module):
    """One network for both views, or one per view; each view of a batch goes to its own."""

    def __init__(self, settings: TrainingSettings, classes: int) -> None:
        super().__init__()
        names = [BOTH_VIEWS] if settings.shared_views else [plane.value for plane in Plane]
        self.networks = nn.ModuleDict(
            {
                name: EightLayerNetwork(
                    settings.widths,
                    settings.cam_stride,
                    classes,
                    context_stride=settings.context_stride,
                    pooled_share=settings.pooled_share,
                )
                for name in names
            }
        )
        self.all_take_part = settings.shared_views
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: torch.Tensor, sizes: torch.Tensor, coronal: torch.Tensor) -> Scores:
        """Score views as `EightLayerNetwork` does; `coronal` (B,) bool says which network a view belongs to."""
        if BOTH_VIEWS in self.networks:
            return self.networks[BOTH_VIEWS](images, sizes)
        places = [torch.nonzero(coronal).flatten(), torch.nonzero(~coronal).flatten()]
        # In training a network's statistics are shared, so that all processes take part, if need be without a view.
        parts = [
            self.networks[plane.value](images[own], sizes[own])
            for plane, own in zip(Plane, places, strict=True)
            if (somewhere(len(own) > 0) if self.training else len(own) > 0)
        ]
        back = torch.argsort(torch.cat(places))
        return Scores(*(torch.cat(columns)[back] for columns in zip(*parts, strict=True)))


def _zero_beyond(features: torch.Tensor, sizes: torch.Tensor) -> None:
    """Set the padding of `features` (B, K, h, w) to 0 in place.

    Behind autograd's back, which is sound here: neither batch normalisation nor pooling keeps its output for the
    backward pass, and the ReLU that follows passes no slope where its output is 0.
    """
    held = features.detach()
    for index, (height, width) in enumerate(sizes.tolist()):
        held[index, :, height:] = 0
        held[index, :, :, width:] = 0


def cells_exist(sizes: torch.Tensor, shape: tuple[int, ...] | torch.Size, device: torch.device) -> torch.Tensor:
    """(B, H, W) bool: which pixels of a padded batch belong to the view of that size, `sizes` (B, 2)."""
    rows = torch.arange(shape[0], device=device)[None, :, None] < sizes[:, 0, None, None]
    columns = torch.arange(shape[1], device=device)[None, None, :] < sizes[:, 1, None, None]
    return rows & columns
