"""A trained model in the ONNX format, for prediction without torch and for other programs."""

from __future__ import annotations

from pathlib import Path

from pointpet.core import ModelError
from pointpet.io.artefacts import lock_folder
from pointpet.io.model_folder import ONNX_NAME, read_onnx, write_onnx
from pointpet.pipeline.model_loading import load_model


def export_model(folder: Path, *, overwrite: bool = False) -> Path:
    """Write FOLDER/model.onnx, unless it is there and belongs to the model.

    Returns:
        The file.

    Raises:
        ModelError: no usable model; one of a method without a network on MIPs; a model.onnx that is not the model's and
            `overwrite` is not set.
        MissingExtraError: torch or the exporter's packages are not installed.
    """
    fitted, record = load_model(folder)
    from pointpet.learn.onnx_export import onnx_graph
    from pointpet.learn.trained import TrainedNetwork
    from pointpet.learn.trained_unet import TrainedViewUnet

    network = getattr(fitted, "network", None)
    if not isinstance(network, TrainedNetwork | TrainedViewUnet):
        raise ModelError(
            "PP-EXPORT-ONNX",
            f"model {folder.name}",
            f"must hold a network of pointpet's on MIPs, got method {record['method']} with another",
            "Predict with --runtime torch",
        )
    with lock_folder(folder):
        if (folder / ONNX_NAME).exists() and not overwrite:
            read_onnx(folder)
        else:
            write_onnx(folder, onnx_graph(network))
    return folder / ONNX_NAME
