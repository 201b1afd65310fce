"""Damage valid files at random and read them: no uncaught exception, no hang, no memory over a gigabyte.

    python experiments/fuzz_readers.py --mutations 100000 --out docs/results/fuzz.md

Each reader starts from a small valid file of its kind. A mutation changes, cuts, repeats or inserts bytes, most often
few of them, sometimes many. A reader must answer with a result or with an error of pointpet's own; anything else, and
anything slower than 2 s, is a fault, and its file is kept.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from provenance import VERSION

from pointpet.core import Acquisition, Mask, PointpetError, Volume
from pointpet.io.artefacts import write_text
from pointpet.io.cohort_csv import read_cohort, write_cohort
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_scan import find_pet_series
from pointpet.io.dicom_seg import write_seg
from pointpet.io.dicom_write import write_pet_series
from pointpet.io.nifti import write_mask, write_volume
from pointpet.io.pet import read_any_mask, read_pet, sidecar_path
from pointpet.io.reading import PetReading
from pointpet.io.rtstruct_write import write_rtstruct

LONGEST_S = 2.0
LARGEST_MB = 1024.0
TOKENS = (
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x00\x00\x00\x80",
    b"\xfe\xff\x00\xe0",
    b"\xfe\xff\xdd\xe0",
    b"\xfe\xff\x0d\xe0",
    b"SQ",
    b"UN",
    b"OB",
    b"DS",
    b"\\\\",
    b"nan",
    b"1e999",
    b"-1",
    b'"',
    b",",
    b"\r\n",
    b"{",
    b"=1+1",
    b"../",
)


@dataclass(frozen=True)
class Target:
    """One reader: the valid bytes, the file that is damaged, and how it is read."""

    name: str
    valid: bytes
    path: Path
    read: Callable[[], object]


@dataclass
class Tally:
    """What one reader answered."""

    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0


class TooSlowError(Exception):
    """A reader ran past `LONGEST_S`."""


def mutate(valid: bytes, dice: random.Random) -> bytes:
    """Damage a few places of `valid`."""
    content = bytearray(valid)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 16))):
        if not content:
            return b""
        kind, at = dice.random(), dice.randrange(len(content))
        length = dice.randrange(1, 64)
        if kind < 0.35:
            content[at] = dice.randrange(256)
        elif kind < 0.5:
            content[at] ^= 1 << dice.randrange(8)
        elif kind < 0.7:
            token = dice.choice(TOKENS)
            content[at : at + dice.choice((0, len(token)))] = token
        elif kind < 0.8:
            del content[at : at + length]
        elif kind < 0.9:
            start = dice.randrange(len(content))
            content[at:at] = content[start : start + length]
        elif kind < 0.95:
            del content[at:]
        else:
            content[at:at] = bytes(length)
    return bytes(content)


def build_targets(folder: Path) -> list[Target]:
    """Write one small valid file for each reader."""
    voxels = np.random.default_rng(0).gamma(2.0, 0.5, (8, 8, 3)).astype(np.float32)
    volume = Volume(voxels, np.diag([4.0, 4.0, 3.0, 1.0]))
    series = folder / "series"
    acquisition = Acquisition(weight_kg=70.0, height_m=1.7, sex="F", dose_bq=3e8, uptake_s=3600.0)
    write_pet_series(volume, acquisition, series, patient_id="P")
    reading = read_dicom_series(series)
    return [*_dicom_targets(folder, series, reading), *_other_targets(folder, volume, reading)]


def _dicom_targets(folder: Path, series: Path, reading: PetReading) -> list[Target]:
    mask = Mask(reading.volume.voxels > 1, reading.volume.affine)
    stored, reference = reading.volume.stored or reading.volume.grid, reading.series
    assert reference is not None
    seg, rtstruct = folder / "seg.dcm", folder / "rtstruct.dcm"
    write_seg(seg, mask, stored, reference)
    write_rtstruct(rtstruct, mask, stored, reference)
    slice_path = series / "slice_0001.dcm"
    valid = slice_path.read_bytes()
    return [
        Target("DICOM PET series", valid, slice_path, lambda: read_dicom_series(series)),
        Target("DICOM tree", valid, slice_path, lambda: find_pet_series(series)),
        Target("RTSTRUCT", rtstruct.read_bytes(), rtstruct, lambda: read_any_mask(rtstruct, reading.volume)),
        Target("DICOM SEG", seg.read_bytes(), seg, lambda: read_any_mask(seg, reading.volume)),
    ]


def _other_targets(folder: Path, volume: Volume, reading: PetReading) -> list[Target]:
    plain, zipped, mask = folder / "pet.nii", folder / "packed.nii.gz", folder / "mask.nii"
    for path in (plain, zipped):
        write_volume(path, volume)
    write_mask(mask, Mask(volume.voxels > 1, volume.affine))
    beside = folder / "beside.nii"
    write_volume(beside, volume)
    sidecar = sidecar_path(beside)
    write_text(sidecar, '{"unit": "suv", "acquisition": {"weight_kg": 70, "sex": "F"}, "notes": [], "warnings": []}')
    cohort = folder / "cohort.csv"
    row = {"case_id": "a", "pet": plain, "pet_units": "suv", "label": "lung", "x_mm": 1.5, "y_mm": 2, "z_mm": 3}
    write_cohort(cohort, [row, row | {"case_id": "b", "label": "oesophagus", "weight_kg": 70}])
    return [
        Target("NIfTI PET", plain.read_bytes(), plain, lambda: read_pet(plain, unit="suv")),
        Target("NIfTI PET, gzip", zipped.read_bytes(), zipped, lambda: read_pet(zipped, unit="suv")),
        Target("NIfTI mask", mask.read_bytes(), mask, lambda: read_any_mask(mask, reading.volume)),
        Target("sidecar", sidecar.read_bytes(), sidecar, lambda: read_pet(beside)),
        Target("cohort.csv", cohort.read_bytes(), cohort, lambda: read_cohort(cohort)),
    ]


def run_target(target: Target, mutations: int, seed: int, kept: Path) -> Tally:
    """Read `mutations` damaged versions of one file."""
    dice = random.Random(f"{seed}/{target.name}")  # noqa: S311 - repeatable damage, no secret
    tally = Tally()
    for _ in range(mutations):
        content = mutate(target.valid, dice)
        target.path.write_bytes(content)
        start = time.perf_counter()
        answer, fault = _answer(target)
        tally.slowest_s = max(tally.slowest_s, time.perf_counter() - start)
        if fault is None:
            tally.answers[answer] += 1
        else:
            if fault not in tally.faults:
                kept.mkdir(parents=True, exist_ok=True)
                (kept / f"{target.name.replace(' ', '_')}_{len(tally.faults)}.bin").write_bytes(content)
            tally.faults[fault] += 1
    target.path.write_bytes(target.valid)
    return tally


def _answer(target: Target) -> tuple[str, str | None]:
    """The code of the reader's answer, and the fault where it is none of pointpet's own."""
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        target.read()
    except PointpetError as error:
        return error.code, None
    except Exception as error:  # noqa: BLE001 - to find what nothing else catches is this program's purpose
        place = traceback.extract_tb(error.__traceback__)[-1]
        return "", f"{type(error).__name__}: {str(error)[:80]} ({Path(place.filename).name}:{place.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "read", None


def _too_slow(_signal: int, _frame: object) -> None:
    raise TooSlowError(f"took longer than {LONGEST_S:g} s")


def report(tallies: dict[str, Tally], mutations: int, took_s: float, command: str) -> str:
    """The result as Markdown."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    lines = [
        "# Readers on damaged files",
        "",
        f"`{command}` · {VERSION}",
        "",
        f"{mutations} mutations of each of {len(tallies)} kinds of file, {mutations * len(tallies)} in all, in "
        f"{took_s:.0f} s; largest memory {peak_mb:.0f} MB (limit {LARGEST_MB:.0f}), slowest answer "
        f"{max(tally.slowest_s for tally in tallies.values()):.2f} s (limit {LONGEST_S:g}).",
        "",
        "| Reader | read | refused | faults | slowest, ms | refused most often with |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, tally in tallies.items():
        refused = Counter({code: count for code, count in tally.answers.items() if code != "read"})
        often = ", ".join(f"{code} {count}" for code, count in refused.most_common(4))
        lines.append(
            f"| {name} | {tally.answers['read']} | {refused.total()} | {tally.faults.total()} | "
            f"{1000 * tally.slowest_s:.0f} | {often} |"
        )
    faults = [
        f"- {name}: {fault}, {count} times" for name, tally in tallies.items() for fault, count in tally.faults.items()
    ]
    return "\n".join([*lines, "", *(["Faults:", "", *faults] if faults else ["No fault."]), ""])


def main() -> int:
    """Run all readers; 1 where a fault was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=1000, help="in all, shared by the readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--keep", type=Path, default=Path("fuzz_faults"), help="where files that cause faults are kept")
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_slow)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        targets = build_targets(Path(folder))
        each = -(-arguments.mutations // len(targets))
        tallies = {}
        for target in targets:
            tallies[target.name] = run_target(target, each, arguments.seed, arguments.keep)
            print(f"{target.name}: {tallies[target.name].faults.total()} faults", flush=True)
    command = f"python experiments/fuzz_readers.py --mutations {arguments.mutations} --seed {arguments.seed}"
    text = report(tallies, each, time.perf_counter() - start, command)
    print(text)
    if arguments.out:
        write_text(arguments.out, text)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return int(any(tally.faults for tally in tallies.values()) or peak_mb > LARGEST_MB)


if __name__ == "__main__":
    sys.exit(main())
