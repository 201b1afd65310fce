"""A trained network as an ONNX graph: class scores first, activation maps second, pictures of any size. Needs torch.

Shape letters: B views, C classes, H, W of the network's input, h, w of its maps.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pointpet.core import MissingExtraError
from pointpet.learn.backend import nn, torch
from pointpet.learn.network import BOTH_VIEWS, ViewNetworks
from pointpet.learn.onnx_names import CORONAL, IMAGE, LOGITS, MAPS, OPSET
from pointpet.learn.trained import TrainedNetwork
from pointpet.learn.trained_unet import TrainedViewUnet
from pointpet.learn.unet_network import ClassifyingUnet
from pointpet.learn.unet_settings import DEEPEST_STRIDE

_EXAMPLE_CELLS = (5, 7)
"""Cells along the sides of the picture that the graph is traced with; any but 1, which would be taken as fixed."""


def onnx_graph(network: TrainedNetwork | TrainedViewUnet) -> bytes:
    """The network in the ONNX format; inputs and outputs are those of `onnx_names`, H and W are dynamic.

    Raises:
        MissingExtraError: the exporter's packages are not installed.
    """
    if isinstance(network, TrainedViewUnet):
        graph, stride = _UnetGraph(network.network), DEEPEST_STRIDE
    else:
        graph = _CamGraph(network.networks)
        stride = network.settings.cam_stride
    return _export(graph, stride)


class _CamGraph(nn.Module):
    """Scores and maps of views that fill their images. Of two networks both run, and each view takes its own."""

    def __init__(self, networks: ViewNetworks) -> None:
        super().__init__()
        self.by_view = nn.ModuleList(networks.networks.values())
        self.inputs = (IMAGE,) if BOTH_VIEWS in networks.networks else (IMAGE, CORONAL)

    def forward(self, image: torch.Tensor, coronal: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Class scores (B, C) and raw maps (B, C, h, w) of images (B, 1, H, W)."""
        scores = [network(image) for network in self.by_view]
        if coronal is None:
            return scores[0].logits, scores[0].maps
        first, second = scores  # in the order of `Plane`: coronal first
        return (
            torch.where(coronal[:, None], first.logits, second.logits),
            torch.where(coronal[:, None, None, None], first.maps, second.maps),
        )


class _UnetGraph(nn.Module):
    """Class scores and raw scores of the mask."""

    def __init__(self, network: ClassifyingUnet) -> None:
        super().__init__()
        self.network = network
        self.inputs = (IMAGE,)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Class scores (B, C) and mask (B, 1, H, W) of images (B, 1, H, W)."""
        scores = self.network(image)
        return scores.logits, scores.mask


def _export(graph: _CamGraph | _UnetGraph, stride: int) -> bytes:
    height, width = (cells * stride for cells in _EXAMPLE_CELLS)
    examples = {IMAGE: torch.zeros(2, 1, height, width), CORONAL: torch.tensor([True, False])}
    views = torch.export.Dim("views")
    sides = {2: stride * torch.export.Dim("cell_rows"), 3: stride * torch.export.Dim("cell_columns")}
    shapes = {IMAGE: {0: views, **sides}, CORONAL: {0: views}}
    with _quiet_exporter():
        try:
            program = torch.onnx.export(
                graph.eval(),
                tuple(examples[name] for name in graph.inputs),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=list(graph.inputs),
                output_names=[LOGITS, MAPS],
                dynamic_shapes=tuple(shapes[name] for name in graph.inputs),
            )
        except ImportError as error:
            raise MissingExtraError(
                "PP-EXTRA-ONNX",
                "the ONNX export",
                f"needs onnx and onnxscript, missing: {error.name}",
                "Install them: pip install 'pointpet[onnx]'",
            ) from error
    assert program is not None
    return program.model_proto.SerializeToString()


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's remarks on its own progress and on packages that are not used from the user's screen."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
