"""A small cohort of synthetic scans: a bright blob whose height tells the class, on noise, a second away to read."""

from pathlib import Path

import numpy as np
import pytest

from pointpet.core import Grid, Mask, Volume
from pointpet.io.cohort_csv import write_cohort
from pointpet.io.nifti import write_mask, write_volume
from pointpet.pipeline.config import Configuration, build_configuration

SHAPE = (28, 20, 40)
SPACING_MM = 8.0
BODY_SUV = 0.6
BLADDER_SUV = 2.0
CLASS_HEIGHT = {"lung": 27, "oesophagus": 12}


def blob_scan(label: str, seed: int) -> tuple[Volume, Mask, np.ndarray]:
    """A body of SUV 0.6 with one ball of SUV 8, and a bladder of SUV 2 below it; the ball's centre in mm."""
    rng = np.random.default_rng(seed)
    # Stored axes L, P, S: what most scanners write.
    stored = np.diag([-SPACING_MM, -SPACING_MM, SPACING_MM, 1.0])
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = [-SPACING_MM * (SHAPE[0] - 1), -SPACING_MM * (SHAPE[1] - 1), 0]
    index = np.indices(SHAPE).astype(float)
    body = ((index[0] - 13.5) / 12) ** 2 + ((index[1] - 9.5) / 8) ** 2 < 1
    voxels = np.where(body, BODY_SUV, 0.0) + rng.gamma(2.0, 0.02, SHAPE)
    bladder = ((index - np.array([13, 10, 3])[:, None, None, None]) ** 2).sum(axis=0) <= 1.5**2
    voxels[bladder] = BLADDER_SUV
    centre = np.array([rng.integers(8, 20), rng.integers(7, 13), CLASS_HEIGHT[label] + rng.integers(-3, 4)])
    ball = ((index - centre[:, None, None, None]) ** 2).sum(axis=0) <= 2.6**2
    voxels[ball] = 8.0 + rng.normal(0, 0.3, int(ball.sum()))
    volume = Volume(voxels.astype(np.float32), affine, stored=Grid(SHAPE, stored))
    return volume, Mask(ball, affine), volume.grid.world(centre)[0]


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen cases, two classes, masks and points; read only, copy it to change it."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for number in range(16):
        label = ("lung", "oesophagus")[number % 2]
        case_id = f"C{number:02d}"
        volume, mask, centre = blob_scan(label, number)
        write_volume(folder / "images" / f"{case_id}.nii.gz", volume)
        write_mask(folder / "masks" / f"{case_id}.nii.gz", mask, volume.stored)
        rows.append(
            {
                "case_id": case_id,
                "pet": f"images/{case_id}.nii.gz",
                "pet_units": "suv",
                "label": label,
                "mask": f"masks/{case_id}.nii.gz",
                "x_mm": centre[0],
                "y_mm": centre[1],
                "z_mm": centre[2],
            }
        )
    write_cohort(folder / "cohort.csv", rows)
    return folder


@pytest.fixture(scope="session")
def quick() -> Configuration:
    """Two epochs of a very small network: enough to run every line, not to learn much."""
    training = {
        "epochs": 2,
        "input_mm": 8.0,
        "cam_stride": 4,
        "widths": [4] * 8,
        "batch_size": 8,
        "threads": 1,
        "patience": 5,
    }
    unet = {"features": [4, 4, 4, 8, 8, 4], "epochs": 2, "cell_mm": 8.0, "patch_cells": 16}
    own = {"unet": unet, "cam_fcn": {"epochs": 2}, "candidates": {"trees": 5, "leaf": 1, "least_clicks": 1}}
    return build_configuration({"training": training, "prepare": {"pixel_mm": 4.0}, **own})
