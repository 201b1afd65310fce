"""What each choice of the method brings: variants on phantoms that no other result is made from.

One fixed, cheap protocol: of 200 patients of one phantom seed one half is learned from and the other tested; a seed is
that of the halves and of the training. What wins here is confirmed by accuracy.py, on other patients, in five folds and
three seeds.

    python experiments/ablations.py --preset hard --work /tmp/ablations --out docs/results/ablations_hard.md

A row that is kept in the work folder is not measured again; it says which version of pointpet made it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from halves import PHANTOM_SEED, chosen, context_of, given, make_cohort, read_halves, tested
from pages import markdown, printed, shown_command
from provenance import machine

from pointpet.core import ActivationMap, Mask, MipPair, Plane, TrainingError, derive_seed
from pointpet.io.artefacts import read_json, write_json, write_text
from pointpet.learn.activation import Activation
from pointpet.learn.candidate_forest import ClickedCandidates, fit_forest
from pointpet.localise.point import segment_point
from pointpet.methods.base import CaseInput, FitContext, Given
from pointpet.methods.fitted_weak import FittedWeakMethod, MappingNetwork
from pointpet.methods.stored import FittedForest
from pointpet.pipeline.config import Configuration, build_configuration
from pointpet.pipeline.mapping import map_tasks

MAPS: Mapping[str, Any] = {"candidates": {"enabled": False}}
SAME_SIZE = (4, 8, 16, 24, 56, 8)
"""Channels of a U-Net of 88,519 parameters; the default network of `proposed` has 90,706."""


@dataclass(frozen=True)
class Variant:
    """What differs from the defaults.

    Args:
        changes: of the configuration.
        networks: so many are trained alike, each with a seed of its own; their maps and probabilities are averaged.
        masks: a U-Net that learns masks takes the network's place: the `true` ones, those `clicked` (the outline of
            `proposed` at the training click), or what the defaults `found` in the training cases; None: no U-Net.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    networks: int = 1
    masks: str | None = None


def _maps(**training: Any) -> Variant:
    return Variant({**MAPS, "training": training})


def _unet(masks: str, changes: Mapping[str, Any]) -> Variant:
    return Variant({**changes, "unet": {"features": list(SAME_SIZE)}}, masks=masks)


VARIANTS: Mapping[str, Variant] = {
    "defaults": Variant(),
    "no distance loss": Variant({"training": {"distance": "none"}}),
    "turned views": Variant({"training": {"turns": True}}),
    "coronal view and its mirror image": Variant({"training": {"mirror": True}}),
    "mean of three networks": Variant(networks=3),
    "U-Net in place of the network, true masks": _unet("true", {}),
    "U-Net in place of the network, masks outlined at the clicks": _unet("clicked", {}),
    "U-Net in place of the network, masks that the defaults found": _unet("found", {}),
    "maps": Variant(MAPS),
    "maps: no distance loss": _maps(distance="none"),
    "maps: no distance loss, learning rate of CAMs alone": _maps(distance="none", learning_rate=3e-3),
    "maps: centroid": _maps(distance="centroid"),
    "maps: weighted distance": _maps(distance="weighted"),
    "maps: softmax centroid": _maps(distance="softmax_centroid"),
    "maps: Gaussian": _maps(distance="gaussian"),
    "maps: spatial cross-entropy": _maps(distance="cross_entropy"),
    "maps: lambda 0.3": _maps(distance_weight=0.3),
    "maps: lambda 3": _maps(distance_weight=3.0),
    "maps: distance loss from epoch 20 on": _maps(warmup_epochs=20),
    "maps: turned views": _maps(turns=True),
    "maps: views not made to agree": Variant({**MAPS, "localise": {"agree": False}}),
    "maps: a network for each view": _maps(shared_views=False),
    "maps: stride 8": _maps(cam_stride=8),
    "maps: stride 16": _maps(cam_stride=16),
    "maps: input of 8 mm": _maps(input_mm=8.0),
    "maps: input of 4 mm": _maps(input_mm=4.0),
    "maps: score by the highest tenth of the map": _maps(pooled_share=0.1),
    "maps: coronal view and its mirror image": _maps(mirror=True),
    "maps: twice the passes": _maps(epochs=132),
    "maps: mean of three networks": Variant(MAPS, networks=3),
    "maps: U-Net in place of the network, true masks": _unet("true", MAPS),
}
"""`maps`: no candidates, which hide what a map lacks."""


@dataclass(frozen=True, eq=False)
class MeanNetwork:
    """Several networks as one: the mean of their probabilities and of their maps, these again as shares of the
    highest."""

    networks: Sequence[MappingNetwork]

    @property
    def record(self) -> dict[str, Any]:
        """That of the first."""
        return self.networks[0].record

    def tensors(self) -> dict[str, Any]:
        """None: it is not stored."""
        return {}

    def activate(self, mips: MipPair) -> Activation:
        """Ask each, and average."""
        seen = [network.activate(mips) for network in self.networks]
        names = list(seen[0].probabilities)
        probabilities = {name: float(np.mean([one.probabilities[name] for one in seen])) for name in names}
        maps = {name: _mean_maps([one.class_maps[name] for one in seen]) for name in names}
        return Activation(probabilities, maps[max(names, key=probabilities.__getitem__)], maps)


def _mean_maps(maps: Sequence[Mapping[Plane, ActivationMap]]) -> dict[Plane, ActivationMap]:
    found = {}
    for plane, first in maps[0].items():
        views = [one[plane] for one in maps]
        mean = np.mean([view.values for view in views], axis=0)  # noqa: PD011 -- no data frame
        found[plane] = replace(first, values=(mean / max(mean.max(), 1e-6)).astype(np.float32))
    return found


@dataclass(frozen=True, eq=False)
class EveryClass:
    """A U-Net with the one map that it has as that of every class, so that candidates can speak on the class."""

    network: MappingNetwork

    @property
    def record(self) -> dict[str, Any]:
        """The U-Net's."""
        return self.network.record

    def tensors(self) -> dict[str, Any]:
        """The U-Net's."""
        return self.network.tensors()

    def activate(self, mips: MipPair) -> Activation:
        """The U-Net's answer."""
        seen = self.network.activate(mips)
        return replace(seen, class_maps=dict.fromkeys(seen.probabilities, seen.maps))


def fitted(
    variant: Variant, configuration: Configuration, training: Sequence[CaseInput], context: FitContext
) -> FittedWeakMethod:
    """What a variant learns from cases that hold label, point and true mask.

    Args:
        variant: which.
        configuration: with the variant's changes.
        training: the cases; each method is given of them what it declares.
        context: as a study gives it.
    """
    if variant.masks is not None:
        return _fitted_unet(variant, configuration, training, context)
    method = configuration.method("proposed")
    seeds = [context.seed, *(derive_seed(context.seed, n) for n in range(1, variant.networks))]
    weak = [_without_mask(case) for case in training]
    models = [
        model for seed in seeds if isinstance(model := method.fit(weak, replace(context, seed=seed)), FittedWeakMethod)
    ]
    first = models[0]
    if variant.networks > 1:
        network = MeanNetwork([model.network for model in models])
        return FittedWeakMethod(first.method, network, first.localising, first.context, first.forest)
    return first


def _fitted_unet(
    variant: Variant, configuration: Configuration, training: Sequence[CaseInput], context: FitContext
) -> FittedWeakMethod:
    if variant.masks == "found":
        teacher = build_configuration({}).method("proposed").fit([_without_mask(case) for case in training], context)
        training = [_with_mask(case, teacher.predict(_unlabelled(case)).mask) for case in training]
    elif variant.masks == "clicked":
        training = [_with_mask(case, _clicked(case, configuration)) for case in training]
    unet = configuration.method("unet").fit(training, context)
    assert isinstance(unet, FittedWeakMethod)
    forest, settings = None, configuration.candidates
    if settings.enabled:
        clicked = [
            ClickedCandidates(case.load_candidates(), case.label, case.points_mm)
            for case in training
            if case.label and case.load_candidates is not None
        ]
        seed = derive_seed(context.seed, "candidates")
        learned = fit_forest(clicked, settings, classes=context.classes, lesion_free=(), seed=seed)
        assert learned is not None
        forest = FittedForest(learned, settings)
    return FittedWeakMethod(unet.method, EveryClass(unet.network), unet.localising, unet.context, forest)


def _without_mask(case: CaseInput) -> CaseInput:
    return replace(case, load_mask=None)


def _unlabelled(case: CaseInput) -> CaseInput:
    return replace(case, load_mask=None, label=None, points_mm=np.zeros((0, 3)), pixels={})


def _with_mask(case: CaseInput, mask: Mask | None) -> CaseInput:
    assert mask is not None
    return replace(case, load_mask=lambda: mask)


def _clicked(case: CaseInput, configuration: Configuration) -> Mask:
    """The outline at the case's click, by the rule that outlines for `proposed`."""
    assert case.load_volume is not None
    settings = configuration.localise
    return segment_point(case.load_volume(), case.points_mm[0], rule=settings.outline, settings=settings).mask


@dataclass(frozen=True)
class Task:
    """One variant with one seed."""

    work: Path
    preset: str
    name: str
    seed: int

    @property
    def kept(self) -> Path:
        """Where its row is."""
        words = "".join(letter if letter.isalnum() else "_" for letter in self.name)
        return self.work / "rows" / f"{self.preset}_{words}_{self.seed}.json"


def tasks_of(arguments: argparse.Namespace) -> list[Task]:
    """All variants and seeds."""
    wanted = product(arguments.seeds, arguments.variants)
    return [Task(arguments.work, arguments.preset, name, seed) for seed, name in wanted]


def measure(arguments: argparse.Namespace) -> None:
    """Measure each variant and seed that no earlier run has measured."""
    everything = build_configuration({"training": {"turns": True}})
    make_cohort(arguments.work, arguments.preset, arguments.patients, everything, workers=arguments.workers)
    (arguments.work / "rows").mkdir(exist_ok=True)
    for task, _, error in map_tasks(
        measured,
        [task for task in tasks_of(arguments) if not task.kept.is_file()],
        workers=arguments.workers,
        report=printed("variants"),
        describe=lambda task: f"{task.name}, seed {task.seed}",
    ):
        if error is not None:
            raise error
        print(row_of(task), flush=True)


def measured(task: Task) -> None:
    """Train, test, and keep the figures of each case."""
    cohort, ways = read_halves(task.work, task.preset, task.seed)
    variant = VARIANTS[task.name]
    configuration = build_configuration(variant.changes)
    row: dict[str, Any] = {"by": machine(), "cases": [], "failed": ""}
    training = given(chosen(cohort, ways[0].train), frozenset(Given))
    try:
        model = fitted(variant, configuration, training, context_of(cohort, "proposed", task.seed, 0))
    except TrainingError as error:  # a variant that cannot be trained is a result too
        row["failed"] = str(error)
    else:
        row["cases"] = [{"case_id": one.case.case_id, **tested(model, one)} for one in chosen(cohort, ways[0].test)]
    write_json(task.kept, row)


def row_of(task: Task) -> dict[str, Any]:
    """What a variant with one seed reached: class accuracy, and hit and Dice by class."""
    record = read_json(task.kept)
    row: dict[str, Any] = {"variant": task.name, "seed": task.seed}
    cases = pd.DataFrame(record["cases"])
    if len(cases):
        row["accuracy"] = cases["accuracy"].mean()
        for name in ("hit", "dice"):
            row |= {f"{name} {label}": group[name].mean() for label, group in cases.groupby("label")}
    return {**row, "failed": record["failed"]}


def summary(tasks: Sequence[Task]) -> pd.DataFrame:
    """Mean over seeds of each variant's figures; Dice beside the defaults', or beside the maps' of the same seeds."""
    dice: dict[str, dict[int, float]] = {}
    rows = []
    for name in dict.fromkeys(task.name for task in tasks):
        found = pd.DataFrame([row_of(task) for task in tasks if task.name == name])
        if "accuracy" not in found:
            rows.append({"variant": name, "seeds": 0})
            continue
        found = found.dropna(subset="accuracy")
        found = found.assign(hit=found.filter(like="hit ").mean(axis=1), dice=found.filter(like="dice ").mean(axis=1))
        dice[name] = dict(zip(found["seed"], found["dice"], strict=True))
        base = dice.get("maps" if name.startswith("maps") else "defaults", {})
        gains = np.array([value - base[seed] for seed, value in dice[name].items() if seed in base])
        figures = found.drop(columns=["variant", "seed", "failed"]).mean()
        row = {"variant": name, **{key: figures[key] for key in ("accuracy", *found.filter(like="hit ").columns)}}
        row |= {"dice": figures["dice"], "gain": gains.mean() if len(gains) else np.nan}
        rows.append({**row, "gain, sd": gains.std(ddof=1) if len(gains) > 1 else np.nan, "seeds": len(found)})
    return pd.DataFrame(rows)


def render(arguments: argparse.Namespace) -> str:
    """The result page."""
    tasks = [task for task in tasks_of(arguments) if task.kept.is_file()]
    makers = pd.Series([read_json(task.kept)["by"] for task in tasks]).value_counts()
    by_name = sorted(tasks, key=lambda task: (list(VARIANTS).index(task.name), task.seed))
    half = arguments.patients // 2
    return "\n".join(
        [
            f"# What each choice brings, preset `{arguments.preset}`",
            "",
            f"Command: `{shown_command()}`",
            "",
            f"{'; '.join(f'{maker} ({count} rows)' for maker, count in makers.items())}. {half} patients are learned "
            f"from, {half} others tested (phantom seed {PHANTOM_SEED}, on which the method's choices were made); a "
            "seed is that of the halves and of the training, the same for every variant. `maps`: without candidates, "
            "which hide what a map lacks. `U-Net`: of the same number of parameters, learning masks of both "
            "projections, with turned views as is its default, and with the same forest of candidates where it is not "
            "of the maps alone; what makes of maps and candidates an outline was chosen for the activation maps.",
            "",
            "Means over the seeds; Dice: mean of both classes; gain: Dice less that of the defaults (of `maps`) with "
            f"the same seeds. One seed's share of {half} cases has a standard error of up to {0.5 / half**0.5:.2f}, a "
            f"class's of {0.5 / (half / 2) ** 0.5:.2f}; variants of one seed are paired and differ less by chance.",
            "",
            markdown(summary(by_name).replace({np.nan: ""})),
            "",
            "Each seed:",
            "",
            markdown(pd.DataFrame([row_of(task) for task in by_name]).replace({np.nan: ""})),
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
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and rows; resumed")
    parser.add_argument("--kept", action="store_true", help="show the rows that earlier runs kept, measure nothing")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Run, print, write."""
    arguments = parse()
    if not arguments.kept:
        measure(arguments)
    text = render(arguments)
    print(text)
    if arguments.out:
        write_text(arguments.out, text)


if __name__ == "__main__":
    main()
