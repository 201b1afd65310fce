"""Beside the peers: `pointpet bench` several times one after the other, as a page.

    python experiments/bench_page.py --out docs/results/bench.md

On a machine that does nothing else: the ratios are of compute, and both sides of each feel other work differently.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pages import publish, shown_command
from provenance import machine

PEERS = ("numpy", "torch", "SimpleITK", "pydicom", "monai")
NOTES = """The U-Net's time is that of 5 windows times their number. Most of a training step are convolutions, which
both sides of `train_vs_plain` have, and part of each batch is padding of the narrow sagittal views."""


def run() -> list[dict[str, Any]]:
    """The rows of one run."""
    command = [sys.executable, "-m", "pointpet", "bench", "--json", "--quiet"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def goal(row: dict[str, Any]) -> str:
    """The goal in words, but for memory's, which is 1 GB in all rows."""
    words = f"{'<=' if row['lower'] else '>='} {row['goal']:g}"
    return words if row["goal_s"] is None else f"{words}, within {row['goal_s']:g} s"


def shown(value: float) -> str:
    """Three digits, or whole."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def page_row(runs: list[dict[str, Any]]) -> list[str]:
    """One comparison: all ratios, and the times of the run whose ratio is in the middle."""
    middle = sorted(runs, key=lambda row: row["ratio"])[len(runs) // 2]
    met = sum(row["met"] for row in runs)
    return [
        f"`{middle['name']}`",
        " / ".join(shown(row["ratio"]) for row in runs),
        goal(middle),
        {0: "no", len(runs): "yes"}.get(met, f"{met} of {len(runs)}"),
        shown(1000 * middle["median_s"]),
        shown(1000 * middle["peer_s"]),
        f"{middle['rss_mb']:.0f}",
    ]


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    runs = [run() for _ in range(arguments.runs)]
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    heading = (
        f"# Beside the peers\n\nCommand: `{shown_command()}`, which runs `pointpet bench` {arguments.runs} times.\n\n"
        f"{machine()}, {peers}; load average before: {load:.1f}. A generated scan of 400 slices; medians, each "
        "contender in a process of its own; what each row compares, `pointpet bench --json` says. Ratios are peer over "
        "ours, of `prepare_vs_floor` and `cam_overhead` ours over peer. Times and memory are those of the "
        f"middle run; ours in a row of training is that of an image.\n\n{NOTES}"
    )
    columns = ["row", "ratio, each run", "goal", "met", "ours, ms", "peer, ms", "memory, MB"]
    publish(heading, columns, [page_row(list(rows)) for rows in zip(*runs, strict=True)], arguments.out)


if __name__ == "__main__":
    main()
