"""A trained model on disk: safetensors weights, a JSON record with their hash, and a model card. Never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from pointpet.core import ModelError
from pointpet.io.artefacts import write_bytes, write_json, write_text

WEIGHTS_NAME = "weights.safetensors"
RECORD_NAME = "model.json"
CARD_NAME = "MODEL_CARD.md"
ONNX_NAME = "model.onnx"
FORMAT = "pointpet-model"
FORMAT_VERSION = 1

_CODE_RUNNERS = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".bin", ".npy", ".npz")
_LARGEST_RECORD_BYTES = 16 * 2**20


def write_model(folder: Path, tensors: Mapping[str, NDArray], record: Mapping[str, Any], card: str) -> None:
    """Write a model folder. The record comes last, so that a folder without one is unfinished and is never read.

    Args:
        folder: made where missing; a model in it is replaced.
        tensors: name to array.
        record: architecture, classes, preprocessing, thresholds, training record; what JSON holds. `format`,
            `format_version` and `weights_sha256` are added.
        card: Markdown text.
    """
    folder = Path(folder)
    content = safetensors.numpy.save({name: np.require(tensors[name], requirements="C") for name in sorted(tensors)})
    for name in (RECORD_NAME, ONNX_NAME):
        (folder / name).unlink(missing_ok=True)
    write_bytes(folder / WEIGHTS_NAME, content)
    write_text(folder / CARD_NAME, card)
    ours = {"format": FORMAT, "format_version": FORMAT_VERSION, "weights_sha256": hashlib.sha256(content).hexdigest()}
    write_json(folder / RECORD_NAME, {**record, **ours})


def read_model(folder: Path) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Read a model folder; nothing in it is executed.

    Returns:
        Name to array, and the record.

    Raises:
        ModelError: no model folder, a pickle, unfinished, foreign, newer than this version, or weights that are not
            those the record was written with.
    """
    folder = Path(folder)
    _refuse_pickle(folder)
    record = _read_record(folder)
    try:
        content = (folder / WEIGHTS_NAME).read_bytes()
    except OSError as error:
        raise _error(
            folder, "MISSING", f"{WEIGHTS_NAME} is missing or cannot be read", "Copy the whole folder again"
        ) from error
    if hashlib.sha256(content).hexdigest() != record.get("weights_sha256"):
        raise _error(
            folder,
            "HASH",
            f"{WEIGHTS_NAME} is not the file that {RECORD_NAME} was written with",
            "Copy the whole folder again, or train the model again",
        )
    try:
        return safetensors.numpy.load(content), record
    except (SafetensorError, KeyError, ValueError) as error:
        raise _error(
            folder, "WEIGHTS", f"{WEIGHTS_NAME} is not in the safetensors format", "Give a model that pointpet wrote"
        ) from error


def write_onnx(folder: Path, content: bytes) -> None:
    """Write model.onnx into a model folder, and its hash into the record.

    Raises:
        ModelError: no usable model in `folder`.
    """
    folder = Path(folder)
    record = read_model(folder)[1]
    write_bytes(folder / ONNX_NAME, content)
    write_json(folder / RECORD_NAME, {**record, "onnx_sha256": hashlib.sha256(content).hexdigest()})


def read_onnx(folder: Path) -> bytes:
    """The content of model.onnx.

    Raises:
        ModelError: it is missing, or not the file that the record was written with.
    """
    folder = Path(folder)
    record = _read_record(folder)
    export = "Write it where torch is installed: pointpet export MODEL"
    try:
        content = (folder / ONNX_NAME).read_bytes()
    except OSError as error:
        raise _error(folder, "ONNX-MISSING", f"{ONNX_NAME} is missing or cannot be read", export) from error
    if hashlib.sha256(content).hexdigest() != record.get("onnx_sha256"):
        problem = f"{ONNX_NAME} is not the file that {RECORD_NAME} was written with"
        raise _error(folder, "ONNX-HASH", problem, f"{export} --overwrite")
    return content


def _refuse_pickle(folder: Path) -> None:
    """Stop before anything is opened where the model is a file, or a folder of checkpoints."""
    if not folder.exists():
        raise _error(folder, "MISSING", "does not exist", "Give the folder that `pointpet train` wrote, or `demo`")
    if not folder.is_dir():
        pickled = folder.suffix.lower() in _CODE_RUNNERS or _starts_as_pickle(folder)
        what = "a pickle or checkpoint, which can run code" if pickled else "a file"
        raise _error(folder, "PICKLE" if pickled else "FILE", f"must be a model folder, got {what}", _GIVE_FOLDER)
    others = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _CODE_RUNNERS)
    if others and not (folder / WEIGHTS_NAME).exists():
        raise _error(
            folder, "PICKLE", f"holds {others[0]}, a format that can run code, and no {WEIGHTS_NAME}", _GIVE_FOLDER
        )
    if (folder / WEIGHTS_NAME).is_file() and _starts_as_pickle(folder / WEIGHTS_NAME):
        raise _error(folder, "PICKLE", f"{WEIGHTS_NAME} is a pickle or archive, which can run code", _GIVE_FOLDER)


_GIVE_FOLDER = "Give a folder that `pointpet train` wrote"


def _starts_as_pickle(path: Path) -> bool:
    """True for a pickle (protocol 2 on) and for the zip archive in which torch keeps one."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        return False
    # A safetensors file starts with eight bytes of length, which may look like anything, and then its header's brace.
    return start[8:] != b"{" and start.startswith((b"PK\x03\x04", b"\x80"))


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD_NAME
    try:
        if path.stat().st_size > _LARGEST_RECORD_BYTES:
            raise _error(folder, "RECORD", f"{RECORD_NAME} is larger than any record of ours", _GIVE_FOLDER)
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _error(
            folder, "MISSING", f"{RECORD_NAME} is missing: no model, or one not finished", _GIVE_FOLDER
        ) from error
    except (ValueError, RecursionError) as error:
        raise _error(folder, "RECORD", f"{RECORD_NAME} is not JSON", _GIVE_FOLDER) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise _error(folder, "FOREIGN", f"{RECORD_NAME} is not that of a pointpet model", _GIVE_FOLDER)
    if record.get("format_version") != FORMAT_VERSION:
        raise _error(
            folder,
            "VERSION",
            f"format version must be {FORMAT_VERSION}, got {record.get('format_version')!r}",
            "Update pointpet, or train the model again",
        )
    return record


def _error(folder: Path, code: str, problem: str, remedy: str) -> ModelError:
    return ModelError(f"PP-MODEL-{code}", f"model {folder.name}", problem, remedy)
