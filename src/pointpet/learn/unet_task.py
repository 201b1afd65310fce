"""What a U-Net learns: the mask by soft Dice and cross-entropy, the class by cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pointpet.learn.backend import functional, nn, torch
from pointpet.learn.epochs import Step
from pointpet.learn.together import mean_over_processes, somewhere
from pointpet.learn.unet_network import UnetScores
from pointpet.learn.unet_views import MaskedBatch

SMOOTHING = 1.0
"""Pixels added above and below in the Dice of a view: an empty truth that is left empty costs nothing."""


def unet_step(networks: nn.Module, batch: MaskedBatch, *, class_weight: float) -> Step:
    """Loss of a batch: (1 - mean soft Dice + pixelwise cross-entropy) + class_weight x class cross-entropy.

    Views whose mask is unknown teach the class alone; patches that cannot tell the class teach the mask alone.

    Source: Dice with cross-entropy, as nnU-Net takes it (Isensee et al. 2021); of each view, so that a tumour of few
    pixels counts as much as a large one.
    """
    scores: UnetScores = networks(batch.images, batch.sizes)
    mask, target = scores.mask.flatten(1), batch.targets.flatten(1)
    probability = torch.sigmoid(mask)
    known = batch.known
    overlap, total = (probability * target).sum(1), (probability + target).sum(1)
    pixelwise = functional.binary_cross_entropy_with_logits(mask, target, reduction="none").mean(1)
    loss = mask.new_zeros(())
    if somewhere(bool(known.any())):
        dice = (2 * overlap[known] + SMOOTHING) / (total[known] + SMOOTHING)
        loss = loss + 1 - mean_over_processes(dice) + mean_over_processes(pixelwise[known])
    class_losses = functional.cross_entropy(scores.logits, batch.labels, reduction="none")[batch.classed]
    if somewhere(len(class_losses) > 0):
        loss = loss + class_weight * mean_over_processes(class_losses)
    right = (scores.logits.argmax(1) == batch.labels)[batch.classed]
    found, truth = probability >= 0.5, target >= 0.5
    sharp = (2 * (found & truth).sum(1) + SMOOTHING) / (found.sum(1) + truth.sum(1) + SMOOTHING)
    return Step(
        loss,
        {
            "overlap": overlap[known],
            "total": total[known],
            "pixelwise": pixelwise[known],
            "class_losses": class_losses,
            "right": right.float(),
            "dice": sharp[known],
        },
    )


def unet_summary(outcomes: Mapping[str, np.ndarray], *, class_weight: float) -> dict[str, float]:
    """Measures of an epoch's part: `loss` as in `unet_step` over the whole part, `dice` and `accuracy` a view."""
    mask_loss = 0.0
    if len(outcomes["total"]):
        dice = (2 * outcomes["overlap"] + SMOOTHING) / (outcomes["total"] + SMOOTHING)
        mask_loss = float(1 - dice.mean() + outcomes["pixelwise"].mean())
    class_loss = _mean(outcomes["class_losses"])
    return {
        "loss": mask_loss + class_weight * class_loss,
        "mask_loss": mask_loss,
        "class_loss": class_loss,
        "dice": _mean(outcomes["dice"]),
        "accuracy": _mean(outcomes["right"]),
    }


class UnetTask:
    """The step and the summary of a `Task`, the same for views and patches."""

    def __init__(self, class_weight: float) -> None:
        self._class_weight = class_weight

    def step(self, networks: nn.Module, batch: MaskedBatch, epoch: int) -> Step:  # noqa: ARG002
        """See `unet_step`."""
        return unet_step(networks, batch, class_weight=self._class_weight)

    def summary(self, outcomes: Mapping[str, np.ndarray]) -> dict[str, float]:
        """See `unet_summary`."""
        return unet_summary(outcomes, class_weight=self._class_weight)

    def criterion(self, measured: Mapping[str, Any]) -> float:
        """The loss."""
        return measured["loss"]

    def watch(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Nothing to watch: a mask's loss has a slope wherever it is wrong."""


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
