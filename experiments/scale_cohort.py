"""What a case costs as a cohort grows, what the scheduling of cases costs, and what 100,000 scans would need.

    python experiments/scale_cohort.py growth --size 1000 10000 --out docs/results/scale_growth.md
    python experiments/scale_cohort.py scheduling --size 500 --out docs/results/scale_scheduling.md
    python experiments/scale_cohort.py whole --size 6 --out docs/results/scale_whole.md

All times are processor times (user and system, of a command and all its processes), which other work on the machine
changes little. The cohort's scans are small (28 x 20 x 40 voxels, hard links to fifty that are made), so that what
grows with the number of cases is not hidden behind the work on each. Rates of whole scans are measured on phantoms.
`--commands prepare` measures the growth of that one alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import psutil
from measured import Cost
from measured import measure as measured
from provenance import VERSION
from small_cohort import write_small_cohort

from pointpet.core import Case
from pointpet.io.artefacts import write_text
from pointpet.io.cohort_csv import read_cohort
from pointpet.pipeline import prepare as preparing
from pointpet.pipeline.config import PrepareSettings
from pointpet.pipeline.machine import describe_machine
from pointpet.pipeline.mapping import Workers, map_tasks

DISTINCT = 50
WORKERS = 2
COMMANDS = ["prepare", "predict", "quantify"]
CONFIG = "prepare: {pixel_mm: 4.0, turns_deg: []}\n"
FLAT = 0.10
OVERHEAD = 0.05
SCANS = 100_000
DASK_SETTINGS = Path(__file__).parents[1] / "docs" / "recipes" / "dask.yaml"


def command(*arguments: object) -> Cost:
    """Run a command to its end."""
    return measured(["-m", "pointpet", *arguments, "--quiet"])


# Cost per case as the cohort grows.


@dataclass(frozen=True)
class Growth:
    """What one command cost at each size: processor ms a case, its start taken off, and memory in MB."""

    name: str
    case_ms: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    worker_mb: list[float] = field(default_factory=list)

    @property
    def change(self) -> float:
        """Share that a case costs more at the largest size than at the smallest."""
        return self.case_ms[-1] / self.case_ms[0] - 1

    def sentence(self, sizes: list[int]) -> str:
        """What held, in words."""
        more = sizes[-1] - sizes[0]
        own_kb = 1024 * (self.peak_mb[-1] - self.peak_mb[0]) / more
        worker = f"a worker {self.worker_mb[-1] - self.worker_mb[0]:+.0f} MB, " if self.worker_mb[-1] else ""
        return (
            f"- {self.name}: cost a case {self.change:+.1%} from {sizes[0]:,} to {sizes[-1]:,} cases, limit "
            f"{FLAT:+.0%}: {'met' if self.change <= FLAT else 'NOT met'}. Memory: {worker}the command itself "
            f"{self.peak_mb[-1] - self.peak_mb[0]:+.0f} MB ({own_kb:.1f} kB a case)."
        )


def growth_steps(root: Path, commands: list[str]) -> dict[str, Callable[[Path, Path], Cost]]:
    """Each step by its name: (manifest, folder for what it writes) to its cost.

    The second time, with little to do, is taken in one process: what several of them take to start varies by more than
    a thousand cases cost.
    """
    config, model = root / "scale.yaml", root / "model"
    config.write_text(CONFIG)

    def prepare(cohort: Path, out: Path, *, workers: int) -> Cost:
        return command("prepare", cohort, "-o", out / "prepared", "--config", config, "--workers", workers)

    def predict(cohort: Path, out: Path, *, workers: int) -> Cost:
        return command("predict", model, cohort, "-o", out / "predicted", "--workers", workers)

    def quantify(cohort: Path, out: Path, *, workers: int) -> Cost:
        return command("quantify", cohort, "-o", out / "features.csv", "--workers", workers)

    if "predict" in commands:
        cohort = write_small_cohort(root / "training", 2 * DISTINCT // 5)
        command("train", cohort, "-o", model, "--config", cohort.with_name("quick.yaml"))
    chosen = [step for step in (prepare, predict, quantify) if step.__name__ in commands]
    turns = (("", WORKERS), (", again", 1))
    return {f"{step.__name__}{turn}": partial(step, workers=workers) for step in chosen for turn, workers in turns}


def growth(root: Path, sizes: list[int], commands: list[str]) -> tuple[list[str], bool]:
    """Rows of the table and what held; each step's start is the median of three runs on two cases."""
    steps = growth_steps(root, commands)
    starts: dict[str, float] = {}
    found = {name: Growth(name) for name in steps}
    rows = []
    few = write_small_cohort(root / "few", WORKERS)
    for name, step in steps.items():
        places = [root / f"few_{turn}" for turn in range(3)]
        starts[name] = median(step(few, place).cpu_s for place in places)
    for size in sizes:
        folder = root / f"cohort_{size}"
        cohort = write_small_cohort(folder, size, distinct=DISTINCT)
        for name, step in steps.items():
            cost, one = step(cohort, folder), found[name]
            one.case_ms.append(1000 * (cost.cpu_s - starts[name]) / (size - WORKERS))
            one.peak_mb.append(cost.peak_mb)
            one.worker_mb.append(cost.worker_mb)
            cells = [name, f"{size:,}", f"{cost.cpu_s:.1f}", f"{one.case_ms[-1]:.2f}"]
            rows.append(
                "| "
                + " | ".join([*cells, f"{cost.worker_mb:.0f}" if cost.worker_mb else "", f"{cost.peak_mb:.0f}"])
                + " |"
            )
            print(rows[-1], file=sys.stderr, flush=True)
        shutil.rmtree(folder)
    rows += ["", *(one.sentence(sizes) for one in found.values())]
    return rows, all(one.change <= FLAT for one in found.values())


# What scheduling costs.


def timed_case(case: object, *, out: Path) -> tuple[int, float, float]:
    """Prepare one case; the process, and its processor seconds before and after."""
    before = time.process_time()
    preparing._prepare_case(case, out=out, settings=PrepareSettings())  # type: ignore[arg-type]
    return os.getpid(), before, time.process_time()


@contextmanager
def dask_processes(folder: Path, settings: Path | None) -> Iterator[tuple[str, list[psutil.Process]]]:
    """A scheduler and two workers, each a process: (scheduler file, all their processes)."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    dask = [sys.executable, "-m", "dask"]
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    told = {"DASK_CONFIG": str(settings)} if settings else {}
    quiet = {"env": {**os.environ, **told, "PYTHONPATH": paths}, "cwd": folder, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)],
        **quiet,
    )
    workers = subprocess.Popen(
        [*dask, "worker", "--scheduler-file", str(file), "--nthreads", "1", "--nworkers", "2", "--no-dashboard"],
        **quiet,
    )
    try:
        list(map_tasks(timed_nothing, range(64), workers=wait_for(file)))
        heads = [psutil.Process(process.pid) for process in (scheduler, workers)]
        yield str(file), [*heads, *(child for head in heads for child in head.children(recursive=True))]
    finally:
        for process in (workers, scheduler):
            process.terminate()
            process.wait()


def wait_for(file: Path) -> str:
    """The scheduler file, once it is there."""
    while not file.exists():
        time.sleep(0.1)
    return str(file)


def timed_nothing(_: int) -> float:
    """A task that does nothing: it makes a worker load what it needs."""
    return 0.0


def scheduling(root: Path, size: int) -> tuple[list[str], float]:
    """Rows: what everything around the cases' own work costs, by who schedules; and the largest share of it."""
    cohort = read_cohort(write_small_cohort(root / "cohort", size, distinct=DISTINCT))
    task = partial(timed_case, out=root / "out")
    rows: list[str] = []
    bare_ms: list[float] = []

    def measure(name: str, workers: Workers, others: list[psutil.Process]) -> float:
        shutil.rmtree(root / "out", ignore_errors=True)
        own_s, around_s, counted = around(task, cohort.cases, workers, others)
        own_ms, around_ms = 1000 * own_s / counted, 1000 * around_s / counted
        bare_ms.append(own_ms)
        more = (own_ms + around_ms) / bare_ms[0] - 1
        rows.append(f"| {name} | {size:,} | {own_ms:.2f} | {around_ms:.2f} | {around_s / own_s:.1%} | {more:+.1%} |")
        print(rows[-1], file=sys.stderr, flush=True)
        return around_s / own_s

    most = measure("2 processes", 2, [])
    with dask_processes(root, DASK_SETTINGS) as (address, processes):
        most = max(most, measure("Dask, 2 workers, `docs/recipes/dask.yaml`", address, processes))
    with dask_processes(root, None) as (address, processes):
        measure("Dask, 2 workers, its own settings", address, processes)
    return rows, most


def around(
    task: Callable, cases: Sequence[Case], workers: Workers, others: list[psutil.Process]
) -> tuple[float, float, int]:
    """Run the cases; count from the first answer on, so that no start is in it.

    Returns:
        Processor seconds of the cases' own work, those of all around it (this process, the workers between two cases,
        scheduler and minders), and how many cases were counted.
    """
    spans: dict[int, list[tuple[float, float]]] = {}
    started = None
    for _, answer, error in map_tasks(task, cases, workers=workers):
        assert error is None, error
        spans.setdefault(answer[0], []).append(answer[1:])
        if started is None:
            started = time.process_time(), {process.pid: sum(process.cpu_times()[:2]) for process in others}
    assert started is not None
    own_s = sum(after - before for one in spans.values() for before, after in one[1:])
    between_s = sum(one[-1][1] - one[0][1] for one in spans.values()) - own_s
    minders = [process for process in others if process.pid not in spans]
    minding_s = sum(sum(process.cpu_times()[:2]) - started[1][process.pid] for process in minders)
    here_s = time.process_time() - started[0]
    return own_s, between_s + minding_s + here_s, sum(len(one) - 1 for one in spans.values())


def startup(root: Path) -> list[str]:
    """Rows: time until two workers have answered, and memory, for processes of our own and a local Dask cluster."""
    rows = []
    for name, code in (
        ("2 processes", "list(map_tasks(timed_nothing, range(8), workers=2))"),
        (
            "local Dask cluster of 2",
            "from distributed import LocalCluster\n"
            "    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:\n"
            "        list(map_tasks(timed_nothing, range(8), workers=cluster.scheduler_address))",
        ),
    ):
        script = root / "startup.py"
        script.write_text(
            "from pointpet.pipeline.mapping import map_tasks\nfrom scale_tasks import timed_nothing\n"
            f"if __name__ == '__main__':\n    {code}\n"
        )
        (root / "scale_tasks.py").write_text("def timed_nothing(_):\n    return 0.0\n")
        best = min((measured([script], paths=[root]) for _ in range(3)), key=lambda cost: cost.cpu_s)
        rows.append(f"| {name} | {best.cpu_s:.2f} | {best.wall_s:.2f} | {max(best.peak_mb, best.worker_mb):.0f} |")
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


# Whole scans, and many of them.


def whole_scans(root: Path, count: int) -> tuple[list[str], str]:
    """Rows of the rates on phantoms (DICOM), and what `SCANS` of them need."""
    command("phantom", root / "p", "--patients", count, "--format", "dicom", "--workers", 1)
    cohort, config = root / "p" / "cohort.csv", root / "quick.yaml"
    config.write_text("training: {epochs: 1, threads: 1}\n")
    prepared, model, out, table = root / "prepared", root / "model", root / "out", root / "features.csv"
    command("prepare", cohort, "-o", prepared, "--config", config)
    command("train", prepared, "-o", model, "--config", config)
    (root / "two.csv").write_text("".join(cohort.read_text().splitlines(keepends=True)[:3]))
    shutil.copy(root / "two.csv", cohort.with_name("two.csv"))
    rates, rows = {}, []
    for name, run, product in (
        ("prepare", lambda manifest, place: command("prepare", manifest, "-o", place, "--config", config), prepared),
        ("predict", lambda manifest, place: command("predict", model, manifest, "-o", place), out),
        ("quantify", lambda manifest, place: command("quantify", manifest, "-o", place), table),
    ):
        small = product.with_name(f"two_{product.name}")
        shutil.rmtree(product, ignore_errors=True)
        few, all_ = run(cohort.with_name("two.csv"), small), run(cohort, product)
        each_s = (all_.cpu_s - few.cpu_s) / (count - 2)
        files = product.rglob("*") if product.is_dir() else [product]
        written = sum(path.stat().st_size for path in files if path.is_file())
        rates[name] = (each_s, written / count)
        cells = [name, f"{each_s:.2f}", f"{written / count / 1e6:.2f}", f"{all_.peak_mb:.0f}"]
        rows.append("| " + " | ".join(cells) + " |")
        print(rows[-1], file=sys.stderr, flush=True)
    scan = sum(path.stat().st_size for path in (root / "p" / "images").rglob("*.dcm")) / count
    return rows, needs(rates, scan)


def needs(rates: dict[str, tuple[float, float]], scan_bytes: float) -> str:
    """The arithmetic for `SCANS` scans, in words."""
    each_s, times = sum(seconds for seconds, _ in rates.values()), len(rates)
    hours = SCANS * each_s / 3600
    written = SCANS * sum(size for _, size in rates.values()) / 1e12
    terms = " + ".join(f"{seconds:.2f}" for seconds, _ in rates.values())
    return (
        f"{SCANS:,} scans x ({terms}) s = {hours:,.0f} core hours: {hours / 64:,.1f} h on 64 cores of this kind. Each "
        f"command reads each scan: {SCANS:,} x {times} x {scan_bytes / 1e6:.1f} MB = "
        f"{SCANS * times * scan_bytes / 1e12:.2f} TB, so that 64 cores ask the storage for "
        f"{64 * times * scan_bytes / each_s / 1e6:,.0f} MB/s. Written: {written:.2f} TB."
    )


HEADS = {
    "growth": (
        "Cost a case",
        f"Small scans, without turned views, `--workers {WORKERS}`; the command's start, measured on two cases (median "
        "of three), is subtracted. `again`: the same command once more in one process, with nothing left to do. Memory "
        "is the most that a process held: the larger worker, and the command itself, which keeps manifest and results.",
    ),
    "scheduling": (
        "Cost of scheduling",
        "All that is not the cases' own work, counted from the first answer on: handing out, answers, idle loops of "
        "scheduler and workers. The cases are the same small scans, prepared with default settings. The same "
        "work takes longer in a worker of Dask, by what the last column says more than the share.",
    ),
    "whole": (
        f"What {SCANS:,} scans need",
        "Rates of phantoms in DICOM (`pointpet phantom --format dicom`), default settings, one process; the difference "
        "between all of them and two, so that no start is in it.",
    ),
}


def measure(part: str, size: list[int], commands: list[str], root: Path) -> tuple[list[str], bool]:
    """Lines of a part's page, and whether its limit holds."""
    if part == "growth":
        rows, held = growth(root, size, commands)
        head = [
            "| Command | Cases | s | ms a case | Worker, MB | Command itself, MB |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        return [*head, *rows], held
    if part == "scheduling":
        started = startup(root)
        rows, most = scheduling(root, size[0])
        held = most <= OVERHEAD
        lines = [
            "| Who | Cases | Own work, ms a case | Around it, ms a case | Share | All, beside the first's own work |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        lines += [*rows, f"\nLimit {OVERHEAD:.0%} for the share of the first two: {'met' if held else 'NOT met'}."]
        lines += ["", "Start of two workers and eight empty tasks, best of three:", ""]
        return [*lines, "| Who | s | s by the clock | Largest process, MB |", "|---|---:|---:|---:|", *started], held
    rows, sentence = whole_scans(root, size[0])
    head = ["| Command | s a scan | MB written a scan | Largest process, MB |", "|---|---:|---:|---:|"]
    return [*head, *rows, "", sentence], True


def main() -> None:
    """Measure one part and write its page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=sorted(HEADS))
    parser.add_argument("--size", type=int, nargs="+", required=True, help="cases; for growth the first and the last")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS, help="of growth")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        lines, held = measure(arguments.part, arguments.size, arguments.commands, Path(place))
    load = f"load {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    machine, (title, text) = describe_machine(), HEADS[arguments.part]
    command_line = f"{arguments.part} --size {' '.join(map(str, arguments.size))}"
    if arguments.commands != COMMANDS:
        command_line += f" --commands {' '.join(arguments.commands)}"
    page = [
        f"# {title}",
        "",
        f"`python experiments/scale_cohort.py {command_line}` · {VERSION}, {machine['cpu']}, "
        f"{machine['cores']} cores shared with other work ({load}), Python {machine['python']}. Seconds are of "
        "processor time unless the clock is named.",
        "",
        text,
        "",
        *lines,
        "",
    ]
    print("\n".join(page))
    if arguments.out:
        write_text(arguments.out, "\n".join(page))
    if not held:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
