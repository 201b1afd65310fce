"""What model.json says of a network, read back. Needs no torch, so that every runtime reads it alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pointpet.core import ModelError, PointpetError
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.unet_settings import UnetSettings

CAM_ARCHITECTURE = "eight-layer-cam"
UNET_ARCHITECTURE = "classifying-unet"

Content = TypeVar("Content")


def read_cam_record(record: Mapping[str, Any]) -> tuple[tuple[str, ...], TrainingSettings]:
    """Classes and settings of a network of `CAM_ARCHITECTURE`.

    Raises:
        ModelError: the record is of another architecture or incomplete.
    """
    return _read(record, CAM_ARCHITECTURE, lambda: (_classes(record), TrainingSettings(**record["settings"])))


def read_unet_record(record: Mapping[str, Any]) -> tuple[tuple[str, ...], UnetSettings, TrainingSettings]:
    """Classes, settings and training settings of a network of `UNET_ARCHITECTURE`.

    Raises:
        ModelError: the record is of another architecture or incomplete.
    """
    return _read(
        record,
        UNET_ARCHITECTURE,
        lambda: (
            _classes(record),
            UnetSettings(**record["settings"]),
            TrainingSettings(**record["training_settings"]),
        ),
    )


def _classes(record: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(name) for name in record["classes"])


def _read(record: Mapping[str, Any], architecture: str, parse: Callable[[], Content]) -> Content:
    try:
        if record["architecture"] != architecture:
            raise ValueError(f"architecture {record['architecture']!r}")
        return parse()
    except (KeyError, TypeError, ValueError, PointpetError) as error:
        raise ModelError(
            "PP-MODEL-RECORD",
            "model record",
            f"must describe a network of architecture {architecture} with its classes and settings, got {error}",
            "Read the model with the version that wrote it, or train it again",
        ) from error
