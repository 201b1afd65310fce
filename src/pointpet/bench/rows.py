"""The comparisons, their goals, and how they are run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pointpet.bench.material import FULL, Material, Size, make_material
from pointpet.bench.process import ContenderProcess

OURS = "pointpet.bench.contenders"
PEERS = "pointpet.bench.peers"


@dataclass(frozen=True)
class Comparison:
    """One row.

    Args:
        name: as the table has it.
        ours, peer: the contenders' functions.
        goal: of the ratio: peer over ours, at least the goal; where `lower`, ours over peer, at most the goal.
        text: what is compared.
        goal_s, goal_mb: the most that ours may take, where there is such a goal.
    """

    name: str
    ours: str
    peer: str
    goal: float
    text: str
    lower: bool = False
    goal_s: float | None = None
    goal_mb: float | None = None


MEMORY_GOAL_MB = 1000.0
COMPARISONS = (
    Comparison(
        "mips_vs_monai",
        f"{OURS}:project_ours",
        f"{PEERS}:project_monai",
        100,
        "SUV in memory to two MIPs at 2 mm; MONAI Spacing (nearest) and a maximum",
    ),
    Comparison(
        "mips_vs_sitk",
        f"{OURS}:project_ours",
        f"{PEERS}:project_sitk",
        20,
        "SUV in memory to two MIPs at 2 mm; SimpleITK Resample (nearest) and a maximum",
    ),
    Comparison(
        "prepare_vs_monai",
        f"{OURS}:prepare_ours",
        f"{PEERS}:prepare_monai",
        8,
        "DICOM folder to SUV to two MIPs; MONAI LoadImage (PydicomReader), Spacing, maximum; no SUV",
        goal_mb=MEMORY_GOAL_MB,
    ),
    Comparison(
        "prepare_vs_sitk",
        f"{OURS}:prepare_ours",
        f"{PEERS}:prepare_sitk",
        2,
        "DICOM folder to SUV to two MIPs; SimpleITK ImageSeriesReader, Resample, maximum; no SUV",
        goal_mb=MEMORY_GOAL_MB,
    ),
    Comparison(
        "prepare_vs_floor",
        f"{OURS}:prepare_ours",
        f"{PEERS}:read_pixels",
        1.1,
        "DICOM folder to SUV to two MIPs; pydicom's pixel_array of every file and nothing else",
        lower=True,
        goal_mb=MEMORY_GOAL_MB,
    ),
    Comparison(
        "predict_vs_unet3d",
        f"{OURS}:predict_ours",
        f"{PEERS}:predict_unet3d",
        500,
        "DICOM folder to all that `predict demo` writes; MONAI BasicUNet by sliding windows of 128^3, overlap 0.5, at "
        "2 mm, extrapolated: the median of single windows times the number of windows",
        goal_s=1.0,
        goal_mb=MEMORY_GOAL_MB,
    ),
    Comparison(
        "train_vs_plain",
        f"{OURS}:train_ours",
        f"{PEERS}:train_plain",
        2.5,
        "seconds an image of training, distance loss and augmentation included; a plain float32 loop of the same "
        "layers on the uncut pictures, with neither",
    ),
    Comparison(
        "cam_overhead",
        f"{OURS}:forward_with_maps",
        f"{OURS}:forward_alone",
        1.05,
        "forward pass with normalised maps of both views; forward pass without maps",
        lower=True,
    ),
)


def run_bench(
    size: Size = FULL,
    *,
    comparisons: Sequence[Comparison] = COMPARISONS,
    report: Callable[[int, int, str], None] = lambda *_: None,
) -> list[dict[str, Any]]:
    """Measure every comparison on material made for the occasion.

    Returns:
        Rows: `name`, `ratio`, `median_s` and `peer_s` (medians of `runs` warm runs), `rss_mb` (the most memory that our
        process held), `goal` and `met`, `runs`, `text`.

    Raises:
        BenchError: a contender failed.
    """
    folder = Path(tempfile.mkdtemp(prefix="pointpet-bench-"))
    try:
        total = len(comparisons) + 1
        report(0, total, "makes its material")
        material = make_material(folder, size)
        rows = []
        for done, comparison in enumerate(comparisons, start=1):
            report(done, total, comparison.name)
            rows.append(measure(comparison, material, size))
        report(total, total, "")
        return rows
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(comparison: Comparison, material: Material, size: Size) -> dict[str, Any]:
    """One row: a warm-up each, then `size.runs` runs each, in turn."""
    log = material.folder / f"{comparison.name}.log"
    runs = min(size.runs, size.windows) if comparison.peer.endswith(":predict_unet3d") else size.runs
    with (
        ContenderProcess(comparison.ours, material, size, log) as ours,
        ContenderProcess(comparison.peer, material, size, log) as peer,
    ):
        ours.run()
        peer.run()
        pairs = [(ours.run(), peer.run()) for _ in range(runs)]
        rss_mb = ours.rss_mb()
    median_s, peer_s = (median(column) for column in zip(*pairs, strict=True))
    return judged(comparison, median_s, peer_s, rss_mb) | {"runs": runs}


def judged(comparison: Comparison, median_s: float, peer_s: float, rss_mb: float) -> dict[str, Any]:
    """A row with its verdict."""
    ratio = median_s / peer_s if comparison.lower else peer_s / median_s
    met = [ratio <= comparison.goal if comparison.lower else ratio >= comparison.goal]
    met += [] if comparison.goal_s is None else [median_s <= comparison.goal_s]
    met += [] if comparison.goal_mb is None else [rss_mb <= comparison.goal_mb]
    row = {"name": comparison.name, "ratio": ratio, "median_s": median_s, "peer_s": peer_s, "rss_mb": rss_mb}
    kept = {name: value for name, value in asdict(comparison).items() if name.startswith("goal") or name == "text"}
    return {**row, **kept, "lower": comparison.lower, "met": all(met)}


TABLE_COLUMNS = ("name", "ratio", "goal", "met", "ours_ms", "peer_ms", "rss_mb", "runs")


def table_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The rows as a table for people shows them."""
    return [
        {
            "name": row["name"],
            "ratio": f"{row['ratio']:.3g}" if row["lower"] else f"{row['ratio']:.1f}",
            "goal": f"{'<=' if row['lower'] else '>='} {row['goal']:g}",
            "met": "yes" if row["met"] else "NO",
            "ours_ms": f"{1000 * row['median_s']:.4g}",
            "peer_ms": f"{1000 * row['peer_s']:.4g}",
            "rss_mb": f"{row['rss_mb']:.0f}",
            "runs": str(row["runs"]),
        }
        for row in rows
    ]
