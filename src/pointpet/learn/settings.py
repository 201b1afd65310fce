"""Every choice of network, losses and training, with its meaning. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pointpet.core import ConfigError, option, raise_faults

DISTANCES = ("none", "centroid", "weighted", "margin", "softmax_centroid", "gaussian", "cross_entropy")
"""Names of the readings of the distance loss; `none` trains with the classification loss alone."""

CONTROLS_PRESET = {"input_mm": 8.0, "cam_stride": 2, "pooled_share": 0.1, "mirror": True, "transplant": 0.4}
"""What suits disease against controls: many small lesions, so smaller cells, a score that few cells can carry, maps
that two looks agree on, since every peak of theirs may be drawn, and lesions in more places than were clicked."""

PICTURES_PRESET = {"suv_ceiling": 10.0, "gamma": 0.25}
"""What suits such a cohort of ready-made pictures besides: nobody knows their scales of grey. They saturate anywhere,
so that what lies over the uptake of most lesions tells little, and their curves of grey may be bent."""

BENT_OVER = (0.4, 0.5)
"""Shares of the epochs between which `gamma` rises from 0: with bent greys from the first epoch on, a network took
twice as long to tell the classes apart on phantoms, or never came to it."""

RIVALS = ("auto", "own", "controls")
"""What the peak inside is held above by the margin reading; see `TrainingSettings.rivals`."""

PRECISIONS = ("auto", "fp32", "bf16")
CAM_STRIDES = (2, 4, 8, 16)
LAYERS = 8

AUTOMATIC_STEPS = 1500
"""Batches after which longer training brought no more on phantoms of other seeds than the ones reported."""

AUTOMATIC_EPOCHS = (60, 150)
"""Fewest and most passes of an automatic training: the upper bound keeps small cohorts quick."""

SETTLED_SHARE = 0.7
"""Share of the epochs before which none is chosen: until the one-cycle schedule has brought the learning rate down to a
fifth, the weights swing, and one that suits the validation part's dozen patients then suits no others."""

SMOOTHED_EPOCHS = 5
"""The criterion of an epoch is the mean over it and those before it, so many in all: a validation part holds a dozen
patients only, and a single epoch may look good by chance long before the training has settled."""

PATIENCE = (
    "Epochs without a better validation criterion before training stops. Only the last "
    f"{100 * (1 - SETTLED_SHARE):.0f} % of the epochs count, and each with the {SMOOTHED_EPOCHS - 1} before it, so it "
    f"acts only where these are more than {SMOOTHED_EPOCHS} longer than it: with the default lengths never, the epoch "
    "is chosen at the end"
)
"""What `patience` means, here and for the U-Net."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training; checked when built, all faults reported together.

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """

    input_mm: float = option(
        6.0, "Pixel size the network sees, mm; a multiple of the MIPs' own. 2 is the paper's setting"
    )
    suv_ceiling: float = option(30.0, "SUV is clipped to [0, suv_ceiling] and divided by it")
    crop: bool = option(True, "Cut the picture to the body (from the picture alone): faster, independent of the frame")
    cam_stride: int = option(4, "Edge of a cell of the map in input pixels: 2, 4, 8 or 16 (the paper's)")
    context_stride: int = option(
        0,
        "Keep the field of view that a map of this larger stride has, by widened convolutions: 4, 8 or 16; 0: as it is",
    )
    pooled_share: float = option(
        1.0, "Share of a map's cells, the highest, whose mean is the class score; 1: all (global average pooling)"
    )
    widths: tuple[int, ...] = option(
        (16, 16, 32, 32, 32, 32, 64, 64), "Channels of the eight convolution layers, from input to map"
    )
    mirror: bool = option(
        False, "Prediction looks at a coronal view and at its mirror image, and averages; twice its cost"
    )
    shared_views: bool = option(True, "One network for both views; false trains one per view")
    distance: str = option("margin", "Reading of the distance loss: " + ", ".join(DISTANCES))
    distance_weight: float = option(1.0, "Weight of the distance loss beside the classification loss (lambda)")
    warmup_epochs: int = option(0, "Epochs with the classification loss alone before the distance loss joins")
    radius_mm: float = option(24.0, "margin: cells within this distance of a point count as inside, mm")
    margin: float = option(
        0.5, "margin: by how much the peak inside must exceed the one outside, as a share of the map's largest value"
    )
    controls_preset: bool = option(
        True,
        "Where a class is free of lesions, take "
        + ", ".join(f"{name} {str(value).lower()}" for name, value in CONTROLS_PRESET.items())
        + " for those of them that are left at their default, and, where all scans are ready-made pictures, "
        + ", ".join(f"{name} {value}" for name, value in PICTURES_PRESET.items())
        + "; false: every setting as it stands",
    )
    rivals: str = option(
        "auto",
        "margin: what the peak inside must exceed: own (the rest of the patient's own map: one tumour a patient), "
        "controls (the maps of patients without lesions: many lesions of which few are clicked, none of which is "
        "punished) or auto (controls where the cohort has a class without lesions, else own)",
    )
    tolerance_mm: float = option(16.0, "weighted: distance to the point that costs nothing, mm")
    sigma_mm: float = option(32.0, "gaussian: standard deviation of the target around the point, mm")
    epochs: int = option(
        0,
        f"Longest training, in passes over the training part; 0: as many as make {AUTOMATIC_STEPS} batches, from "
        f"{AUTOMATIC_EPOCHS[0]} to {AUTOMATIC_EPOCHS[1]}, since few patients make few batches a pass",
    )
    batch_size: int = option(8, "Views in a batch, as in the paper")
    learning_rate: float = option(1e-2, "Highest learning rate of the one-cycle schedule (AdamW)")
    weight_decay: float = option(0.01, "Weight decay of AdamW")
    turns: bool = option(
        False, "Augmentation: show the patient turned (prepare.turns_deg), each turn as often as the scan itself"
    )
    flip: bool = option(True, "Augmentation: mirror coronal views left to right, half of the time")
    shift_mm: float = option(24.0, "Augmentation: shift by up to this much along each axis, mm")
    scale: float = option(0.1, "Augmentation: scale by up to this share either way")
    intensity: float = option(0.15, "Augmentation: multiply SUV by up to this share either way")
    gamma: float = option(
        0.0,
        "Augmentation: bend the curve of grey; standard deviation of the logarithm of the power to which SUV, as "
        "multiples of the body's level, are raised. Rises from 0 between "
        f"{BENT_OVER[0]:.0%} and {BENT_OVER[1]:.0%} of the epochs",
    )
    transplant: float = option(
        0.0, "Augmentation: share of the views of a class without lesions that show another patient's clicked lesion"
    )
    noise: float = option(0.0, "Augmentation: standard deviation of noise, as a share of a pixel's own value")
    validation_share: float = option(
        0.1, "Share of the training patients held out to choose the epoch; 0 keeps none and takes the last epoch"
    )
    patience: int = option(60, PATIENCE)
    precision: str = option(
        "auto", "auto, fp32 or bf16; auto takes bf16 where the processor or GPU computes in it natively"
    )
    threads: int = option(0, "Threads for training and prediction; 0 leaves torch's own choice")

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        faults = [
            ConfigError("PP-CONFIG-TRAIN", name, f"must be {rule}, got {getattr(self, name)!r}", "Correct the setting")
            for name, rule, holds in _RULES
            if not _fulfils(holds, getattr(self, name))
        ]
        raise_faults("training settings", faults)

    @property
    def cell_mm(self) -> float:
        """Edge of a cell of the map in mm."""
        return self.input_mm * self.cam_stride

    @property
    def localises(self) -> bool:
        """True where a distance loss takes part in training."""
        return self.distance != "none" and self.distance_weight > 0

    def for_cohort(self, lesion_free: Sequence[str], *, pictures: bool = False) -> TrainingSettings:
        """The settings that a cohort gets, see `controls_preset`.

        Args:
            lesion_free: the cohort's classes without lesions.
            pictures: all its scans are ready-made pictures.
        """
        if not lesion_free or not self.controls_preset or self.context_stride:
            return self
        preset = CONTROLS_PRESET | PICTURES_PRESET if pictures else CONTROLS_PRESET
        defaults = {item.name: item.default for item in fields(self)}
        left = {name: value for name, value in preset.items() if getattr(self, name) == defaults[name]}
        return replace(self, **left)

    def with_epochs_for(self, views: int) -> TrainingSettings:
        """The settings with the number of epochs that a training part of `views` views gets."""
        if self.epochs:
            return self
        steps = math.ceil(views / self.batch_size)
        fewest, most = AUTOMATIC_EPOCHS
        return replace(self, epochs=min(max(math.ceil(AUTOMATIC_STEPS / steps), fewest), most))

    def in_epoch(self, epoch: int) -> TrainingSettings:
        """The settings that hold in an epoch (from 0): `gamma` rises over `BENT_OVER`, where `epochs` are settled."""
        if self.gamma == 0 or self.epochs == 0:
            return self
        first, last = BENT_OVER
        risen = (epoch / self.epochs - first) / (last - first)
        return replace(self, gamma=self.gamma * min(max(risen, 0.0), 1.0))

    def as_record(self) -> dict[str, Any]:
        """The settings as JSON can hold them."""
        return {**asdict(self), "widths": list(self.widths)}


def _fulfils(holds: Callable[[Any], bool], value: Any) -> bool:
    try:
        return bool(holds(value))
    except TypeError:
        return False


def _positive(value: float) -> bool:
    return not isinstance(value, bool) and math.isfinite(value) and value > 0


def _not_negative(value: float) -> bool:
    return not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _share(value: float) -> bool:
    return _not_negative(value) and value < 1


def _count(value: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _count_or_zero(value: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _boolean(value: bool) -> bool:
    return isinstance(value, bool)


def _one_of(*names: str | int) -> Callable[[Any], bool]:
    return lambda value: value in names


_RULES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("input_mm", "over 0", _positive),
    ("suv_ceiling", "over 0", _positive),
    ("crop", "true or false", _boolean),
    ("cam_stride", "2, 4, 8 or 16", _one_of(*CAM_STRIDES)),
    ("context_stride", "0, 4, 8 or 16", _one_of(0, *CAM_STRIDES[1:])),
    ("pooled_share", "over 0 and at most 1", lambda value: _positive(value) and value <= 1),
    ("widths", "eight counts of at least 1", lambda value: len(value) == LAYERS and all(map(_count, value))),
    ("mirror", "true or false", _boolean),
    ("shared_views", "true or false", _boolean),
    ("distance", "one of " + ", ".join(DISTANCES), _one_of(*DISTANCES)),
    ("distance_weight", "at least 0", _not_negative),
    ("warmup_epochs", "a whole number of at least 0", _count_or_zero),
    ("radius_mm", "over 0", _positive),
    ("margin", "over 0", _positive),
    ("controls_preset", "true or false", _boolean),
    ("rivals", "one of " + ", ".join(RIVALS), _one_of(*RIVALS)),
    ("tolerance_mm", "at least 0", _not_negative),
    ("sigma_mm", "over 0", _positive),
    ("epochs", "a whole number of at least 0", _count_or_zero),
    ("batch_size", "a whole number of at least 1", _count),
    ("learning_rate", "over 0", _positive),
    ("weight_decay", "at least 0", _not_negative),
    ("turns", "true or false", _boolean),
    ("flip", "true or false", _boolean),
    ("shift_mm", "at least 0", _not_negative),
    ("scale", "at least 0 and under 1", _share),
    ("intensity", "at least 0 and under 1", _share),
    ("gamma", "at least 0 and under 1", _share),
    ("transplant", "at least 0 and under 1", _share),
    ("noise", "at least 0 and under 1", _share),
    ("validation_share", "at least 0 and at most 0.5", lambda value: _share(value) and value <= 0.5),
    ("patience", "a whole number of at least 1", _count),
    ("precision", "one of " + ", ".join(PRECISIONS), _one_of(*PRECISIONS)),
    ("threads", "a whole number of at least 0", _count_or_zero),
)
