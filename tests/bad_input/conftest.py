"""Bad input where the user meets it: a cohort of three cases, the middle one spoilt, run through the command line.

The scans are slabs of a phantom, written as DICOM. Commands run in a forked child, so that exit status, output,
processor time and memory are those of one command and nothing needs to be imported again.
"""

import ctypes
import json
import os
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from pointpet.cli import main
from pointpet.core import Volume
from pointpet.io.cohort_csv import write_cohort
from pointpet.io.dicom_write import write_pet_series
from pointpet.phantom import generate_case
from pointpet.pipeline import check, prepare  # noqa: F401  (loaded once, not in each child)

LONGEST_S = 2.0
LARGEST_GROWTH_MB = 1024.0
SLICES = 16
SECRETS = ("SENTINEL", "19610203")


@dataclass(frozen=True)
class Done:
    """What a command did."""

    status: int
    out: str
    err: str
    seconds: float
    growth_mb: float

    def json(self) -> dict:
        """What `--json` printed."""
        return json.loads(self.out)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _obey_permissions() -> None:
    """Give up root's right to read everything; does nothing for other users."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None, use_errno=True).capset(header, none)


def _child(arguments: list[str], out: int, err: int) -> None:
    os.dup2(out, 1)
    os.dup2(err, 2)
    # pytest's capture holds the interpreter's own streams.
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    sys.argv = ["pointpet", *arguments]
    os.environ |= {"NO_COLOR": "1"}
    os.environ.pop("POINTPET_TRACEBACK", None)
    _obey_permissions()
    status = 99
    try:
        main.run()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:  # noqa: BLE001  (whatever it is, the test must see it as a traceback)
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@pytest.fixture
def cli() -> Callable[..., Done]:
    """`cli("check", path, ...)`: run a command as a user does."""

    def run(*arguments: object) -> Done:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            before = _resident_mb()
            child = os.fork()
            if child == 0:
                _child([str(argument) for argument in arguments], out.fileno(), err.fileno())
            _, status, usage = os.wait4(child, 0)
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode())
        growth = usage.ru_maxrss / 2**10 - before
        done = Done(os.waitstatus_to_exitcode(status), *texts, usage.ru_utime + usage.ru_stime, growth)
        assert "Traceback" not in done.err, done.err
        assert "PP-INTERNAL" not in done.err + done.out, done.err
        return done

    return run


@pytest.fixture(scope="session")
def clean_cohort(tmp_path_factory) -> Path:
    """Cases A, B, C as DICOM folders of 16 slices; not to be changed."""
    folder = tmp_path_factory.mktemp("clean") / "cohort"
    case = generate_case(0, patients=2, seed=5, preset="default")
    middle = int(case.volume.grid.indices(case.points_mm)[0, 2])
    rows = []
    for number, case_id in enumerate("ABC"):
        first = middle - SLICES // 2 + (number - 1) * SLICES
        volume = case.volume.voxels[:, :, first : first + SLICES]
        affine = np.array(case.volume.affine)
        affine[:3, 3] += affine[:3, 2] * first
        write_pet_series(
            Volume(volume, affine),
            case.acquisition,
            folder / case_id,
            patient_id=f"SENTINEL_{case_id}",
            scan_start=datetime(2024, 1, 15, 10, 30),
        )
        label = "lung" if case_id == "A" else "oesophagus"
        rows.append({"case_id": case_id, "pet": case_id, "label": label})
    for path in folder.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientBirthDate = "SENTINEL^NAME", "19610203"
        dataset.AccessionNumber = "SENTINEL_ACC"
        dataset.save_as(path)
    write_cohort(folder / "cohort.csv", rows)
    return folder


@pytest.fixture
def cohort(clean_cohort, tmp_path) -> Path:
    """A copy, for one test to spoil."""
    return Path(shutil.copytree(clean_cohort, tmp_path / "cohort"))


def edited(folder: Path, change: Callable[[Dataset], None], only: slice = slice(None)) -> None:
    """Apply `change` to the datasets of a series' files."""
    for path in sorted(folder.glob("*.dcm"))[only]:
        with disable_value_validation():
            dataset = pydicom.dcmread(path)
            change(dataset)
            dataset.save_as(path)


@pytest.fixture
def edit() -> Callable[..., None]:
    """`edit(folder, change, only=slice)`."""
    return edited


@pytest.fixture(scope="session")
def clean_outputs(clean_cohort, tmp_path_factory) -> dict[str, bytes]:
    """What `prepare` writes of the good cases where nothing is wrong."""
    from pointpet.pipeline.config import PrepareSettings

    out = tmp_path_factory.mktemp("clean") / "prepared"
    prepare.prepare_cohort(clean_cohort / "cohort.csv", out, PrepareSettings())
    return {name: (out / "cases" / f"{name}.npz").read_bytes() for name in ("A", "C")}


@pytest.fixture
def refuses(cli, tmp_path, clean_outputs) -> Callable[..., None]:
    """`refuses(cohort, code, message)`: case B is refused by `check` and `prepare`, A and C go on."""

    def verify(cohort: Path, code: str, message: str, rows: str = "AC") -> None:
        checked = cli("check", cohort / "cohort.csv", "--json")
        assert checked.status == 1
        faults = [(one["code"], one["message"]) for one in checked.json()["faults"]]
        assert len(faults) == 1, faults
        assert_fault(*faults[0], code, message)
        assert [row["case_id"] for row in checked.json()["rows"]] == list(rows)
        prepared = cli("prepare", cohort / "cohort.csv", "-o", tmp_path / "prepared")
        assert prepared.status == 3
        (line,) = [line for line in prepared.err.splitlines() if line.startswith("  B [")]
        assert re.match(rf"  B \[{code}\] ", line), line
        written = {path.name for path in (tmp_path / "prepared").rglob("*") if path.is_file()}
        assert not any(name.startswith(("B.", ".part-")) for name in written)
        for name, content in clean_outputs.items():
            assert (tmp_path / "prepared" / "cases" / f"{name}.npz").read_bytes() == content
        for done in (checked, prepared):
            assert_modest(done, tmp_path)

    return verify


@pytest.fixture
def assert_bounded(tmp_path) -> Callable[[Done], None]:
    """`assert_bounded(done)`: quick, small, and silent about patients and places."""
    return lambda done: assert_modest(done, tmp_path)


def assert_fault(code: str, text: str, wanted: str, message: str) -> None:
    """One fault: its code, a message that names the case, and a remedy after the problem."""
    assert re.fullmatch(wanted, code), (code, text)
    assert re.search(message, text), text
    assert text.startswith("case B: "), text
    assert re.search(r"\. [A-Z][^.]*.*\.$", text), f"no remedy: {text}"


def assert_modest(done: Done, folder: Path) -> None:
    """Within time and memory, and without a patient's name or a path."""
    assert done.seconds < LONGEST_S
    assert done.growth_mb < LARGEST_GROWTH_MB
    for secret in (*SECRETS, str(folder)):
        assert secret not in done.err, secret
        assert secret not in done.out.replace(str(folder / "prepared"), ""), secret
