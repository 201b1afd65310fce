"""The one place that imports onnxruntime, so that its absence is told once and in plain words."""

from __future__ import annotations

from pointpet.core import MissingExtraError

try:
    import onnxruntime
except ImportError as error:
    raise MissingExtraError(
        "PP-EXTRA-RUNTIME",
        "the ONNX runtime",
        f"needs onnxruntime, missing: {error.name}",
        "Install it: pip install 'pointpet[runtime]'",
    ) from error

__all__ = ["onnxruntime"]
