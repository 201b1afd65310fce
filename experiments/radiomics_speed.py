"""Processor seconds for all features of a mask: of tumours, and of what thresholds mark in the whole scan.

    pointpet phantom DIR --patients 12 --seed 5
    python experiments/radiomics_speed.py DIR/cohort.csv --out docs/results/radiomics_speed.md

Reading and the libraries' loading are left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pages import publish
from provenance import machine

from pointpet.core import Case, Mask
from pointpet.io.cohort_csv import read_cohort
from pointpet.methods.thresholds import WholeScanThreshold
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.inputs import read_case, read_case_mask
from pointpet.pipeline.quantify import feature_columns, mask_features
from pointpet.quantify.radiomics import RadiomicsSettings, radiomics_backend

THRESHOLDS = ("suv25", "suv40", "fixed41")


def measure(cases: Sequence[Case]) -> list[tuple[str, float, float]]:
    """A row a mask: its kind, its volume in mL, processor seconds for its features."""
    settings, measured, warm = RadiomicsSettings(), [], False
    for case in cases:
        volume = read_case(case).volume
        truth = read_case_mask(case, volume)
        masks = {"true mask": truth}
        for name in THRESHOLDS:
            method = Configuration().method(name)
            assert isinstance(method, WholeScanThreshold)
            threshold = method.threshold_suv(volume)
            masks[f"`{name}`"] = Mask(volume.voxels >= np.float32(threshold), volume.affine)
        if not warm:
            mask_features(volume, truth, settings)
            warm = True
        for name, mask in masks.items():
            begin = time.process_time()
            features = mask_features(volume, mask, settings)
            measured.append((name, features["mtv_ml"], time.process_time() - begin))
    return measured


def rows(measured: Sequence[tuple[str, float, float]]) -> list[tuple[object, ...]]:
    """A row a kind of mask: volume and time in the middle, and the longest time."""
    found = []
    for kind in dict.fromkeys(name for name, _, _ in measured):
        volumes, seconds = zip(*((ml, s) for name, ml, s in measured if name == kind), strict=True)
        found.append((kind, f"{np.median(volumes):.0f}", f"{np.median(seconds):.2f}", f"{max(seconds):.2f}"))
    return found


def main() -> None:
    """Measure, print, write the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    measured = measure(read_cohort(options.cohort).cases[: options.cases])
    backend = radiomics_backend()
    heading = (
        "# Time for the features of a mask\n\n"
        f"All {len(feature_columns())} features of each mask of {options.cases} "
        "phantom patients, processor time on one thread; what thresholds mark reaches over the whole scan.\n\n"
        "Commands: `pointpet phantom DIR --patients 12 --seed 5`, "
        "`python experiments/radiomics_speed.py DIR/cohort.csv`\n\n"
        f"Library: {backend.name} {backend.version}. Machine: {machine()}."
    )
    columns = ("Mask", "Volume, mL (median)", "Processor time, s (median)", "Longest, s")
    publish(heading, columns, rows(measured), options.out)


if __name__ == "__main__":
    main()
