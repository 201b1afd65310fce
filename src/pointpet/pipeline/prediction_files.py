"""The images that a prediction leaves in its folder, the same for a study and for `predict`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Grid, MipPair, Plane, Prediction
from pointpet.io.artefacts import write_bytes
from pointpet.io.nifti import write_map, write_mask
from pointpet.project import project_mask
from pointpet.report.case_picture import render_case_picture


def write_prediction(
    folder: Path,
    prediction: Prediction,
    mips: MipPair,
    *,
    stored: Grid | None,
    keep_maps: bool = True,
    truth_pictures: Mapping[Plane, NDArray[np.bool_]] | None = None,
) -> None:
    """Write mask.nii.gz (shape, voxel order and affine of the source), cam_PLANE.nii.gz and mip.png.

    Args:
        stored: the source image's own grid.
        truth_pictures: plane to (U, Z) projected reference, drawn as a contour where given.
    """
    mask_pictures = dict(prediction.picture_masks)
    if prediction.mask is not None:
        write_mask(folder / "mask.nii.gz", prediction.mask, stored)
        mask_pictures = project_mask(prediction.mask, mips.pixel_mm)
    if keep_maps:
        for plane, activation in prediction.maps.items():
            write_map(folder / f"cam_{plane}.nii.gz", activation)
    write_bytes(folder / "mip.png", render_case_picture(mips, prediction, mask_pictures, truth_pictures or {}))
