"""Every one-click outline rule on the 34 STS tumours, cut off-centre at random.

    POINTPET_DATA=... python experiments/sts_segment.py --jitter-mm 0 5 10 --out docs/results/sts_segment.md

Prints, and writes as a table, median and mean Dice, the share of tumours under 0.5 and the time a case.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
from provenance import machine
from sts_cases import MAX_CUT_MM, StsCase, dice, load_cases

from pointpet.core import Flag
from pointpet.localise import RULES, LocaliseSettings, segment_point

FITTED = {
    "clipped": "read off these tumours",
    "reach": "read off these tumours",
    "ray": "fitted on these tumours, see sts_fit.md",
    "by_size": "fitted on these tumours, see sts_fit.md",
}

INTRODUCTION = """# One click on real tumours

34 soft-tissue sarcomas (collection Soft-tissue-Sarcoma of The Cancer Imaging Archive, Vallières et al. 2015, CC BY
3.0, by way of the IBSI validation set). Each published crop loses a random 0 to {cut:.0f} mm on each side, never a
part of the tumour, since its fixed margin would give the tumour away. The click is the mask's centre of mass, moved to
its nearest voxel, and then off by the distance given, in a random direction. The contours were drawn on MRI and
carried over, so PET alone has a ceiling.

Command: `{command}`

Machine: {machine}

| Rule | Click off by | Dice median | Dice mean | under 0.5 | s a case | Constants |
|---|---|---|---|---|---|---|
"""


def measure(cases: list[StsCase], rule: str) -> tuple[list[float], float, int]:
    """Dice of each case, seconds a case, and how many clicks were called cold."""
    scores, cold, started = [], 0, perf_counter()
    for case in cases:
        found = segment_point(case.volume, case.point_mm, rule=rule, settings=LocaliseSettings())
        scores.append(dice(found.mask.voxels, case.mask.voxels))
        cold += Flag.COLD_POINT in found.flags
    return scores, (perf_counter() - started) / len(cases), cold


def main() -> None:
    """Measure every rule at every distance; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jitter-mm", type=float, nargs="+", default=[0.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of crop and jitter, pooled")
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    command = "python experiments/sts_segment.py --jitter-mm {} --seeds {}".format(
        *(" ".join(f"{value:g}" for value in values) for values in (arguments.jitter_mm, arguments.seeds))
    )
    text = INTRODUCTION.format(cut=MAX_CUT_MM, command=command, machine=machine())
    cold_clicks = {}
    for jitter_mm in arguments.jitter_mm:
        cases = [case for seed in arguments.seeds for case in load_cases(seed=seed, jitter_mm=jitter_mm)]
        for rule in arguments.rules:
            scores, seconds, cold_clicks[jitter_mm] = measure(cases, rule)
            failed = 100 * np.mean(np.array(scores) < 0.5)
            row = (
                f"| `{rule}` | {jitter_mm:g} mm | {np.median(scores):.3f} | {np.mean(scores):.3f} | {failed:.0f} % | "
                f"{seconds:.2f} | {FITTED.get(rule, 'set beforehand')} |"
            )
            print(row, flush=True)
            text += row + "\n"
    clicks = len(arguments.seeds) * 34
    text += "\nFlagged as a cold click: " + ", ".join(
        f"{count} of {clicks} at {jitter_mm:g} mm" for jitter_mm, count in cold_clicks.items()
    )
    if arguments.out:
        arguments.out.write_text(text + ".\n")


if __name__ == "__main__":
    main()
