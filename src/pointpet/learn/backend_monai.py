"""The one place that imports MONAI, so that its absence is told once and in plain words."""

from __future__ import annotations

from pointpet.core import MissingExtraError

try:
    from monai.inferers.utils import sliding_window_inference
    from monai.networks.nets.basic_unet import BasicUNet
except ImportError as error:
    raise MissingExtraError(
        "PP-EXTRA-TRAIN",
        "the U-Net",
        f"needs MONAI, missing: {error.name}",
        "Install it: pip install 'pointpet[train]'",
    ) from error

__all__ = ["BasicUNet", "sliding_window_inference"]
