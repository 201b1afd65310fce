"""Builds wheel and sdist, installs each in an empty environment with the base packages only, and runs them there.

    python experiments/release_check.py --python python3.11 python3.12 python3.13

Needs a package index for the dependencies. Exit status 1 where an installation or a command fails; an interpreter that
is not there is told and left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from pages import publish, shown_command
from provenance import machine

ROOT = Path(__file__).parents[1]
TOO_LARGE_MB = 8
"""No wheel of ours is larger: more means that data slipped in."""


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a command; its standard output.

    Raises:
        subprocess.CalledProcessError: it failed; what it printed is shown first.
    """
    command = [str(word) for word in words]
    done = subprocess.run(command, check=False, cwd=cwd, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr, sep="\n")
        done.check_returncode()
    return done.stdout


def build(work: Path) -> list[Path]:
    """Wheel and sdist of the tree, by the build backend that pyproject.toml names."""
    tools = make_environment(Path(sys.executable), work / "tools")
    run(tools / "pip", "install", "--quiet", "build")
    run(tools / "python", "-m", "build", "--outdir", work / "dist", ROOT)
    return sorted((work / "dist").iterdir(), reverse=True)


def make_environment(interpreter: Path | str, folder: Path) -> Path:
    """An empty virtual environment; its folder of programs."""
    if Path(interpreter) == Path(sys.executable):
        venv.create(folder, with_pip=True, clear=True)
    else:
        run(interpreter, "-m", "venv", "--clear", folder)
    return folder / "bin"


def installed_mb(programs: Path) -> float:
    """Size of an environment's files, pip's own included."""
    return sum(path.lstat().st_size for path in programs.parent.rglob("*") if path.is_file()) / 1e6


def check(interpreter: str | Path, package: Path, work: Path) -> dict[str, str]:
    """Install `package` alone, make a phantom, outline its tumour; what was seen."""
    started = time.monotonic()
    programs = make_environment(interpreter, work / "environment")
    run(programs / "pip", "install", "--quiet", "--disable-pip-version-check", package)
    pointpet = programs / "pointpet"
    cohort, out = work / "cohort", work / "out"
    for folder in (cohort, out):
        shutil.rmtree(folder, ignore_errors=True)
    version = run(pointpet, "--version", cwd=work).strip()
    run(pointpet, "phantom", cohort, "--patients", "2", "--seed", "1", "--workers", "1", cwd=work)
    with (cohort / "cohort.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    point = f"--point={row['x_mm']},{row['y_mm']},{row['z_mm']}"
    run(pointpet, "segment", cohort / row["pet"], point, "-o", out, "--units", "suv", cwd=work)
    lesions = json.loads((out / "result.json").read_text())["lesions"]
    doctor = json.loads(run(pointpet, "doctor", "--json", cwd=work))
    if not lesions or doctor["problems"] or doctor["torch"] is not None or "demo" not in doctor["models"]:
        raise SystemExit(
            f"{package.name}: unexpected: {len(lesions)} lesions, {doctor['problems']}, {doctor['models']}"
        )
    base_mb = installed_mb(programs)
    run(programs / "pip", "install", "--quiet", "--disable-pip-version-check", f"{package}[runtime]")
    return {
        "package": package.name,
        "python": doctor["machine"]["python"],
        "version": version,
        "first lesion": f"{lesions[0]['mtv_ml']:.1f} mL",
        "installed, MB": f"{base_mb:.0f}",
        "with [runtime], MB": f"{installed_mb(programs):.0f}",
        "seconds": f"{time.monotonic() - started:.0f}",
    }


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters to install under")
    parser.add_argument("--wheel-only", action="store_true", help="leave out the sdist, which takes as long again")
    return parser.parse_args()


def main() -> None:
    """Build once, install everywhere, print what was seen."""
    arguments, rows = parse(), []
    with tempfile.TemporaryDirectory(prefix="pointpet-release-") as scratch:
        work = Path(scratch)
        packages = build(work)
        for package in packages:
            size = package.stat().st_size / 1e6
            print(f"{package.name}: {size:.2f} MB", flush=True)
            if size > TOO_LARGE_MB:
                raise SystemExit(f"{package.name} is larger than {TOO_LARGE_MB} MB")
        for interpreter in arguments.python:
            found = shutil.which(interpreter)
            if found is None or subprocess.run([found, "--version"], check=False, capture_output=True).returncode:
                print(f"{interpreter}: not there, left out")
                continue
            for package in packages if not arguments.wheel_only else packages[-1:]:
                rows.append(check(found, package, work))
                print(rows[-1], flush=True)
    if not rows:
        raise SystemExit("no interpreter was there")
    heading = f"# Wheel and sdist in empty environments\n\nCommand: `{shown_command()}`\n\n{machine()}."
    publish(heading, list(rows[0]), [list(row.values()) for row in rows], arguments.out)


if __name__ == "__main__":
    main()
