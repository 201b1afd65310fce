"""What each choice of the method brings: variants of the configuration on phantoms that no other result is made from.

One fixed protocol: 200 patients of one phantom seed, two folds (a hundred to train on), `proposed` alone. What wins
here is confirmed by accuracy.py, on other patients, in five folds and three seeds.

    python experiments/ablations.py --preset hard --work /tmp/ablations --out docs/results/ablations_hard.md
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from accuracy import markdown, printed, shown_arguments
from provenance import VERSION

from pointpet.io.artefacts import write_text
from pointpet.pipeline.config import build_configuration
from pointpet.pipeline.machine import describe_machine
from pointpet.pipeline.phantom import PhantomRequest, write_phantom
from pointpet.pipeline.study import StudyRequest, run_study

PHANTOM_SEED = 4711
FOLDS = 2

ALONE = {"candidates": {"enabled": False}}


def _alone(**training: Any) -> dict[str, Any]:
    return {**ALONE, "training": training}


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "no distance loss": {"training": {"distance": "none"}},
    "score by the highest tenth of the map": {"training": {"pooled_share": 0.1}},
    "no turned views": {"training": {"turns": False}},
    "maps alone": ALONE,
    "maps alone, no turned views": _alone(turns=False),
    "maps alone, score by the highest tenth of the map": _alone(pooled_share=0.1),
    "maps alone, score by the highest 2 %": _alone(pooled_share=0.02),
    "maps alone, views not made to agree": {**ALONE, "localise": {"agree": False}},
    "maps alone, 150 passes": _alone(epochs=150),
    "maps alone, lambda 0.3": _alone(distance_weight=0.3),
    "maps alone, lambda 3": _alone(distance_weight=3.0),
    "maps alone, stride 8": _alone(cam_stride=8),
    "maps alone, a network for each view": _alone(shared_views=False),
    "maps alone, centroid": _alone(distance="centroid"),
    "maps alone, weighted distance": _alone(distance="weighted"),
    "maps alone, softmax centroid": _alone(distance="softmax_centroid"),
    "maps alone, spatial cross-entropy": _alone(distance="cross_entropy"),
}
"""Name to what differs from the default configuration. `maps alone`: no candidates, which hide what a map lacks."""


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """One row a variant and seed."""
    cohort = arguments.work / f"cohort_{arguments.preset}"
    request = PhantomRequest(arguments.patients, PHANTOM_SEED, arguments.preset, "nifti")
    write_phantom(request, cohort, report=printed("phantom"))
    rows = []
    for name in arguments.variants:
        for seed in arguments.seeds:
            study = arguments.work / f"{arguments.preset}_{name.replace(' ', '_').replace('%', 'percent')}_{seed}"
            configuration = build_configuration(VARIANTS[name])
            configuration = replace(configuration, outcome=replace(configuration.outcome, enabled=False))
            asked = StudyRequest(cohort / "cohort.csv", ("proposed",), FOLDS, seed, arguments.workers)
            outcome = run_study(asked, study, configuration, report=printed(name))
            rows.append({"variant": name, "seed": seed, **figures(study), "failed": len(outcome.failures)})
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def figures(study: Path) -> dict[str, float]:
    """Class accuracy, and hit and Dice by class, over the test cases of both folds; blank where a training failed."""
    named = pd.read_csv(study / "tables" / "classification.csv")
    cases = pd.read_csv(study / "tables" / "segmentation.csv")
    found = {"accuracy": float((named["truth"] == named["predicted"]).mean())}
    for measure_name in ("hit", "dice"):
        found |= {
            f"{measure_name} {label}": value for label, value in cases.groupby("label")[measure_name].mean().items()
        }
    return found


def render(arguments: argparse.Namespace, rows: pd.DataFrame) -> str:
    """The result page."""
    machine = describe_machine()
    return "\n".join(
        [
            f"# What each choice brings, preset `{arguments.preset}`",
            "",
            f"Command: `python {' '.join(shown_arguments())}`",
            "",
            f"{VERSION}; {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, torch "
            f"{machine['torch']}. {arguments.patients} patients (phantom seed {PHANTOM_SEED}), {FOLDS} folds, seeds "
            f"{', '.join(map(str, arguments.seeds))} of folds and training. `maps alone`: without candidates. A share "
            f"of {arguments.patients} cases has a standard error of up to {0.5 / arguments.patients**0.5:.3f}.",
            "",
            markdown(rows),
            "",
        ]
    )


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="hard", choices=("default", "hard"))
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and studies; resumed")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Run, print, write."""
    arguments = parse()
    text = render(arguments, measure(arguments))
    print(text)
    if arguments.out:
        write_text(arguments.out, text)


if __name__ == "__main__":
    main()
