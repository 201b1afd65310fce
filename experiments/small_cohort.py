"""Cohorts of many small scans, for measurements that are about their number: a body with one ball, 28 x 20 x 40 voxels.

The class follows from the ball's height, so that a network has something to learn. Equal arguments give equal bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointpet.core import Grid, Mask, Volume, generator
from pointpet.io.cohort_csv import write_cohort
from pointpet.io.nifti import write_mask, write_volume

SHAPE = (28, 20, 40)
SPACING_MM = 8.0
HEIGHTS = {"lung": 27, "oesophagus": 12}
QUICK = """\
training: {epochs: 4, input_mm: 8.0, cam_stride: 4, widths: [4, 4, 4, 4, 4, 4, 4, 4], threads: 1, precision: fp32}
prepare: {pixel_mm: 4.0}
"""
"""Settings of a training of a second or so."""


def small_scan(number: int) -> tuple[str, Volume, Mask, np.ndarray]:
    """Class, SUV volume, mask and centre (3,) mm of scan `number`."""
    random = generator(0, "small scan", number)
    label = tuple(HEIGHTS)[number % 2]
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = [-SPACING_MM * (SHAPE[0] - 1), -SPACING_MM * (SHAPE[1] - 1), 0]
    index = np.indices(SHAPE).astype(float)
    body = ((index[0] - 13.5) / 12) ** 2 + ((index[1] - 9.5) / 8) ** 2 < 1
    voxels = np.where(body, 0.6, 0.0) + random.gamma(2.0, 0.02, SHAPE)
    centre = np.array([random.integers(8, 20), random.integers(7, 13), HEIGHTS[label] + random.integers(-3, 4)])
    ball = ((index - centre[:, None, None, None]) ** 2).sum(axis=0) <= 2.6**2
    voxels[ball] = 8.0 + random.normal(0, 0.3, int(ball.sum()))
    stored = np.diag([-SPACING_MM, -SPACING_MM, SPACING_MM, 1.0])
    volume = Volume(voxels.astype(np.float32), affine, stored=Grid(SHAPE, stored))
    return label, volume, Mask(ball, affine), volume.grid.world(centre)[0]


def write_small_cohort(folder: Path, count: int, *, distinct: int | None = None) -> Path:
    """Write `count` cases and give the manifest's path.

    Args:
        folder: where to.
        count: number of cases.
        distinct: number of scans that are really made; the cases take turns with hard links to them.
    """
    rows, made = [], min(count, distinct or count)
    places = []
    for number in range(count):
        case_id, source = f"S{number:06d}", f"S{number % made:06d}"
        image, mask = f"images/{case_id}.nii.gz", f"masks/{case_id}.nii.gz"
        if number < made:
            label, volume, truth, centre = small_scan(number)
            write_volume(folder / image, volume)
            write_mask(folder / mask, truth, volume.stored)
            places.append((label, centre.tolist()))
        else:
            for path in (image, mask):
                (folder / path).hardlink_to(folder / path.replace(case_id, source))
        label, centre = places[number % made]
        row = {"case_id": case_id, "pet": image, "pet_units": "suv", "label": label, "mask": mask}
        rows.append(row | dict(zip(("x_mm", "y_mm", "z_mm"), centre, strict=True)))
    write_cohort(folder / "cohort.csv", rows)
    (folder / "quick.yaml").write_text(QUICK)
    return folder / "cohort.csv"
