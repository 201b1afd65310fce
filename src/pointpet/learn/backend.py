"""The one place that imports torch, so that its absence is told once and in plain words."""

from __future__ import annotations

from pointpet.core import MissingExtraError

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtraError(
        "PP-EXTRA-TRAIN",
        "training and the torch runtime",
        f"need torch, missing: {error.name}",
        "Install them: pip install 'pointpet[train]'",
    ) from error

__all__ = ["functional", "nn", "torch"]
