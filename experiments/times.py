"""How long what a user waits for takes: a cohort of phantoms, and a prediction on a real whole-body DICOM series.

    POINTPET_DATA=DATA python experiments/times.py --out docs/results/times.md

Each is the command itself in a fresh process, its start included. Without POINTPET_DATA the real scan is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pages import publish, shown_command
from provenance import machine

PATIENTS = 200
SCAN = "sts001_raw"
PROMISED_PHANTOM_S, PROMISED_PREDICT_S = 600, 5


def timed(*arguments: str) -> float:
    """Seconds by the clock that `pointpet ARGUMENTS` takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pointpet", *arguments, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def answer(folder: Path) -> str:
    """What the prediction says, in a line."""
    result = json.loads(next(folder.rglob("result.json")).read_text(encoding="utf-8"))
    volumes = ", ".join(f"{lesion['mtv_ml']:.1f}" for lesion in result["lesions"]) or "none"
    return f"{result['predicted']}; lesions, mL: {volumes}; flags: {', '.join(result['flags']) or 'none'}"


def measure(runs: int, root: Path) -> list[tuple[str, str, str, int, str]]:
    """A row each: what, median, longest, promised, answer."""
    seconds = timed("phantom", str(root / "cohort"), "--patients", str(PATIENTS))
    rows = [(f"`phantom --patients {PATIENTS}`", f"{seconds:.0f}", "one run", PROMISED_PHANTOM_S, "")]
    data = os.environ.get("POINTPET_DATA")
    if data and (Path(data) / SCAN).is_dir():
        scan = str(Path(data) / SCAN)
        taken = [timed("predict", "demo", scan, "-o", str(root / f"out{run}")) for run in range(runs)]
        median, longest = f"{statistics.median(taken):.1f}", f"{max(taken):.1f} of {runs}"
        said = answer(root / "out0")
        rows.append((f"`predict demo` on the DICOM series {SCAN}", median, longest, PROMISED_PREDICT_S, said))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="predictions")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        rows = measure(arguments.runs, Path(place))
    heading = (
        f"# What a user waits for\n\nCommand: `{shown_command()}`\n\n{machine()}; load average before: {load:.1f}. "
        "`demo` knows tumours of the lung and the oesophagus, from phantoms alone; the real scan is of a sarcoma."
    )
    publish(heading, ("Command", "Median, s", "Longest, s", "Promised, s", "It says"), rows, arguments.out)


if __name__ == "__main__":
    main()
