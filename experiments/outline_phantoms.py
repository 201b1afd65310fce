"""Outline rules on the phantom: from the click, and from maps that point at the tumour as coarsely as a network does.

    python experiments/outline_phantoms.py --patients 40 --seed 7 --out docs/results/outline_phantoms.md

The maps are the projected truth averaged over cells of 16 or 32 mm, blurred by half a cell or more and interpolated,
like an activation map at 1/8 or 1/16 of its input; `off` moves each map by 8 mm (standard deviation) in each axis.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from provenance import machine
from scipy import ndimage
from sts_cases import dice

from pointpet.core import ActivationMap, Plane, generator
from pointpet.localise import RULES, LocaliseSettings, localise, segment_point
from pointpet.phantom import PhantomCase, generate_case

PIXEL_MM = 4.0
MAPS = {
    "cells of 16 mm": {"cell_mm": 16.0, "blur_cells": 0.7},
    "cells of 32 mm": {"cell_mm": 32.0, "blur_cells": 0.5},
    "cells of 32 mm, off": {"cell_mm": 32.0, "blur_cells": 0.7, "shift_mm": 8.0},
    "cells of 16 mm, wide": {"cell_mm": 16.0, "blur_cells": 2.0},
}
SHARES = {"share": ("share", (0.3, 0.35, 0.45, 0.5)), "contrast": ("contrast_share", (0.3, 0.4, 0.45, 0.5))}
OUTLINES = ("hull", "hull_suv", "share", "contrast", "by_size")

INTRODUCTION = """# Outline rules on the phantom

{patients} patients of each preset, seed {seed}. Truth is the sharp support of the tumour's activity. "From the click":
one click near the tumour's centre, no model. "From maps": the projected truth, coarsened and blurred as an activation
map is; this is no trained network, so it shows the outline alone. Cells are mean Dice (share of cases under 0.5).
What `by_size` takes for a leak of `ray` was read off these patients, too.

Command: `python experiments/outline_phantoms.py --patients {patients} --seed {seed}`

Machine: {machine}

| Where from | Rule | `default` | `hard` |
|---|---|---|---|
"""


def coarse_maps(case: PhantomCase, random: np.random.Generator, **kind: float) -> dict[Plane, ActivationMap]:
    """A map of each plane from the projected truth."""
    grid = case.volume.grid
    corners = grid.world(np.array([[0, 0, 0], np.array(grid.shape) - 1]))
    low, cells = corners.min(axis=0), np.ceil(np.ptp(corners, axis=0) / PIXEL_MM).astype(int) + 1
    inside = np.rint((grid.world(np.argwhere(case.mask.voxels)) - low) / PIXEL_MM).astype(int)
    maps = {}
    for plane in Plane:
        shadow = np.zeros((cells[plane.axis], cells[2]), bool)
        shadow[inside[:, plane.axis], inside[:, 2]] = True
        # Voxels wider than a pixel leave gaps in the shadow.
        values = coarsen(ndimage.binary_closing(shadow, np.ones((3, 3))) | shadow, random, **kind)
        maps[plane] = ActivationMap(values, plane, case.label, PIXEL_MM, low)
    return maps


def coarsen(
    shadow: NDArray[np.bool_],
    random: np.random.Generator,
    *,
    cell_mm: float,
    blur_cells: float,
    shift_mm: float = 0.0,
) -> NDArray[np.float32]:
    """Average over cells that lie anywhere on the pixels, blur, shift, interpolate, scale to [0, 1]."""
    step = round(cell_mm / PIXEL_MM)
    start = random.integers(0, step, 2)
    padded = np.pad(shadow.astype(np.float32), [(int(n), 2 * step) for n in start])
    rows, columns = (n // step for n in padded.shape)
    means = padded[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3))
    means = ndimage.gaussian_filter(means, blur_cells)
    if shift_mm:
        means = ndimage.shift(means, random.normal(0, shift_mm / cell_mm, 2), order=1)
    places = [(np.arange(n) + offset + 0.5) / step - 0.5 for n, offset in zip(shadow.shape, start, strict=True)]
    fine = ndimage.map_coordinates(means, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")
    return np.clip(fine / fine.max(), 0, 1).astype(np.float32)


def measure(case: PhantomCase, seed: int) -> dict[tuple[str, str], float]:
    """Dice by (where from, rule) of one case."""
    truth, settings, found = case.mask.voxels, LocaliseSettings(), {}
    variants = [(rule, rule, settings) for rule in RULES]
    for rule, (name, shares) in SHARES.items():
        variants += [(f"{rule} at {share:g}", rule, replace(settings, **{name: share})) for share in shares]
    for title, rule, chosen in variants:
        mask = segment_point(case.volume, case.points_mm[0], rule=rule, settings=chosen).mask
        found["click", title] = dice(mask.voxels, truth)
    for kind, shape in MAPS.items():
        maps = coarse_maps(case, generator(seed, "maps", case.case_id, kind), **shape)
        for outline in OUTLINES:
            mask = localise(case.volume, maps, replace(settings, outline=outline)).mask
            found[kind, outline] = dice(mask.voxels, truth)
    return found


def main() -> None:
    """Measure both presets; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    results: dict[tuple[str, str], dict[str, list[float]]] = {}
    for preset in ("default", "hard"):
        for index in range(asked.patients):
            case = generate_case(index, patients=asked.patients, seed=asked.seed, preset=preset)
            for key, value in measure(case, asked.seed).items():
                results.setdefault(key, {}).setdefault(preset, []).append(value)
    lines = []
    for (source, rule), by_preset in results.items():
        figures = [
            f"{np.mean(values):.3f} ({100 * np.mean(np.array(values) < 0.5):.0f} %)" for values in by_preset.values()
        ]
        lines.append(f"| {source} | `{rule}` | {' | '.join(figures)} |")
    print("\n".join(lines))
    if asked.out:
        text = INTRODUCTION.format(patients=asked.patients, seed=asked.seed, machine=machine())
        asked.out.write_text(text + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
