"""From what a network says of each view to class probabilities and activation maps. Needs no torch.

Shape letters: C classes, h, w rows and columns of a network's map, H, W those of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, MipPair, Plane, from_picture
from pointpet.learn.pictures import Frame, network_input
from pointpet.learn.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class Activation:
    """What a network says of one scan.

    Args:
        probabilities: class name to probability; they sum to 1.
        maps: plane to the activation map of the predicted class, at the MIP's size. A map without a positive cell is
            all zero.
        class_maps: class name to such maps, of every class, where the network has them.
    """

    probabilities: Mapping[str, float]
    maps: Mapping[Plane, ActivationMap]
    class_maps: Mapping[str, Mapping[Plane, ActivationMap]] = field(default_factory=dict)

    @property
    def predicted(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])


@dataclass(frozen=True, eq=False)
class ViewScores:
    """What a network says of one view.

    Args:
        logits: (C,) class scores.
        maps: (C, h, w) raw class activation maps, or (1, h, w) raw scores of a mask.
        frame: where the network's input lay in its picture.
    """

    logits: NDArray[np.float32]
    maps: NDArray[np.float32]
    frame: Frame


Look = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""A network's logits (C,) and maps (C, h, w) of an input (height, width)."""


def view_scores(look: Look, mips: MipPair, plane: Plane, settings: TrainingSettings) -> ViewScores:
    """Ask a network about one view; with `settings.mirror`, the mean over a coronal view and its mirror image.

    Raises:
        GeometryError: the settings' `input_mm` is finer than half the MIPs' pixel.
    """
    values, frame = network_input(mips.picture(plane), mips.pixel_mm, settings)
    logits, maps = look(values)
    if settings.mirror and plane is Plane.CORONAL:
        other_logits, other_maps = look(np.ascontiguousarray(values[:, ::-1]))
        half = np.float32(0.5)
        logits, maps = half * (logits + other_logits), half * (maps + other_maps[:, :, ::-1])
    return ViewScores(logits, maps, frame)


def cam_activation(views: Mapping[Plane, ViewScores], classes: Sequence[str], mips: MipPair) -> Activation:
    """Probabilities, and each view's map of the predicted class: its positive part as a share of its highest value.

    Class scores are averaged over the views that exist, then turned into probabilities by softmax.
    """
    probabilities, chosen = _classify(views, classes)
    maps = {}
    for index, name in enumerate(classes):
        shares = {plane: _positive_share(view.maps[index]) for plane, view in views.items()}
        maps[name] = _at_picture_size(views, shares, name, mips)
    return Activation(probabilities, maps[classes[chosen]], maps)


def mask_activation(views: Mapping[Plane, ViewScores], classes: Sequence[str], mips: MipPair) -> Activation:
    """Probabilities, and each view's probability of the lesion as a share of its highest value.

    The map is that of the lesion, whatever its class; as a share of its highest value it always points somewhere.
    """
    probabilities, index = _classify(views, classes)
    shares = {plane: _probability_share(view.maps[0]) for plane, view in views.items()}
    return Activation(probabilities, _at_picture_size(views, shares, classes[index], mips))


def _classify(views: Mapping[Plane, ViewScores], classes: Sequence[str]) -> tuple[dict[str, float], int]:
    logits = np.mean([view.logits.astype(np.float64) for view in views.values()], axis=0)
    odds = np.exp(logits - logits.max())
    return dict(zip(classes, (odds / odds.sum()).tolist(), strict=True)), int(logits.argmax())


def _positive_share(raw: NDArray[np.float32]) -> NDArray[np.float32]:
    positive = np.maximum(raw, np.float32(0))
    largest = positive.max()
    return positive / largest if largest > 0 else positive


def _probability_share(raw: NDArray[np.float32]) -> NDArray[np.float32]:
    # The share of the highest, from the difference of logarithms: the probabilities themselves may be too small.
    log_probability = -np.logaddexp(np.float32(0), -raw)
    return np.exp(log_probability - log_probability.max())


def _at_picture_size(
    views: Mapping[Plane, ViewScores], shares: Mapping[Plane, NDArray[np.float32]], name: str, mips: MipPair
) -> dict[Plane, ActivationMap]:
    maps = {}
    for plane, view in views.items():
        values = np.clip(spread(shares[plane], view.frame.covered), 0, 1)
        maps[plane] = ActivationMap(from_picture(view.frame.paste(values)), plane, name, mips.pixel_mm, mips.origin_mm)
    return maps


def spread(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Bring `values` (h, w) to `size` (H, W), linearly between cells' centres; flat beyond the outermost ones.

    Check: equal to torch's `interpolate(mode="bilinear", align_corners=False)`.
    """
    for axis, length in enumerate(size):
        cells = values.shape[axis]
        places = np.clip((np.arange(length) + 0.5) * cells / length - 0.5, 0, cells - 1)
        below = np.minimum(places.astype(np.intp), max(cells - 2, 0))
        above = np.minimum(below + 1, cells - 1)
        weight = (places - below).astype(np.float32)
        weight = weight[:, None] if axis == 0 else weight[None, :]
        values = values.take(below, axis) * (1 - weight) + values.take(above, axis) * weight
    return values
