"""The one place that imports torch and Lightning, so that their absence is told once and in plain words."""

from __future__ import annotations

from pointpet.core import MissingExtraError

try:
    import pytorch_lightning as lightning
    import torch
    from pytorch_lightning.callbacks import ModelCheckpoint
    from torch import nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtraError(
        "PP-EXTRA-TRAIN",
        "training and the torch runtime",
        f"need torch and pytorch-lightning, missing: {error.name}",
        "Install them: pip install 'pointpet[train]'",
    ) from error

__all__ = ["ModelCheckpoint", "functional", "lightning", "nn", "torch"]
