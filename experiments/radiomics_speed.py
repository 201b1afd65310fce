"""Processor seconds for all features of a mask: of tumours, and of what thresholds mark in the whole scan.

    pointpet phantom DIR --patients 12 --seed 5
    python experiments/radiomics_speed.py DIR/cohort.csv --out docs/results/radiomics_speed.md

Reading and the libraries' loading are left out.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from sts_cases import machine

from pointpet.core import Mask
from pointpet.io.cohort_csv import read_cohort
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.inputs import read_case, read_case_mask
from pointpet.pipeline.quantify import feature_columns, mask_features
from pointpet.quantify.radiomics import RadiomicsSettings, radiomics_backend

THRESHOLDS = ("suv25", "suv40", "fixed41")


def main() -> None:
    """Measure, print, write the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    settings, backend = RadiomicsSettings(), radiomics_backend()
    seconds, volumes = defaultdict(list), defaultdict(list)
    warm = False
    for case in read_cohort(options.cohort).cases[: options.cases]:
        volume = read_case(case).volume
        truth = read_case_mask(case, volume)
        masks = {"true mask": truth}
        for name in THRESHOLDS:
            threshold = Configuration().method(name).threshold_suv(volume)
            masks[f"`{name}`"] = Mask(volume.voxels >= np.float32(threshold), volume.affine)
        if not warm:
            mask_features(volume, truth, settings)
            warm = True
        for name, mask in masks.items():
            begin = time.process_time()
            row = mask_features(volume, mask, settings)
            seconds[name].append(time.process_time() - begin)
            volumes[name].append(row["mtv_ml"])
    lines = ["| Mask | Volume, mL (median) | Processor time, s (median) | Longest, s |", "|---|---|---|---|"]
    for name, values in seconds.items():
        lines.append(f"| {name} | {np.median(volumes[name]):.0f} | {np.median(values):.2f} | {max(values):.2f} |")
    print("\n".join(lines))
    if options.out:
        heading = (
            "# Time for the features of a mask\n\n"
            f"All {len(feature_columns())} features of each mask of {options.cases} "
            "phantom patients, processor time on one thread; what thresholds mark reaches over the whole scan.\n\n"
            "Commands: `pointpet phantom DIR --patients 12 --seed 5`, "
            "`python experiments/radiomics_speed.py DIR/cohort.csv`\n\n"
            f"Library: {backend.name} {backend.version}. Machine: {machine()}.\n\n"
        )
        options.out.write_text(heading + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
