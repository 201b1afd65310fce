"""A model folder as a method that predicts: read once, and again where its files have changed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pointpet.core import ConfigError, ModelError
from pointpet.io.model_folder import read_model
from pointpet.learn.settings import TrainingSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import FittedMethod
from pointpet.methods.fitted_weak import load_onnx
from pointpet.methods.registry import build_method

RUNTIMES = ("torch", "onnx")


def load_model(folder: Path, runtime: str = "torch") -> tuple[FittedMethod, dict[str, Any]]:
    """Read a model folder: the fitted method and model.json's record.

    Raises:
        ModelError: missing, damaged, foreign, or without the model.onnx that the runtime `onnx` needs.
        ConfigError: an unknown runtime.
    """
    return _loaded(folder, runtime, _stamp(folder))


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Of each file of a folder, name, time and size: a model that was trained again in its place is another one."""
    files = sorted(path for path in folder.glob("[!.]*") if path.is_file())
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)


@lru_cache(maxsize=2)
def _loaded(folder: Path, runtime: str, stamp: tuple) -> tuple[FittedMethod, dict[str, Any]]:  # noqa: ARG001 - a key
    if runtime not in RUNTIMES:
        raise ConfigError(
            "PP-RUNTIME-UNKNOWN", f"--runtime {runtime}", "is not known", f"Use one of: {', '.join(RUNTIMES)}"
        )
    _, record = read_model(folder)
    name = str(record.get("method"))
    method = build_method(name, TrainingSettings(), LocaliseSettings())
    try:
        return method.load(folder) if runtime == "torch" else load_onnx(folder, name), dict(record)
    except ModelError as error:
        raise error.about(f"model {folder.name}") from error


def is_phantom_trained(record: Mapping[str, Any]) -> bool:
    """True where a model has seen digital phantoms only."""
    return record.get("cohort", {}).get("source") == "phantom"
