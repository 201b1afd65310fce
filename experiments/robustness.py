"""What the proposed method loses by clicks that are off and by harder patients than it learned from; do its maps depend
on what the network learned?

Halves of one cohort of preset `hard` (phantom seed 4711, on which the method's choices were made: what is lost counts
here, not the level) are learned from and tested on in turn:

- clicks: those of the training half moved by so many millimetres in a random direction.
- transfer: trained on as many patients of preset `default`.
- sanity (Adebayo et al., NeurIPS 2018): weights are drawn anew layer by layer, the classifier's first; how much of
  the network's own map of the true class is left.

    python experiments/robustness.py --work /tmp/robustness --out docs/results/robustness.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from halves import PHANTOM_SEED, chosen, context_of, given, make_cohort, read_halves, tested
from pages import markdown, printed, shown_command
from provenance import machine
from scipy.stats import spearmanr

from pointpet.core import ActivationMap, Case, Plane, derive_seed, generator
from pointpet.evaluate.detection import HIT_TOLERANCE_MM, peak_distance_mm
from pointpet.io.artefacts import read_json, write_json, write_text
from pointpet.learn.trained import TrainedNetwork
from pointpet.methods.fitted_weak import FittedWeakMethod
from pointpet.pipeline.case_inputs import VolumeReader
from pointpet.pipeline.config import build_configuration
from pointpet.pipeline.mapping import map_tasks
from pointpet.pipeline.prepare import PreparedCase, PreparedCohort
from pointpet.project import project_mask

METHOD = "proposed"
TRAININGS = ("clicks exact", "clicks 5 mm off", "clicks 10 mm off", "trained on default")
MILLIMETRES = {"clicks 5 mm off": 5.0, "clicks 10 mm off": 10.0}
CONFIGURATION = {"outcome": {"enabled": False}}


@dataclass(frozen=True)
class Task:
    """One training, tested on one half of the hard cohort."""

    work: Path
    training: str
    seed: int
    half: int

    @property
    def stem(self) -> str:
        """What its files are called."""
        return f"{self.training.replace(' ', '_')}_{self.seed}_{self.half}"


def tasks_of(arguments: argparse.Namespace) -> list[Task]:
    """All trainings, seeds and halves."""
    return [
        Task(arguments.work, training, seed, half)
        for training in TRAININGS
        for seed in arguments.seeds
        for half in (0, 1)
    ]


def measure(arguments: argparse.Namespace) -> None:
    """Make both cohorts, train and test; what an earlier run kept is not measured again."""
    configuration = build_configuration(CONFIGURATION)
    for preset in ("hard", "default"):
        make_cohort(arguments.work, preset, arguments.patients, configuration, workers=arguments.workers)
    (arguments.work / "rows").mkdir(exist_ok=True)
    for _, _, error in map_tasks(
        measured,
        tasks_of(arguments),
        workers=arguments.workers,
        report=printed("trainings"),
        describe=lambda task: task.stem,
    ):
        if error is not None:
            raise error


def measured(task: Task) -> None:
    """Train, test, and keep the figures of each case."""
    kept = task.work / "rows" / f"{task.stem}.json"
    if kept.is_file():
        return
    hard, halves = read_halves(task.work, "hard", task.seed)
    easy = task.training == "trained on default"
    source, ways = read_halves(task.work, "default", task.seed) if easy else (hard, halves)
    off_mm = MILLIMETRES.get(task.training, 0.0)
    known = [_moved(one, off_mm) for one in chosen(source, ways[task.half].train)]
    fitted = _fit(known, source, task)
    others = chosen(hard, halves[task.half].test)
    cases = [tested(fitted, one) for one in others]
    seen = others if task.training == TRAININGS[0] else []
    write_json(kept, {"by": machine(), "cases": cases, "maps": _sanity(fitted, seen, task.seed) if seen else []})


def _moved(prepared: PreparedCase, off_mm: float) -> PreparedCase:
    """The case with its click so far off, in a direction of its own."""
    if not off_mm:
        return prepared
    case: Case = prepared.case
    way = generator(PHANTOM_SEED, "click", case.case_id).normal(size=case.points_mm.shape)
    step = off_mm * way / np.linalg.norm(way, axis=1, keepdims=True)
    return replace(prepared, case=replace(case, points_mm=case.points_mm + step))


def _fit(known: Sequence[PreparedCase], source: PreparedCohort, task: Task) -> FittedWeakMethod:
    method = build_configuration(CONFIGURATION).method(METHOD)
    training = given(known, method.supervision.training)
    fitted = method.fit(training, context_of(source, METHOD, task.seed, task.half))
    assert isinstance(fitted, FittedWeakMethod)
    return fitted


def _sanity(fitted: FittedWeakMethod, cases: Sequence[PreparedCase], seed: int) -> list[dict[str, Any]]:
    """Rank correlation of the network's own map of the true class with that of the trained weights, by how many layers
    are drawn anew; and how often its peak lies within 16 mm of the tumour in both views."""
    import torch

    network = fitted.network
    assert isinstance(network, TrainedNetwork)
    blank = TrainedNetwork(deepcopy(network.networks), network.classes, network.settings, {})
    torch.manual_seed(derive_seed(seed, "sanity"))
    fresh = type(network.networks)(network.settings, len(network.classes)).state_dict()
    layers = [("head", "both.bias"), *((f"convolutions.{n}.", f"norms.{n}.") for n in reversed(range(8)))]
    reader, rows = VolumeReader(), []
    truths = [project_mask(reader.mask(one), pixel_mm=one.mips.pixel_mm) for one in cases]
    trained = [_own_maps(network, one) for one in cases]
    for drawn in range(len(layers) + 1):
        if drawn:
            weights = blank.networks.state_dict()
            chosen = {name: value for name, value in fresh.items() if any(part in name for part in layers[drawn - 1])}
            blank.networks.load_state_dict({**weights, **chosen})
        now = [_own_maps(blank, one) for one in cases]
        likeness = [_likeness(a[plane], b[plane]) for a, b in zip(trained, now, strict=True) for plane in Plane]
        peaks = [
            max(peak_distance_mm(maps[plane], truth[plane]) for plane in Plane)
            for maps, truth in zip(now, truths, strict=True)
        ]
        rows.append(
            {
                "layers drawn anew": drawn,
                "rank correlation": float(np.mean(likeness)),
                "hit": float(np.mean(np.array(peaks) <= HIT_TOLERANCE_MM)),
            }
        )
    return rows


def _likeness(first: ActivationMap, second: ActivationMap) -> float:
    """Rank correlation of two maps; 0 where one of them is blank."""
    if np.ptp(first.values) == 0 or np.ptp(second.values) == 0:
        return 0.0
    return float(spearmanr(first.values, second.values, axis=None)[0])  # pyright: ignore[reportArgumentType]


def _own_maps(network: TrainedNetwork, prepared: PreparedCase) -> dict[Plane, ActivationMap]:
    assert prepared.case.label is not None
    return dict(network.activate(prepared.mips).class_maps[prepared.case.label])


def kept(arguments: argparse.Namespace) -> list[tuple[Task, dict[str, Any]]]:
    """What was measured, by training."""
    return [(task, read_json(arguments.work / "rows" / f"{task.stem}.json")) for task in tasks_of(arguments)]


def by_training(found: Sequence[tuple[Task, dict[str, Any]]]) -> pd.DataFrame:
    """Class accuracy, and hit and Dice by class: means over seeds, and where there are several, how Dice varies."""
    frames = [pd.DataFrame(row["cases"]).assign(training=task.training, seed=task.seed) for task, row in found]
    rows = []
    for name, cases in pd.concat(frames).groupby("training", sort=False):
        row = {"training": name, "accuracy": cases["accuracy"].mean(), "Dice": cases["dice"].mean()}
        by_seed = [one["dice"].mean() for _, one in cases.groupby("seed")]
        if len(by_seed) > 1:
            row["Dice, sd over seeds"] = float(np.std(by_seed, ddof=1))
        for label, group in cases.groupby("label"):
            row |= {f"hit {label}": group["hit"].mean(), f"dice {label}": group["dice"].mean()}
        rows.append({**row, "Dice lost": (rows[0]["Dice"] if rows else row["Dice"]) - row["Dice"]})
    return pd.DataFrame(rows)


def render(arguments: argparse.Namespace) -> str:
    """The result page."""
    found = kept(arguments)
    maps = pd.DataFrame([row for _, record in found for row in record["maps"]])
    sanity = pd.DataFrame([group.mean() for _, group in maps.groupby("layers drawn anew")])
    sanity = sanity.astype({"layers drawn anew": int})
    makers = "; ".join(dict.fromkeys(record["by"] for _, record in found))
    return "\n".join(
        [
            "# Clicks that are off, harder patients, and what the maps depend on",
            "",
            f"Command: `{shown_command()}`",
            "",
            f"{makers}. {arguments.patients} patients of preset `hard` (phantom seed {PHANTOM_SEED}), half of them "
            f"learned from and the other half tested, in turn; seeds {', '.join(map(str, arguments.seeds))} of halves",
            "and training. Each row is tested on the same patients. `clicks off`: the clicks of the training patients,",
            "each moved in a random direction. `trained on default`: on as many patients of preset `default`. The",
            "method's choices were made on these patients: what is lost counts here, not the level.",
            "",
            markdown(by_training(found)),
            "",
            "The network alone (no candidates, no uptake), its map of the true class: rank correlation with the map of",
            "the trained weights, and share of cases whose peak lies within 16 mm of the tumour in both views, when",
            "the weights of layers are drawn anew, the classifier's first (Adebayo et al. 2018). Means over cases,",
            "halves and seeds.",
            "",
            markdown(sanity),
            "",
        ]
    )


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and figures; resumed")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Run, print, write."""
    arguments = parse()
    measure(arguments)
    text = render(arguments)
    print(text)
    if arguments.out:
        write_text(arguments.out, text)


if __name__ == "__main__":
    main()
