"""The one place that imports Lightning: training needs it, and prediction is spared the two seconds that it takes."""

from __future__ import annotations

from pointpet.core import MissingExtraError

try:
    import pytorch_lightning as lightning
    from pytorch_lightning.callbacks import ModelCheckpoint
except ImportError as error:
    raise MissingExtraError(
        "PP-EXTRA-TRAIN",
        "training",
        f"needs pytorch-lightning, missing: {error.name}",
        "Install it: pip install 'pointpet[train]'",
    ) from error

__all__ = ["ModelCheckpoint", "lightning"]
