"""A trained model as a MONAI bundle: MONAI's folders and configuration around a pointpet model folder.

Source: MONAI bundle specification, docs.monai.io. The weights stay safetensors: MONAI's own `model.pt` is a pickle, so
that `monai.bundle.run` and `create_workflow` serve a bundle of ours, and `monai.bundle.load` does not.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pointpet._version import __version__
from pointpet.core import ModelError
from pointpet.io.artefacts import lock_folder, write_json
from pointpet.io.model_folder import CARD_NAME, RECORD_NAME, WEIGHTS_NAME
from pointpet.methods.model_card import PHANTOM_NOTICE, TASK
from pointpet.pipeline.confidence import FILE as CONFIDENCE
from pointpet.pipeline.model_loading import is_phantom_trained, load_model
from pointpet.pipeline.outputs import claim_folder
from pointpet.pipeline.predict import NOTICE, predict_inputs
from pointpet.pipeline.shipped import find_model

MODELS = "models"
"""The bundle's folder of weights, which is a pointpet model folder."""
CELLS = 16
"""Side of the picture in cells of the map that the metadata state as an example."""


def write_bundle(model: str | Path, out: Path, *, overwrite: bool = False) -> None:
    """Write `model` as a bundle into the folder `out`.

    Raises:
        ModelError: no usable model, or one that is no `proposed` or `cam_alone` network for both views.
        OutputError: `out` holds something else.
        MissingExtraError: torch is not installed.
    """
    from pointpet.methods.map_network import map_network

    folder = find_model(model)
    _, record = load_model(folder)
    if "cam_stride" not in record["network"].get("settings", {}):
        raise ModelError(
            "PP-EXPORT-METHOD",
            f"model {folder.name}",
            f"is of {record['method']}, no activation network",
            "Export a model of `proposed` or `cam_alone`",
        )
    map_network(folder)
    with lock_folder(out):
        claim_folder(out, "monai-bundle", {"weights": record["weights_sha256"], "v": __version__}, overwrite=overwrite)
        for name in (WEIGHTS_NAME, RECORD_NAME, CARD_NAME):
            (out / MODELS).mkdir(exist_ok=True)
            shutil.copyfile(folder / name, out / MODELS / name)
        if (folder / CONFIDENCE).is_file():
            shutil.copyfile(folder / CONFIDENCE, out / MODELS / CONFIDENCE)
        (out / "docs").mkdir(exist_ok=True)
        shutil.copyfile(folder / CARD_NAME, out / "docs" / "README.md")
        write_json(out / "configs" / "metadata.json", metadata(record))
        write_json(out / "configs" / "inference.json", INFERENCE)


def metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    """What configs/metadata.json holds, from a model's record."""
    network = record["network"]
    classes, settings = network["classes"], network["settings"]
    side = settings["cam_stride"] * CELLS
    phantom = f" {PHANTOM_NOTICE}" if is_phantom_trained(record) else ""
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "PT",
        "num_channels": 1,
        "spatial_shape": [f"{side} * n", f"{side} * n"],
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {"0": f"MIP, SUV / {settings['suv_ceiling']:g}, pixels of {settings['input_mm']:g} mm"},
    }
    maps = {
        "type": "image",
        "format": "segmentation",
        "num_channels": len(classes),
        "spatial_shape": [f"{CELLS} * n", f"{CELLS} * n"],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {str(index): name for index, name in enumerate(classes)},
    }
    return {
        "version": __version__,
        "changelog": {__version__: "exported by pointpet"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"pointpet": __version__},
        "name": f"pointpet {record['method']}",
        "task": TASK,
        "description": f"{NOTICE}{phantom} Class activation maps of FDG-PET MIPs, and 3D masks from them.",
        "authors": "The pointpet authors, and whoever trained the weights",
        "copyright": "of the weights: whoever trained them",
        "intended_use": "Research use only",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": maps}},
    }


class BundlePrediction:
    """What `run` of a bundle does: `pointpet predict` with the bundle's model.

    Args:
        model: folder of the weights. scans: DICOM folders, NIfTI files or a manifest. out: folder for the results.
        units: what bare NIfTI files hold, `suv` or `bqml`; None for their sidecars' word.
    """

    def __init__(self, model: str, scans: Sequence[str], out: str, units: str | None = None) -> None:
        self.model = Path(model)
        self.scans = [Path(scan) for scan in scans]
        self.out = Path(out)
        self.units = units

    def run(self) -> None:
        """Predict every scan; what fails is raised when the others are done.

        Raises:
            PointpetError: the first failure.
        """
        outcome = predict_inputs(self.model, self.scans, self.out, units=self.units)
        if outcome.failures:
            case_id, error = outcome.failures[0]
            raise error.about(case_id)


INFERENCE: Mapping[str, Any] = {
    "imports": ["$import torch"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": ".",
    "scans": [],
    "units": None,
    "device": "$torch.device('cpu')",
    "dataset": {"_target_": "Dataset", "data": "$[@dataset_dir + '/' + scan for scan in @scans]"},
    "network_def": {"_target_": "pointpet.methods.map_network.map_network", "folder": f"$@bundle_root + '/{MODELS}'"},
    "network": "$@network_def.to(@device)",
    "inferer": {"_target_": "SimpleInferer"},
    "evaluator": {
        "_target_": "pointpet.pipeline.monai_bundle.BundlePrediction",
        "model": f"$@bundle_root + '/{MODELS}'",
        "scans": "$list(@dataset.data)",
        "out": "@output_dir",
        "units": "@units",
    },
    "initialize": [],
    "run": ["$@evaluator.run()"],
    "finalize": [],
}
"""configs/inference.json. Paths of `scans` start at `dataset_dir`."""
