"""A trained network: class probabilities and activation maps of a scan, from its MIPs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, MipPair, ModelError, Plane, PointpetError, from_picture
from pointpet.learn.backend import functional, torch
from pointpet.learn.network import Scores, ViewNetworks
from pointpet.learn.pictures import Frame, network_input
from pointpet.learn.settings import TrainingSettings

ARCHITECTURE = "eight-layer-cam"


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


class TrainedNetwork:
    """A network with its classes, settings and training record. `activate` never sees a label or a point.

    Args:
        networks: the weights.
        classes: names in the order of the scores.
        settings: how it was trained; input and map follow from them.
        training: what happened in training, as JSON can hold it.
    """

    def __init__(
        self,
        networks: ViewNetworks,
        classes: Sequence[str],
        settings: TrainingSettings,
        training: Mapping[str, Any],
    ) -> None:
        self._networks = networks.float().cpu().eval()
        self.classes = tuple(classes)
        self.settings = settings
        self.training = dict(training)

    @property
    def record(self) -> dict[str, Any]:
        """Architecture, classes, settings and training record, as JSON can hold them."""
        return {
            "architecture": ARCHITECTURE,
            "classes": list(self.classes),
            "settings": self.settings.as_record(),
            "training": self.training,
        }

    def activate(self, mips: MipPair) -> Activation:
        """Classify a scan and map the evidence for the predicted class.

        Class scores are averaged over the views that exist, then turned into probabilities by softmax.

        Raises:
            GeometryError: the settings' `input_mm` is no multiple of the MIPs' pixel.
        """
        scored = {plane: self._score(mips, plane) for plane in mips.planes}
        logits = torch.stack([scores.logits[0] for scores, _ in scored.values()]).double().mean(0)
        probabilities = torch.softmax(logits, 0).tolist()
        predicted = int(logits.argmax())
        maps = {
            name: {
                plane: ActivationMap(
                    from_picture(self._at_picture_size(scores.maps[0, index], frame)),
                    plane,
                    name,
                    mips.pixel_mm,
                    mips.origin_mm,
                )
                for plane, (scores, frame) in scored.items()
            }
            for index, name in enumerate(self.classes)
        }
        named = dict(zip(self.classes, probabilities, strict=True))
        return Activation(named, maps[self.classes[predicted]], maps)

    def _score(self, mips: MipPair, plane: Plane) -> tuple[Scores, Frame]:
        values, frame = network_input(mips.picture(plane), mips.pixel_mm, self.settings)
        with torch.inference_mode():
            scores = self._networks(
                torch.from_numpy(values)[None, None],
                torch.tensor([values.shape]),
                torch.tensor([plane is Plane.CORONAL]),
            )
        return scores, frame

    def _at_picture_size(self, raw: torch.Tensor, frame: Frame) -> NDArray[np.float32]:
        """Normalise a raw map (h, w) to [0, 1] and bring it to the picture (H, W), linearly between cells' centres."""
        positive = functional.relu(raw)
        largest = positive.max()
        if largest > 0:
            positive = positive / largest
        size = (frame.height * frame.factor, frame.width * frame.factor)
        spread = functional.interpolate(positive[None, None], size=size, mode="bilinear", align_corners=False)
        return frame.paste(spread[0, 0].clamp(0, 1).numpy())

    def tensors(self) -> dict[str, NDArray]:
        """The weights by name."""
        return {name: tensor.detach().numpy().copy() for name, tensor in self._networks.state_dict().items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray], record: Mapping[str, Any]) -> TrainedNetwork:
        """Rebuild what `tensors` and `record` gave.

        Raises:
            ModelError: the record is of another architecture or incomplete, or a tensor is missing, unknown, of another
                shape or not finite.
        """
        classes, settings = _read_record(record)
        networks = ViewNetworks(settings, len(classes))
        check_tensors(networks.state_dict(), tensors)
        networks.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
        return cls(networks, classes, settings, record.get("training", {}))


def _read_record(record: Mapping[str, Any]) -> tuple[tuple[str, ...], TrainingSettings]:
    try:
        if record["architecture"] != ARCHITECTURE:
            raise ValueError(f"architecture {record['architecture']!r}")
        classes = tuple(str(name) for name in record["classes"])
        settings = TrainingSettings(**record["settings"])
    except (KeyError, TypeError, ValueError, PointpetError) as error:
        raise ModelError(
            "PP-MODEL-RECORD",
            "model record",
            f"must describe a network of architecture {ARCHITECTURE} with its classes and settings, got {error}",
            "Read the model with the version that wrote it, or train it again",
        ) from error
    return classes, settings


def check_tensors(expected: Mapping[str, torch.Tensor], given: Mapping[str, NDArray]) -> None:
    """Stop unless `given` are the weights of a network that holds `expected`.

    Raises:
        ModelError: a tensor is missing, unknown, of another shape or not finite.
    """
    for name in sorted(expected.keys() | given.keys()):
        _check_tensor(name, expected.get(name), given.get(name))


def _check_tensor(name: str, expected: torch.Tensor | None, given: NDArray | None) -> None:
    if expected is None or given is None:
        problem = "is unknown to the network" if expected is None else "is missing"
    elif tuple(expected.shape) != given.shape:
        problem = f"must have shape {tuple(expected.shape)}, got {given.shape}"
    elif not np.isfinite(given).all():
        problem = "must be finite, got a value that is not"
    else:
        return
    raise ModelError("PP-MODEL-TENSOR", f"tensor {name}", problem, "Take weights and record from one model folder")
