"""The patient's body in a PET, whatever its unit: for checks of plausibility, never for segmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Mask, Volume

BODY_SHARE = 0.03
"""Voxels above this share of the 99th percentile are body. That percentile lies in liver, heart or brain (SUV 3 to 8),
so the border is SUV 0.1 to 0.25: above the noise of the air, below muscle (0.5 to 0.8). A hot bladder fills less than a
hundredth of a scan and does not move it."""

_EVERY = 2
"""Every second voxel along each axis is enough for a percentile."""


def body_threshold(volume: Volume) -> float:
    """The value, in the volume's unit, above which a voxel counts as body."""
    return BODY_SHARE * float(np.percentile(volume.voxels[::_EVERY, ::_EVERY, ::_EVERY], 99))


def body_median_suv(volume: Volume) -> float:
    """Median of the voxels above `body_threshold`, in the volume's unit; 0 where there is none.

    In FDG-PET it is near 0.5 to 1 g/mL; outside 0.1 to 3 the numbers are hardly SUV.
    """
    thinned = volume.voxels[::_EVERY, ::_EVERY, ::_EVERY]
    body = thinned[thinned > body_threshold(volume)]
    return float(np.median(body)) if body.size else 0.0


def body_mask(volume: Volume) -> Mask:
    """The largest connected part above `body_threshold`, lungs and other holes within a transverse slice filled."""
    import cc3d
    from scipy import ndimage

    above: NDArray[np.bool_] = volume.voxels > body_threshold(volume)
    body = cc3d.largest_k(above, k=1, connectivity=6) > 0
    within_slice = ndimage.generate_binary_structure(3, 1)
    within_slice[:, :, [0, 2]] = False
    return Mask(np.asarray(ndimage.binary_fill_holes(body, within_slice), bool), volume.affine)
