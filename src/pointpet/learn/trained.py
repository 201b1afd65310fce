"""A trained network: class probabilities and activation maps of a scan, from its MIPs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.core import MipPair, ModelError, Plane
from pointpet.learn.activation import Activation, ViewScores, cam_activation, view_scores
from pointpet.learn.backend import torch
from pointpet.learn.network import ViewNetworks
from pointpet.learn.records import CAM_ARCHITECTURE, read_cam_record
from pointpet.learn.settings import TrainingSettings


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
        self.networks = networks.float().cpu().eval()
        self.classes = tuple(classes)
        self.settings = settings
        self.training = dict(training)

    @property
    def record(self) -> dict[str, Any]:
        """Architecture, classes, settings and training record, as JSON can hold them."""
        return {
            "architecture": CAM_ARCHITECTURE,
            "classes": list(self.classes),
            "settings": self.settings.as_record(),
            "training": self.training,
        }

    def activate(self, mips: MipPair) -> Activation:
        """Classify a scan and map the evidence for the predicted class.

        Class scores are averaged over the views that exist, then turned into probabilities by softmax.

        Raises:
            GeometryError: the settings' `input_mm` is finer than half the MIPs' pixel.
        """
        return cam_activation({plane: self._score(mips, plane) for plane in mips.planes}, self.classes, mips)

    def _score(self, mips: MipPair, plane: Plane) -> ViewScores:
        def look(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            with torch.inference_mode():
                scores = self.networks(
                    torch.from_numpy(values)[None, None],
                    torch.tensor([values.shape]),
                    torch.tensor([plane is Plane.CORONAL]),
                )
            return scores.logits[0].numpy(), scores.maps[0].numpy()

        return view_scores(look, mips, plane, self.settings)

    def tensors(self) -> dict[str, NDArray]:
        """The weights by name."""
        return {name: tensor.detach().numpy().copy() for name, tensor in self.networks.state_dict().items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray], record: Mapping[str, Any]) -> TrainedNetwork:
        """Rebuild what `tensors` and `record` gave.

        Raises:
            ModelError: the record is of another architecture or incomplete, or a tensor is missing, unknown, of another
                shape or not finite.
        """
        classes, settings = read_cam_record(record)
        networks = ViewNetworks(settings, len(classes))
        check_tensors(networks.state_dict(), tensors)
        networks.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
        return cls(networks, classes, settings, record.get("training", {}))


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
