"""A contact sheet of phantom cases, to be looked at beside real scans.

    python experiments/phantom_sheet.py --preset default --cases 8 -o sheet.png

Coronal and sagittal MIP of each case, inverted grey, SUV 0 to 7, four cases a row, 2.5 mm a pixel.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

from pointpet.core import Plane, Volume, to_picture
from pointpet.phantom import PRESETS, generate_case

PIXEL_MM = 2.5
CASES_A_ROW = 4
GAP = 6


def pictures(volume: Volume, suv_top: float) -> list[NDArray[np.uint8]]:
    """Both MIPs (H, W) of a volume, head first, dark where hot."""
    found = []
    for plane in Plane:
        values = volume.voxels.max(axis=plane.ray_axis)
        edges = volume.spacing_mm[[plane.axis, 2]]
        picture = np.asarray(zoom(to_picture(values), edges[::-1] / PIXEL_MM, order=1))
        found.append((255 * (1 - np.clip(picture / suv_top, 0, 1))).astype(np.uint8))
    return found


def joined(parts: list[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    """Pictures side by side (axis 1) or below each other (axis 0), padded with white."""
    size = max(part.shape[1 - axis] for part in parts)
    padded = []
    for part in parts:
        widths = [(0, GAP), (0, GAP)]
        widths[1 - axis] = (0, size - part.shape[1 - axis])
        padded.append(np.pad(part, widths, constant_values=255))
    return np.concatenate(padded, axis=axis)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--suv-top", type=float, default=7.0)
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args()
    rows, row = [], []
    last = chosen.first + chosen.cases
    for index in range(chosen.first, last):
        case = generate_case(index, patients=last, seed=chosen.seed, preset=chosen.preset)
        row += pictures(case.volume, chosen.suv_top)
        if len(row) == 2 * CASES_A_ROW or index == last - 1:
            rows.append(joined(row, 1))
            row = []
    Image.fromarray(joined(rows, 0)).save(chosen.output)
