"""Mutation score of the packages that compute: small faults are put into the code one at a time; do the tests notice?

    python experiments/mutation.py --sample 40 --out docs/results/mutation.md

mutmut makes the faults of each package in a copy of the tree and runs, of the package's own tests, those that reach the
faulty function. A random sample of them is tried, drawn from the seed. What no test reaches counts as not noticed. The
survivors are printed as differences. Exit status 1 where a score is below the aim. Unix only: mutmut forks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pages import publish, shown_command
from provenance import machine

from pointpet.core import generator
from pointpet.evaluate.classification import wilson_interval

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "image", "project", "localise", "evaluate")
AIM = 0.8
NOTICED = frozenset({"killed", "timeout", "segfault"})
"""A fault without end, or one that kills the process, is noticed too."""

NOBODY = "no mutant has this name"
SETTINGS = """
[tool.mutmut]
source_paths = ["src/"]
only_mutate = ["src/pointpet/{package}/*"]
pytest_add_cli_args_test_selection = ["tests/{package}"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]
use_git_change_detection = false
track_dependencies = false
"""


@dataclass(frozen=True)
class Score:
    """A package's mutants, and what became of those that were tried."""

    package: str
    mutants: int
    counts: Counter[str]
    survivors: tuple[str, ...]

    @property
    def tried(self) -> int:
        """Number of mutants tried."""
        return self.counts.total()

    @property
    def noticed(self) -> int:
        """Number of them that the tests noticed."""
        return sum(self.counts[status] for status in NOTICED)


def mutmut(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of mutmut inside a copy of the tree, one thread a process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).with_name("mutmut")), *words]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, env=environment)


def copy_tree(package: str, folder: Path) -> None:
    """The code, and of the tests those of the package."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / package, folder / "tests" / package)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + SETTINGS.format(package=package)
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")


def statuses(folder: Path) -> dict[str, str]:
    """Every mutant's name and status."""
    lines = mutmut(folder, "results", "--all", "true").stdout.splitlines()
    return dict(line.strip().split(": ", 1) for line in lines if ": " in line)


def measure(package: str, folder: Path, sample: int, seed: int, processes: int) -> Score:
    """Make a package's mutants, draw from them, try those drawn."""
    copy_tree(package, folder)
    known = statuses(folder)
    if not known:
        # mutmut names its mutants once it is asked to run some: asked for none, it stops after making them.
        first = mutmut(folder, "run", "--max-children", str(processes), NOBODY)
        known = statuses(folder)
        if not known or NOBODY not in first.stderr + first.stdout:
            raise SystemExit(f"{package}: mutmut made no mutants:\n{first.stdout[-4000:]}\n{first.stderr[-4000:]}")
    names = sorted(known)
    size = min(sample or len(names), len(names))
    drawn = sorted(generator(seed, package).choice(names, size, replace=False).tolist())
    waiting = [name for name in drawn if known[name] == "not checked"]
    if waiting:
        done = mutmut(folder, "run", "--max-children", str(processes), *waiting)
        known = statuses(folder)
        if any(known[name] == "not checked" for name in drawn):
            raise SystemExit(f"{package}: mutmut tried no mutants:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    survivors = tuple(name for name in drawn if known[name] not in NOTICED)
    return Score(package, len(names), Counter(known[name] for name in drawn), survivors)


def row_of(score: Score) -> list[str]:
    """A package's line of the page."""
    interval = wilson_interval(score.noticed, score.tried)
    assert interval is not None
    shares = f"{100 * interval.value:.0f} % ({100 * interval.low:.0f} to {100 * interval.high:.0f})"
    unseen = score.counts["no tests"]
    return [f"`{score.package}`", f"{score.mutants}", f"{score.tried}", f"{score.noticed}", f"{unseen}", shares]


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES, help="which to measure")
    parser.add_argument("--sample", type=int, default=100, help="mutants a package; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--processes", type=int, default=2, help="mutants tried at once")
    parser.add_argument("--work", type=Path, help="folder for the copies, with which a second run goes on")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Measure, print survivors, write."""
    arguments, scores = parse(), []
    with tempfile.TemporaryDirectory(prefix="pointpet-mutation-") as scratch:
        work = (arguments.work or Path(scratch)).resolve()
        for package in arguments.packages:
            score = measure(package, work / package, arguments.sample, arguments.seed, arguments.processes)
            for name in score.survivors:
                print(mutmut(work / package, "show", name).stdout, flush=True)
            print(" | ".join(row_of(score)), flush=True)
            scores.append(score)
    heading = (
        f"# Mutation score\n\nCommand: `{shown_command()}`\n\n{machine()}; mutmut {version('mutmut')}. Of each "
        "package's mutants a random sample, tried with the package's own tests; in brackets Wilson's 95 % interval of "
        f"the share noticed. Code outside functions, and decorated functions, are not mutated. Aim: {100 * AIM:.0f} %."
    )
    columns = ("Package", "Mutants", "Tried", "Noticed", "Reached by no test", "Score")
    publish(heading, columns, map(row_of, scores), arguments.out)
    if any(score.noticed < AIM * score.tried for score in scores):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
