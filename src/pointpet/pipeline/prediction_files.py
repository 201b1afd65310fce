"""The images that a prediction leaves in its folder, the same for a study and for `predict`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Grid, MipPair, Plane, Prediction, to_picture
from pointpet.io.artefacts import write_bytes
from pointpet.io.mip_pictures import write_picture
from pointpet.io.nifti import write_map, write_mask
from pointpet.project import project_mask
from pointpet.report.case_picture import render_case_picture

Pictures = Mapping[Plane, NDArray[np.bool_]]


def predicted_pictures_of(prediction: Prediction, mips: MipPair) -> Pictures:
    """The predicted mask as each view shows it: projected from 3D, or the 2D masks of ready-made pictures."""
    if prediction.mask is None:
        return prediction.picture_masks
    return project_mask(prediction.mask, pixel_mm=mips.pixel_mm)


def write_prediction(
    folder: Path,
    prediction: Prediction,
    mips: MipPair,
    predicted_pictures: Pictures,
    *,
    stored: Grid | None,
    keep_maps: bool = True,
    truth_pictures: Pictures | None = None,
) -> None:
    """Write mask.nii.gz (shape, voxel order and affine of the source), cam_PLANE.nii.gz and mip.png.

    Ready-made pictures have mask_PLANE.png, of the picture's size, in place of mask.nii.gz.

    Args:
        predicted_pictures: plane to (U, Z) bool, from `predicted_pictures_of`.
        stored: the source image's own grid.
        truth_pictures: plane to (U, Z) projected reference, drawn as a contour where given.
    """
    if prediction.mask is not None:
        write_mask(folder / "mask.nii.gz", prediction.mask, stored)
    for plane, mask in prediction.picture_masks.items():
        write_picture(folder / f"mask_{plane}.png", to_picture(mask).astype(np.uint8) * 255)
    if keep_maps:
        for plane, activation in prediction.maps.items():
            depth = {Plane.CORONAL: mips.sagittal, Plane.SAGITTAL: mips.coronal}[plane]
            write_map(folder / f"cam_{plane}.nii.gz", activation, ray_cells=1 if depth is None else len(depth))
    write_bytes(folder / "mip.png", render_case_picture(mips, prediction, predicted_pictures, truth_pictures or {}))
