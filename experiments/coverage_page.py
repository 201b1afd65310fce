"""The share of lines and branches that the tests took, package by package, from what `pytest --cov` has left.

    python -m pytest -n 2 --dist loadfile --cov --cov-report=
    python experiments/coverage_page.py --out docs/results/coverage.md

Exit status 1 where fewer branches were taken than the aim.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from pages import publish, shown_command
from provenance import machine

ROOT = Path(__file__).parents[1]
AIM = 0.9
"""Least share of branches over the whole of `src`."""

NAMED = 0.8
"""Modules with a lower share are named."""

FEW = 4
"""A module with fewer branches is not named: one of them is a quarter."""

WHOLE = "all"
PARTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def measured() -> dict[str, Any]:
    """What coverage.py says of each file, and its version."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", str(out)], check=True, cwd=ROOT)
        return json.loads(out.read_text(encoding="utf-8"))


def module_of(path: str) -> str:
    """A file's path below the package."""
    return path.rpartition("pointpet/")[2]


def by_package(files: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Sums of each package and of the whole."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(PARTS, 0))
    for path, file in sorted(files.items()):
        package = module_of(path).partition("/")[0]
        for name in (package if not package.endswith(".py") else "pointpet", WHOLE):
            for part in PARTS:
                sums[name][part] += file["summary"][part]
    return {name: sums[name] for name in sorted(sums, key=lambda name: (name == WHOLE, name))}


def shares(counts: dict[str, int]) -> tuple[float, float]:
    """Of lines and of branches; 1 where there are none."""
    pairs = (("covered_lines", "num_statements"), ("covered_branches", "num_branches"))
    lines, branches = (counts[taken] / counts[there] if counts[there] else 1.0 for taken, there in pairs)
    return lines, branches


def row_of(name: str, counts: dict[str, int]) -> list[str]:
    """A package's line of the page."""
    lines, branches = shares(counts)
    sizes = [f"{counts[part]:,}" for part in ("num_statements", "num_branches")]
    return [name, sizes[0], f"{100 * lines:.1f}", sizes[1], f"{100 * branches:.1f}"]


def weakest(files: dict[str, Any]) -> list[str]:
    """Modules of which few branches were taken, the lowest first."""
    found = []
    for path, file in files.items():
        branches = shares(file["summary"])[1]
        if branches < NAMED and file["summary"]["num_branches"] >= FEW:
            found.append((branches, module_of(path)))
    return [f"`{name}` {100 * branches:.0f} %" for branches, name in sorted(found)]


def main() -> None:
    """Read, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    found = measured()
    sums = by_package(found["files"])
    low = weakest(found["files"])
    heading = (
        "# What the tests cover\n\nCommand: `make coverage`, whose second part is "
        f"`{shown_command()}`\n\n{machine()}; coverage.py {found['meta']['version']}. The default tests, without the "
        "slow ones; processes that they start count too. Aim: "
        f"{100 * AIM:.0f} % of the branches. Modules of which fewer than {100 * NAMED:.0f} % were taken: "
        f"{', '.join(low) or 'none'}."
    )
    rows = [row_of(name, counts) for name, counts in sums.items()]
    publish(heading, ("Package", "Statements", "run, %", "Branches", "taken, %"), rows, arguments.out)
    if shares(sums[WHOLE])[1] < AIM:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
