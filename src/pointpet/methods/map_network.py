"""A trained network as a plain torch module, for MONAI bundles and others that want images in and maps out.

Shape letters: B views, C classes, H, W rows and columns of the input, h, w those of the map.
"""

from __future__ import annotations

from pathlib import Path

from pointpet.core import ModelError
from pointpet.io.model_folder import read_model
from pointpet.learn.backend import nn, torch
from pointpet.learn.network import BOTH_VIEWS, EightLayerNetwork, ViewNetworks
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.trained import TrainedNetwork, check_tensors
from pointpet.methods.stored import network_tensors


class MapNetwork(nn.Module):
    """Images (B, 1, H, W), SUV over the model's ceiling in [0, 1], to raw class activation maps (B, C, h, w).

    H and W are multiples of the model's `cam_stride`; h and w are H and W divided by it. The mean of a map, plus the
    bias that `network.bias` holds, is its class's score.
    """

    def __init__(self, network: EightLayerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class."""
        sizes = torch.tensor([list(images.shape[2:])] * len(images))
        return self.network(images, sizes).maps


def map_network(folder: str | Path) -> MapNetwork:
    """The network of a model folder, with its weights, ready to predict.

    Raises:
        ModelError: no usable model, or one with a network for each view.
    """
    folder = Path(folder)
    tensors, record = read_model(folder)
    tensors = network_tensors(tensors)
    trained = TrainedNetwork.from_tensors(tensors, record["network"])
    if not trained.settings.shared_views:
        raise ModelError(
            "PP-EXPORT-VIEWS",
            f"model {folder.name}",
            "must have one network for both views, got one for each",
            "Train with training.shared_views: true",
        )
    networks = ViewNetworks(TrainingSettings(**record["network"]["settings"]), len(trained.classes))
    check_tensors(networks.state_dict(), tensors)
    networks.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()})
    network = networks.networks[BOTH_VIEWS]
    assert isinstance(network, EightLayerNetwork)
    return MapNetwork(network.eval())
