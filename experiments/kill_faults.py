"""Kill -9 at random moments of prepare, train, study and report: what is left, and does the same command go on?

    python experiments/kill_faults.py --kills 50 --out docs/results/faults.md

Each trial forks a child that runs the command on a small cohort, kills it with SIGKILL once it has used a random share
of the processor time of an undisturbed run, and looks at the output folder: every file under its final name must be
whole. Then the same command runs again to its end: it must succeed, leave what an undisturbed run leaves, byte for
byte where nothing in a file tells the time, and do again at most the one case or epoch that was under way.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from provenance import VERSION
from safetensors.numpy import load as load_weights
from small_cohort import write_small_cohort

from pointpet.cli import main as program
from pointpet.io.artefacts import LOCK_NAME, PART_PREFIX, write_text
from pointpet.learn import train as _loaded  # noqa: F401 - loaded once, not in each child
from pointpet.pipeline import study as _study  # noqa: F401
from pointpet.pipeline.machine import describe_machine

CASES = 8
OTHERS = (
    ("disk full", "tests/bad_input/test_faults.py (a disk of 40 kB), tests/core/test_whole_file.py"),
    ("disk full during a training", "tests/learn/test_train.py (it goes on from the last checkpoint)"),
    ("folder that may not be written to", "tests/bad_input/test_faults.py"),
    ("two processes, one output folder; a stale lock", "tests/bad_input/test_faults.py, tests/io/test_artefacts.py"),
    ("a cache cut short", "tests/bad_input/test_faults.py"),
    (
        "a worker dies (on this machine, on a cluster); the scheduler dies",
        "tests/pipeline/test_processes.py, tests/pipeline/test_cluster.py (`-m slow`)",
    ),
    ("workers of a killed command", "tests/pipeline/test_processes.py"),
    ("one corrupt case among sound ones", "tests/bad_input (each of the 78 cases), tests/pipeline/test_prepare.py"),
    ("one corrupt case in a thousand", "tests/experiments/test_small_cohort.py (`-m slow`)"),
    ("the same seed twice", "tests/pipeline/test_study.py, tests/learn/test_train.py"),
    ("one patient, or one image under two names, in two folds", "tests/evaluate/test_folds.py"),
    ("random labels, noise features", "[outcome_null.md](outcome_null.md)"),
    ("points falsified at test time", "tests/pipeline/test_study.py"),
    ("a class missing in a fold", "tests/evaluate/test_folds.py"),
    ("a patient's name, id, birth date or path in an output", "tests/privacy/test_sentinels.py"),
)
"""Faults that tests hold, and where."""
SETTLED = (".npz", ".nii.gz", ".csv", ".safetensors", ".png")
"""Files that hold no time: equal bytes in every run."""


def run(arguments: list[str], *, kill_after_s: float | None = None) -> tuple[int, float]:
    """Run a command in a forked child; kill it once it has used so much processor time.

    Returns:
        Its exit status (-9 where it was killed), and the processor time that it used, s.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.argv = ["pointpet", *arguments]
        status = 0
        try:
            program.run()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        os._exit(status)
    while kill_after_s is not None:
        try:
            used = int(Path(f"/proc/{child}/schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            break
        if used >= kill_after_s:
            os.kill(child, signal.SIGKILL)
            break
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.004)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def _whole_text(ending: bytes) -> Callable[[bytes], None]:
    def check(content: bytes) -> None:
        assert content.rstrip().endswith(ending)

    return check


CHECKS: dict[str, Callable[[bytes], object]] = {
    ".json": json.loads,
    ".npz": lambda content: {name: values.shape for name, values in np.load(io.BytesIO(content)).items()},
    ".gz": gzip.decompress,
    ".png": lambda content: Image.open(io.BytesIO(content)).load(),
    ".safetensors": load_weights,
    ".ckpt": lambda content: torch.load(io.BytesIO(content), weights_only=True),
    ".html": _whole_text(b"</html>"),
    ".svg": _whole_text(b"</svg>"),
    ".tex": _whole_text(b"\\end{table}"),
    ".csv": lambda content: _whole_text(content.splitlines()[-1])(content + b"\n") if content else 1 / 0,
    ".md": lambda content: content.decode() or 1 / 0,
}


def final_files(out: Path) -> list[Path]:
    """Files under their final names."""
    names = (path for path in sorted(out.rglob("*")) if path.is_file()) if out.is_dir() else ()
    return [path for path in names if not path.name.startswith(PART_PREFIX) and path.name != LOCK_NAME]


def partial_files(out: Path) -> list[str]:
    """Those of them that are not whole."""
    broken = []
    for path in final_files(out):
        try:
            CHECKS[path.suffix](path.read_bytes())
        except Exception as error:  # noqa: BLE001 - whatever a reader raises, the file is not whole
            broken.append(f"{path.relative_to(out)}: {type(error).__name__}")
    return broken


def settled(out: Path) -> dict[str, str]:
    """Name to hash of the files that hold no time, and names of the others, hidden ones left out."""
    found = {}
    for path in final_files(out):
        name = str(path.relative_to(out))
        if not any(part.startswith(".") for part in Path(name).parts):
            same = name.endswith(SETTLED)
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if same else ""
    return found


def done_again(before: dict[Path, int], out: Path) -> int:
    """Cases of which a picture, volume or network that was there is another file now."""
    now = {path: path.stat().st_ino for path in final_files(out)}
    heavy = (path for path in before if path.name.endswith((".npz", ".nii.gz", ".safetensors")))
    changed = {
        path.parent / path.name.split(".")[0] if path.suffix == ".npz" else path.parent
        for path in heavy
        if now.get(path) != before[path]
    }
    return len(changed)


def kept_epochs(out: Path) -> list[float]:
    """Seconds of each epoch that the checkpoint holds: no two trainings take the same."""
    (checkpoint,) = (*out.rglob("last.ckpt"), None)[:1]
    if checkpoint is None:
        return []
    return [entry["seconds"] for entry in torch.load(checkpoint, weights_only=True)["history"]]


@dataclass
class Counts:
    """What the trials of one command showed."""

    kills: int = 0
    moments: list[float] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    unfinished: int = 0
    not_resumed: int = 0
    different: int = 0
    most_again: int = 0
    epochs_again: int = 0


def trial(arguments: list[str], out: Path, start: Callable[[], None], clean: dict[str, str], after_s: float) -> Counts:
    """Kill once, look, go on, compare."""
    shutil.rmtree(out, ignore_errors=True)
    start()
    status, used = run(arguments, kill_after_s=after_s)
    if status != -signal.SIGKILL:
        return Counts()
    found = Counts(kills=1, moments=[used], partial=partial_files(out))
    found.unfinished = sum(path.name.startswith(PART_PREFIX) for path in out.rglob("*")) if out.is_dir() else 0
    before = {path: path.stat().st_ino for path in final_files(out)}
    epochs = kept_epochs(out)
    status, _ = run(arguments)
    found.not_resumed = int(status != 0)
    found.different = int(settled(out) != clean)
    found.most_again = done_again(before, out)
    model = out / "model.json"
    if epochs and model.is_file():
        history = json.loads(model.read_text())["network"]["training"]["history"]
        found.epochs_again = sum(entry["seconds"] != kept for entry, kept in zip(history, epochs, strict=False))
    return found


class Measured:
    """One command: what an undisturbed run leaves and takes, and the kills so far."""

    def __init__(self, name: str, arguments: list[str], out: Path, start: Callable[[], None]) -> None:
        self.name, self.arguments, self.out, self.start = name, arguments, out, start
        self.counts = Counts()
        shutil.rmtree(out, ignore_errors=True)
        start()
        status, self.whole_s = run(arguments)
        assert status == 0, f"{name} fails undisturbed"
        self.clean = settled(out)

    def kill_once(self, random: np.random.Generator) -> None:
        """One more kill; moments after the command's end do not count."""
        total, before = self.counts, self.counts.kills
        while total.kills == before:
            moment = random.uniform(0, self.whole_s)
            found = trial(self.arguments, self.out, self.start, self.clean, moment)
            total.kills += found.kills
        total.moments += [used / self.whole_s for used in found.moments]
        total.partial += found.partial
        for count in ("unfinished", "not_resumed", "different", "epochs_again"):
            setattr(total, count, getattr(total, count) + getattr(found, count))
        total.most_again = max(total.most_again, found.most_again)

    @property
    def failed(self) -> bool:
        """True where something does not hold that must."""
        counts = self.counts
        broken = counts.partial or counts.not_resumed or counts.different or counts.epochs_again
        return bool(broken) or counts.most_again > 1


def row(name: str, counts: Counts) -> str:
    """A line of the table."""
    quarters = Counter(min(3, int(4 * moment)) for moment in counts.moments)
    spread = " / ".join(str(quarters[quarter]) for quarter in range(4))
    cells = [name, counts.kills, spread, counts.unfinished, len(counts.partial), counts.kills - counts.not_resumed]
    cells += [counts.kills - counts.different, counts.most_again, counts.epochs_again]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        commands = prepare_commands(Path(place))
        random = np.random.default_rng(arguments.seed)
        for number in range(1, arguments.kills + 1):
            for command in commands:
                command.kill_once(random)
                print(f"{number}/{arguments.kills} {command.name}: {command.counts}", file=sys.stderr, flush=True)
            if arguments.out:  # after every round: a measurement of hours may be broken off
                write_text(arguments.out, page(commands, arguments))
    print(page(commands, arguments))
    if any(command.failed for command in commands):
        raise SystemExit(1)


def prepare_commands(root: Path) -> list[Measured]:
    """The four commands on a small cohort."""
    cohort = write_small_cohort(root / "cohort", CASES)
    finished, prepared = root / "finished", root / "prepared"
    common = ["--quiet", "--config", str(cohort.with_name("quick.yaml"))]
    study = ["--methods", "proposed,suv40", "--folds", "2"]
    run(["prepare", str(cohort), "-o", str(prepared), *common])
    run(["study", str(cohort), "-o", str(finished), *study, *common])

    def nothing() -> None:
        """An empty place to write to."""

    def study_again() -> None:
        shutil.copytree(finished, root / "report", dirs_exist_ok=True)

    plans = {
        "prepare": (["prepare", str(cohort), "-o", str(root / "prepare"), *common], nothing),
        "train": (["train", str(prepared), "-o", str(root / "train"), *common], nothing),
        "study": (["study", str(cohort), "-o", str(root / "study"), *study, *common], nothing),
        "report": (["report", str(root / "report"), "--quiet"], study_again),
    }
    return [Measured(name, plan, root / name, start) for name, (plan, start) in plans.items()]


def page(commands: list[Measured], arguments: argparse.Namespace) -> str:
    """The result as Markdown."""
    machine = describe_machine()
    lines = [
        "# Faults: kill -9 at random moments",
        "",
        f"`python experiments/kill_faults.py --kills {commands[-1].counts.kills} --seed {arguments.seed}` · "
        f"{VERSION}, {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, torch "
        f"{machine['torch']}",
        "",
        f"A cohort of {CASES} small scans; the study has two methods and two folds. Each kill comes once the command "
        "has used a random share of an undisturbed run's processor time; by quarter: kills in each quarter of the run. "
        "Unfinished: files under a `.part-` name, which the next run removes. Partial: files under their final name "
        "that are not whole. Equal: once the same command has run again, the folder holds what an undisturbed run "
        "leaves, byte for byte where nothing in a file tells the time.",
        "",
        "| Command | Kills | by quarter | Unfinished | Partial | Went on | Equal | Most cases done again | Kept epochs "
        "done again |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(row(command.name, command.counts) for command in commands),
        "",
        "## Other faults",
        "",
        "| Fault | Held by |",
        "|---|---|",
        *(f"| {fault} | {where} |" for fault, where in OTHERS),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
