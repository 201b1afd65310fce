"""What each choice of the method brings: variants of the configuration on phantoms that no other result is made from.

One fixed protocol: 200 patients of one phantom seed, two folds (a hundred to train on), `proposed` alone. What wins
here is confirmed by accuracy.py, on other patients, in five folds and three seeds.

    python experiments/ablations.py --preset hard --work /tmp/ablations --out docs/results/ablations_hard.md
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pages import markdown, printed, shown_command
from provenance import machine

from pointpet.core import TrainingError
from pointpet.io.artefacts import read_json, write_json, write_text
from pointpet.pipeline.config import build_configuration
from pointpet.pipeline.mapping import map_tasks
from pointpet.pipeline.phantom import PhantomRequest, write_phantom
from pointpet.pipeline.prepare import prepare_cohort
from pointpet.pipeline.study import StudyRequest, run_study
from pointpet.report.study_folder import numbers

PHANTOM_SEED = 4711
FOLDS = 2

MAPS: Mapping[str, Any] = {"candidates": {"enabled": False}}


def _turned(**training: Any) -> dict[str, Any]:
    return {**MAPS, "training": {"turns": True, **training}}


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "no distance loss": {"training": {"distance": "none"}},
    "turned views": {"training": {"turns": True}},
    "turned views, no distance loss": {"training": {"turns": True, "distance": "none"}},
    "maps alone": MAPS,
    "maps, turned": _turned(),
    "maps, turned: views not made to agree": {**_turned(), "localise": {"agree": False}},
    "maps, turned: lambda 0.3": _turned(distance_weight=0.3),
    "maps, turned: lambda 3": _turned(distance_weight=3.0),
    "maps, turned: centroid": _turned(distance="centroid"),
    "maps, turned: weighted distance": _turned(distance="weighted"),
    "maps, turned: softmax centroid": _turned(distance="softmax_centroid"),
    "maps, turned: Gaussian": _turned(distance="gaussian"),
    "maps, turned: spatial cross-entropy": _turned(distance="cross_entropy"),
    "maps, turned: a network for each view": _turned(shared_views=False),
    "maps, turned: stride 8": _turned(cam_stride=8),
    "maps, turned: twice the passes": _turned(epochs=120),
    "maps, turned: input of 4 mm": _turned(input_mm=4.0),
    "maps, turned: score by the highest tenth of the map": _turned(pooled_share=0.1),
}
"""Name to what differs from the default configuration. `maps`: no candidates, which hide what a map lacks; `turned`:
with turned views."""


def kept(arguments: argparse.Namespace) -> pd.DataFrame:
    """The rows that earlier runs kept, one a variant and seed."""
    wanted = product(arguments.variants, arguments.seeds)
    paths = [arguments.work / "rows" / f"{stem(arguments.preset, name, seed)}.json" for name, seed in wanted]
    return pd.DataFrame([read_json(path) for path in paths if path.is_file()])


def measure(arguments: argparse.Namespace) -> None:
    """Measure each variant and seed that no earlier run has measured."""
    cohort = arguments.work / f"cohort_{arguments.preset}"
    request = PhantomRequest(arguments.patients, PHANTOM_SEED, arguments.preset, "nifti")
    write_phantom(request, cohort, report=printed("phantom"))
    prepared = arguments.work / f"prepared_{arguments.preset}"
    settings = build_configuration({"training": {"turns": True}}).preparing(("proposed",))
    prepare_cohort(cohort / "cohort.csv", prepared, settings, workers=arguments.workers, report=printed("prepare"))
    tasks = [
        _Task(cohort / "cohort.csv", prepared, arguments.work / stem(arguments.preset, name, seed), name, seed)
        for seed, name in product(arguments.seeds, arguments.variants)
    ]
    (arguments.work / "rows").mkdir(exist_ok=True)
    for _, row, error in map_tasks(
        measured_row, tasks, workers=arguments.workers, report=printed("variants"), describe=lambda task: task.name
    ):
        if error is not None:
            raise error
        print(row, flush=True)


@dataclass(frozen=True)
class _Task:
    manifest: Path
    prepared: Path
    study: Path
    name: str
    seed: int


def stem(preset: str, name: str, seed: int) -> str:
    """What the files of a variant are called."""
    return f"{preset}_{name.replace(' ', '_').replace('%', 'percent')}_{seed}"


def measured_row(task: _Task) -> dict[str, Any]:
    """Run one study and keep its figures; those that an earlier run kept are read back."""
    known = task.study.parent / "rows" / f"{task.study.name}.json"
    if known.is_file():
        return read_json(known)
    if not task.study.exists():  # A study prepares its cases where they are not: the same for all, hence made once.
        shutil.copytree(task.prepared, task.study / ".prepared", copy_function=os.link)
    configuration = build_configuration({"outcome": {"enabled": False}, **VARIANTS[task.name]})
    asked = StudyRequest(task.manifest, ("proposed",), FOLDS, task.seed)
    row: dict[str, Any] = {"variant": task.name, "seed": task.seed, "by": machine()}
    try:
        outcome = run_study(asked, task.study, configuration)
    except TrainingError as error:  # a variant that cannot be trained is a result too
        row["failed"] = str(error)
    else:
        row |= {**figures(task.study), "failed": f"{len(outcome.failures)} folds" if outcome.failures else ""}
    write_json(known, row)
    return row


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds of each variant's figures."""
    rows = rows.copy()
    rows["hit"] = rows.filter(like="hit ").mean(axis=1)
    rows["dice"] = rows.filter(like="dice ").mean(axis=1)
    grouped = rows.groupby("variant", sort=False)[["accuracy", "hit", "dice"]]
    means = grouped.agg(["mean", "std"])
    means.columns = [name if what == "mean" else f"{name}, sd" for name, what in means.columns]
    means["seeds"] = grouped.count()["accuracy"]
    return means.reset_index()


def figures(study: Path) -> dict[str, float]:
    """Class accuracy, and hit and Dice by class, over the test cases of both folds; blank where a training failed."""
    named = pd.read_csv(study / "tables" / "classification.csv")
    cases = pd.read_csv(study / "tables" / "segmentation.csv")
    right = named["truth"].to_numpy() == named["predicted"].to_numpy()
    found = {"accuracy": float(right.mean())}
    for name in ("hit", "dice"):
        found |= {f"{name} {label}": numbers(group, name).mean() for label, group in cases.groupby("label")}
    return found


def render(arguments: argparse.Namespace, rows: pd.DataFrame) -> str:
    """The result page."""
    makers = "; ".join(f"{maker} ({count} rows)" for maker, count in rows["by"].value_counts().items())
    shown = rows.drop(columns="by").replace({np.nan: ""})
    return "\n".join(
        [
            f"# What each choice brings, preset `{arguments.preset}`",
            "",
            f"Command: `{shown_command()}`",
            "",
            f"{makers}. {arguments.patients} patients (phantom seed {PHANTOM_SEED}), {FOLDS} folds; a seed is that of "
            "folds and training. `maps`: without candidates, which hide what a map lacks; `turned`: with turned views. "
            f"A share of {arguments.patients} cases has a standard error of up to {0.5 / arguments.patients**0.5:.3f}; "
            "differences between variants of one seed are paired and vary less. Without `--kept` the command measures "
            "what is missing.",
            "",
            "Means over the seeds that were trained; hit and Dice: mean of both classes.",
            "",
            markdown(summary(rows).replace({np.nan: ""})),
            "",
            "Each seed:",
            "",
            markdown(shown),
            "",
        ]
    )


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="hard", choices=("default", "hard"))
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and studies; resumed")
    parser.add_argument("--kept", action="store_true", help="show the rows that earlier runs kept, measure nothing")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Run, print, write."""
    arguments = parse()
    if not arguments.kept:
        measure(arguments)
    text = render(arguments, kept(arguments))
    print(text)
    if arguments.out:
        write_text(arguments.out, text)


if __name__ == "__main__":
    main()
