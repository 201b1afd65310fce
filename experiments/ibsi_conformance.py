"""Hold the radiomics against what IBSI published: the digital phantom and the 34 soft-tissue sarcomas.

    POINTPET_DATA=... python experiments/ibsi_conformance.py --out docs/results/ibsi.md

Exit status 1 where a value lies outside. The data folder holds `ibsi_digital_phantom` and `sts`.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from provenance import machine

from pointpet.core import Unit
from pointpet.io.nifti import read_mask, read_nifti
from pointpet.quantify.radiomics import FEATURES, RadiomicsSettings, radiomic_features, radiomics_backend
from pointpet.quantify.radiomics.conformance import Consensus, by_tag, matches_reference, phantom_region, reference_tag
from pointpet.quantify.radiomics.features import region_values

INTRODUCTION = """# Radiomics against IBSI

Image Biomarker Standardisation Initiative, chapter 1 (Zwanenburg et al., Radiology 2020;295:328-338). Digital phantom:
reference values and tolerances of IBSI, a value counts to the reference's last digit. Sarcomas: 34 FDG-PET of the
collection Soft-tissue-Sarcoma of The Cancer Imaging Archive (Vallières et al. 2015, CC BY 3.0), 3 mm, cubic spline,
trilinear mask from a share of 0.5 on; a value is in where it lies within 1 % of the teams' median, if at least three
quarters of the teams do, and else inside the teams' range. The range's ends count with a millionth beside them, since a
PET is held in float32: three values of STS_044, whose tumour touches the first slice, lie up to 4e-7 beyond one team's.

Command: `python experiments/ibsi_conformance.py`

Library: {library}. Machine: {machine}.

"""


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file, with or without a byte order mark."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def phantom_lines(folder: Path, backend: str) -> tuple[list[str], int]:
    """One table row a feature of the digital phantom, and how many lie outside."""
    volume = read_nifti(folder / "nifti" / "image" / "phantom.nii.gz", Unit.SUVBW)
    region = phantom_region(volume, read_mask(folder / "nifti" / "mask" / "mask.nii.gz", volume))
    values = by_tag(region_values(region, backend))
    references = {reference_tag(row["family"], row["tag"]): row for row in read_table(folder / "reference_values.csv")}
    lines, outside = [], 0
    for feature in FEATURES:
        row = references[feature.tag]
        agrees = matches_reference(values[feature.tag], row["reference value"], float(row["tolerance"]))
        outside += not agrees
        lines.append(
            f"| `{feature.name}` | {feature.title} | {row['reference value']} | {row['tolerance']} | "
            f"{values[feature.tag]:.5g} | {'in' if agrees else '**out**'} |"
        )
    return lines, outside


def sarcoma_lines(folder: Path) -> tuple[list[str], int, list[float]]:
    """One table row a feature over all sarcomas, how many values lie outside, and the seconds of each tumour."""
    settings = RadiomicsSettings(spacing_mm=3.0, interpolation="cubic", mask_interpolation="linear")
    found, seconds = {}, []
    for place in sorted((folder / "nifti").iterdir()):
        volume = read_nifti(place / "PET_image.nii.gz", Unit.SUVBW)
        mask = read_mask(place / "PET_mask.nii.gz", volume)
        begin = time.process_time()
        table = radiomic_features(volume, mask, settings)
        seconds.append(time.process_time() - begin)
        found[place.name] = by_tag(dict(zip(table.ibsi_codes, table.values[0].tolist(), strict=True)))
    by_feature = defaultdict(list)
    for row in read_table(folder / "ibsi_consensus.csv"):
        low, high, median = (float(row[part]) for part in ("min", "max", "median"))
        consensus = Consensus(median, int(row["n_teams"]), int(row["n_within_1pct"]), low, high)
        by_feature[row["feature_tag"]].append((consensus, found[row["patient"]][row["feature_tag"]]))
    lines, outside = [], 0
    for tag, pairs in by_feature.items():
        strong = [(one, value) for one, value in pairs if one.is_strong]
        away = max(abs(value / one.median - 1) for one, value in strong)
        accepted = sum(one.accepts(value) for one, value in pairs)
        outside += len(pairs) - accepted
        weak = len(pairs) - len(strong)
        lines.append(f"| `{tag}` | {len(strong)} | {100 * away:.4f} % | {weak} | {accepted} of {len(pairs)} |")
    return lines, outside, seconds


def main() -> None:
    """Compare, print, write the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    data = os.environ.get("POINTPET_DATA")
    if not data:
        raise SystemExit("Set POINTPET_DATA to the folder that holds ibsi_digital_phantom and sts")
    backend = radiomics_backend()
    phantom, phantom_outside = phantom_lines(Path(data) / "ibsi_digital_phantom", backend.name)
    sarcomas, sarcomas_outside, seconds = sarcoma_lines(Path(data) / "sts")
    lines = [
        f"Digital phantom: {len(FEATURES) - phantom_outside} of {len(FEATURES)} features in. "
        f"Sarcomas: {34 * len(sarcomas) - sarcomas_outside} of {34 * len(sarcomas)} values in.",
        "",
        f"Processor time for all {len(FEATURES)} features of a sarcoma, reading and the library's loading left out: "
        f"median {np.median(seconds):.2f} s, longest {max(seconds):.2f} s.",
        "",
        "## 34 sarcomas, 18 intensity features",
        "",
        "| Feature | Tumours with consensus | Farthest from the median | Tumours without | In |",
        "|---|---|---|---|---|",
        *sarcomas,
        "",
        "## Digital phantom",
        "",
        "| Column | Feature | Reference | Tolerance | Ours | |",
        "|---|---|---|---|---|---|",
        *phantom,
    ]
    print("\n".join(lines))
    if out:
        heading = INTRODUCTION.format(library=f"{backend.name} {backend.version}", machine=machine())
        out.write_text(heading + "\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(1 if phantom_outside + sarcomas_outside else 0)


if __name__ == "__main__":
    main()
