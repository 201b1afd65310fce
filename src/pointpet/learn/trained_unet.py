"""A trained U-Net: class probabilities and lesion maps of a scan, from its MIPs or its volume alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, MipPair, ModelError, Plane, PointpetError, from_picture
from pointpet.learn.backend import functional, torch
from pointpet.learn.pictures import Frame, network_input
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.trained import Activation, check_tensors
from pointpet.learn.unet_network import ClassifyingUnet, UnetScores
from pointpet.learn.unet_settings import UnetSettings

ARCHITECTURE = "classifying-unet"


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
            "architecture": ARCHITECTURE,
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
        try:
            if record["architecture"] != ARCHITECTURE:
                raise ValueError(f"architecture {record['architecture']!r}")
            classes = tuple(str(name) for name in record["classes"])
            settings = UnetSettings(**record["settings"])
            training_settings = TrainingSettings(**record["training_settings"])
        except (KeyError, TypeError, ValueError, PointpetError) as error:
            raise ModelError(
                "PP-MODEL-RECORD",
                "model record",
                f"must describe a network of architecture {ARCHITECTURE} with its classes and settings, got {error}",
                "Read the model with the version that wrote it, or train it again",
            ) from error
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
            GeometryError: the settings' `input_mm` is no multiple of the MIPs' pixel.
        """
        scored = {plane: self._score(mips, plane) for plane in mips.planes}
        logits = torch.stack([scores.logits[0] for scores, _ in scored.values()]).double().mean(0)
        probabilities = dict(zip(self.classes, torch.softmax(logits, 0).tolist(), strict=True))
        predicted = self.classes[int(logits.argmax())]
        maps = {
            plane: ActivationMap(
                from_picture(_at_picture_size(torch.sigmoid(scores.mask[0, 0]), frame)),
                plane,
                predicted,
                mips.pixel_mm,
                mips.origin_mm,
            )
            for plane, (scores, frame) in scored.items()
        }
        return Activation(probabilities, maps)

    def _score(self, mips: MipPair, plane: Plane) -> tuple[UnetScores, Frame]:
        values, frame = network_input(mips.picture(plane), mips.pixel_mm, self.training_settings)
        with torch.inference_mode():
            return self.network(torch.from_numpy(values)[None, None], torch.tensor([values.shape])), frame


def _at_picture_size(probability: torch.Tensor, frame: Frame) -> NDArray[np.float32]:
    """Bring a map (h, w) as a share of its highest value to the picture (H, W), linearly between pixels' centres."""
    share = probability / probability.max().clamp_min(torch.finfo(torch.float32).tiny)
    size = (frame.height * frame.factor, frame.width * frame.factor)
    spread = functional.interpolate(share[None, None], size=size, mode="bilinear", align_corners=False)
    return frame.paste(spread[0, 0].clamp(0, 1).numpy())
