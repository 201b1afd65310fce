"""A trained network run by onnxruntime: the answers of `TrainedNetwork` and `TrainedViewUnet` without torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.core import MipPair, ModelError, Plane
from pointpet.learn.activation import Activation, ViewScores, cam_activation, mask_activation, view_scores
from pointpet.learn.backend_onnx import onnxruntime
from pointpet.learn.onnx_names import CORONAL, IMAGE, LOGITS, MAPS
from pointpet.learn.records import UNET_ARCHITECTURE, read_cam_record, read_unet_record


class OnnxNetwork:
    """A network in the ONNX format with its classes and settings.

    Args:
        content: of model.onnx.
        tensors, record: of the same model's folder, see `TrainedNetwork`.

    Raises:
        ModelError: the record is of an unknown architecture, or `content` is no graph that onnxruntime runs, or not one
            of ours.
    """

    def __init__(self, content: bytes, tensors: Mapping[str, NDArray], record: Mapping[str, Any]) -> None:
        self._record = dict(record)
        self._tensors = dict(tensors)
        self._finds_masks = record.get("architecture") == UNET_ARCHITECTURE
        if self._finds_masks:
            self.classes, _, self.settings = read_unet_record(record)
        else:
            self.classes, self.settings = read_cam_record(record)
        self._session = _start(content)
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        outputs = {entry.name for entry in self._session.get_outputs()}
        if not (IMAGE in self._inputs <= {IMAGE, CORONAL} and outputs == {LOGITS, MAPS}):
            raise _unusable(f"must have {IMAGE} in, {LOGITS} and {MAPS} out, got {self._inputs} and {outputs}")

    @property
    def record(self) -> dict[str, Any]:
        """Architecture, classes, settings and training record, as the torch network's."""
        return self._record

    def tensors(self) -> dict[str, NDArray]:
        """The weights by name."""
        return dict(self._tensors)

    def activate(self, mips: MipPair) -> Activation:
        """Classify a scan and map the evidence, as the torch network does.

        Raises:
            GeometryError: the settings' `input_mm` is no multiple of the MIPs' pixel.
        """
        views = {plane: self._score(mips, plane) for plane in mips.planes}
        answer = mask_activation if self._finds_masks else cam_activation
        return answer(views, self.classes, mips)

    def _score(self, mips: MipPair, plane: Plane) -> ViewScores:
        def look(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            given = {IMAGE: values[None, None], CORONAL: np.array([plane is Plane.CORONAL])}
            fed = {name: value for name, value in given.items() if name in self._inputs}
            logits, maps = self._session.run([LOGITS, MAPS], fed)
            return np.asarray(logits)[0], np.asarray(maps)[0]

        return view_scores(look, mips, plane, self.settings)


def _start(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    # Processes that share the cores are told so by this variable, which onnxruntime itself does not read.
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions share no base but this one
        raise _unusable(f"cannot be run by onnxruntime {onnxruntime.__version__} ({type(error).__name__})") from error


def _unusable(problem: str) -> ModelError:
    return ModelError("PP-MODEL-ONNX", "model.onnx", problem, "Write it again: pointpet export MODEL --overwrite")
