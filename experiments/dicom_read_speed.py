"""Time to read a PET series as SUV, against the time that pydicom alone needs for its pixels.

    python experiments/dicom_read_speed.py --out docs/results/dicom_speed.md

A phantom's series is written in three transfer syntaxes; each is read in turn by `read_dicom_series` and by
`pydicom.dcmread(path).pixel_array` for each file, so that both meet the same load and the same warm files. The limit
is a ratio of 1.5 of the fastest runs.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from provenance import VERSION
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from pointpet.core import Volume
from pointpet.io.artefacts import write_text
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_write import write_pet_series
from pointpet.phantom import generate_case

LIMIT = 1.5
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless)


def write_series(folder: Path, slices: int) -> tuple[int, int, int]:
    """Write a phantom of `slices` slices, resampled along z by repetition or choice; return its shape."""
    case = generate_case(0, patients=2, seed=0, preset="default")
    chosen = np.linspace(0, case.volume.voxels.shape[2] - 1, slices).round().astype(int)
    volume = Volume(np.ascontiguousarray(case.volume.voxels[:, :, chosen]), case.volume.affine)
    write_pet_series(volume, case.acquisition, folder, patient_id="P")
    return volume.voxels.shape


def recode(source: Path, target: Path, syntax: UID) -> None:
    """Copy the series into another transfer syntax."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        dataset = pydicom.dcmread(path)
        if syntax.is_compressed:
            dataset.compress(syntax, generate_instance_uid=False)
        else:
            dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(target / path.name, implicit_vr=syntax.is_implicit_VR, little_endian=True)


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one run: the machine is shared."""
    start = time.process_time()
    work()
    return time.process_time() - start


def read_pixels(paths: list[Path]) -> None:
    """What pydicom needs for the stored integers alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            _ = pydicom.dcmread(path).pixel_array


def compare(folder: Path, runs: int) -> tuple[float, float]:
    """Fastest of `runs` alternating runs: (ours, pydicom's), in s."""
    paths = sorted(folder.iterdir())
    pairs = [(seconds(lambda: read_dicom_series(folder)), seconds(lambda: read_pixels(paths))) for _ in range(runs)]
    ours, theirs = zip(*pairs, strict=True)
    return min(ours), min(theirs)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows, worst = [], 0.0
    with tempfile.TemporaryDirectory() as place:
        source = Path(place, "source")
        shape = write_series(source, arguments.slices)
        for number, syntax in enumerate(SYNTAXES):
            folder = Path(place, f"series{number}")
            recode(source, folder, syntax)
            ours, theirs = compare(folder, arguments.runs)
            worst = max(worst, ours / theirs)
            rows.append(f"| {syntax.name} | {1000 * ours:.0f} | {1000 * theirs:.0f} | {ours / theirs:.2f} |")
    size = " x ".join(map(str, shape))
    lines = [
        "# Reading a DICOM series",
        "",
        f"`python experiments/dicom_read_speed.py --slices {arguments.slices} --runs {arguments.runs}` · "
        f"{VERSION}, pydicom {pydicom.__version__}, Python {platform.python_version()}",
        "",
        f"A phantom's series of {size} voxels; processor time of the fastest of {arguments.runs} alternating runs, "
        "files warm. Ours reads, checks geometry and header of every slice, and gives SUV in RAS+ order; "
        "pydicom's column is `pixel_array` of every file and nothing else.",
        "",
        "| Transfer syntax | ours, ms | pydicom's pixels, ms | ratio |",
        "|---|---:|---:|---:|",
        *rows,
        "",
        f"Largest ratio {worst:.2f}, limit {LIMIT}: {'met' if worst <= LIMIT else 'NOT met'}.",
        "",
    ]
    print("\n".join(lines))
    if arguments.out:
        write_text(arguments.out, "\n".join(lines))
    if worst > LIMIT:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
