"""A trained U-Net: class probabilities and lesion maps of a scan, from its MIPs or its volume alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pointpet.core import MipPair, Plane
from pointpet.learn.activation import Activation, ViewScores, mask_activation, view_scores
from pointpet.learn.backend import torch
from pointpet.learn.records import UNET_ARCHITECTURE, read_unet_record
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.trained import check_tensors
from pointpet.learn.unet_network import ClassifyingUnet
from pointpet.learn.unet_settings import UnetSettings


class TrainedUnet:
    """A network with its classes, settings and training record. What it answers never depends on a label or a mask.

    Args:
        network: the weights.
        classes: names in the order of the scores.
        settings, training_settings: of the U-Net; of pictures and training, as `UnetSettings.training` gives them.
        training: what happened in training, as JSON can hold it.
    """

    TASK: ClassVar[str]
    """What it does, for the model card."""

    def __init__(
        self,
        network: ClassifyingUnet,
        classes: Sequence[str],
        settings: UnetSettings,
        training_settings: TrainingSettings,
        training: Mapping[str, Any],
    ) -> None:
        self.network = network.float().cpu().eval()
        self.classes = tuple(classes)
        self.settings = settings
        self.training_settings = training_settings
        self.training = dict(training)

    @property
    def record(self) -> dict[str, Any]:
        """Architecture, classes, settings and training record, as JSON can hold them."""
        return {
            "architecture": UNET_ARCHITECTURE,
            "task": self.TASK,
            "classes": list(self.classes),
            "settings": self.settings.as_record(),
            "training_settings": self.training_settings.as_record(),
            "training": self.training,
        }

    def tensors(self) -> dict[str, NDArray]:
        """The weights by name."""
        return {name: tensor.detach().numpy().copy() for name, tensor in self.network.state_dict().items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray], record: Mapping[str, Any]) -> Self:
        """Rebuild what `tensors` and `record` gave.

        Raises:
            ModelError: the record is of another architecture or incomplete, or a tensor is missing, unknown, of another
                shape or not finite.
        """
        classes, settings, training_settings = read_unet_record(record)
        network = ClassifyingUnet(settings, len(classes))
        check_tensors(network.state_dict(), tensors)
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
        return cls(network, classes, settings, training_settings, record.get("training", {}))


class TrainedViewUnet(TrainedUnet):
    """The 2D U-Net on MIPs."""

    TASK = "mask of the lesion and class of the disease on coronal and sagittal FDG-PET maximum intensity projections"

    def activate(self, mips: MipPair) -> Activation:
        """Classify a scan and map the lesion: probabilities of the mask as a share of the view's highest.

        Class scores are averaged over the views that exist, then turned into probabilities by softmax. The map is that
        of the lesion, whatever its class; as a share of its highest value it always points somewhere.

        Raises:
            GeometryError: the settings' `input_mm` is finer than half the MIPs' pixel.
        """
        return mask_activation({plane: self._score(mips, plane) for plane in mips.planes}, self.classes, mips)

    def _score(self, mips: MipPair, plane: Plane) -> ViewScores:
        def look(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            with torch.inference_mode():
                scores = self.network(torch.from_numpy(values)[None, None], torch.tensor([values.shape]))
            return scores.logits[0].numpy(), scores.mask[0].numpy()

        return view_scores(look, mips, plane, self.training_settings)
