"""Cancer against control on MIP images: AUC, hit and 2D Dice on the phantom preset `disease`; how long a study takes.

Each variant is a cohort that `experiments/mip_cohort.py` (or, for `nifti`, `pointpet phantom` itself) writes, each
configuration a study of five folds on it. Prints and writes a page; cohorts and studies are kept in WORK and resumed.

    python experiments/mip_images.py --work /tmp/mip_images --variants coronal varied both nifti
    python experiments/mip_images.py --work /tmp/mip_images --rate
    python experiments/mip_images.py --work /tmp/dev --phantom-seed 501 --variants coronal \
        --set training.rivals=own --set training.pooled_share=0.1
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pages import markdown, printed, shown_command
from provenance import VERSION

from pointpet.core import MipPair, Plane
from pointpet.io.artefacts import read_json, write_text
from pointpet.learn import Example
from pointpet.learn.train import train
from pointpet.pipeline.config import Configuration, build_configuration
from pointpet.pipeline.machine import describe_machine
from pointpet.pipeline.phantom import PhantomRequest, write_phantom
from pointpet.pipeline.study import StudyRequest, run_study
from pointpet.report.study_folder import numbers

METHODS = ("proposed", "cam_alone")

VARIANTS = {
    "coronal": ["--views", "coronal", "--inverted"],
    "varied": ["--views", "coronal", "--inverted", "--vary"],
    "both": ["--views", "coronal", "sagittal", "--kind", "npy"],
    "nifti": [],
}
"""Name to the options of mip_cohort.py; `nifti` is the phantom itself."""

CASES, SHAPE, PIXEL_MM, BODY_PIXELS = 608, (496, 200), 4.0, 110
"""The cohort that a study has to finish with in 45 minutes on two cores."""


def cohort_of(variant: str, arguments: argparse.Namespace) -> Path:
    """The manifest of a variant, written where it is not there yet."""
    phantom = arguments.work / f"phantom_{arguments.phantom_seed}_{arguments.patients}"
    request = PhantomRequest(arguments.patients, arguments.phantom_seed, "disease", "nifti")
    write_phantom(request, phantom, workers=arguments.workers, report=printed("phantom"))
    if variant == "nifti":
        return phantom / "cohort.csv"
    folder = arguments.work / f"{variant}_{arguments.phantom_seed}_{arguments.patients}"
    if not (folder / "cohort.csv").is_file():
        script = Path(__file__).with_name("mip_cohort.py")
        command = [sys.executable, str(script), str(phantom / "cohort.csv"), str(folder), *VARIANTS[variant]]
        subprocess.run(command, check=True)
    return folder / "cohort.csv"


def measured(variant: str, configuration: Configuration, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a method: AUC by fold, hit, Dice, false positives in controls, training time."""
    manifest = cohort_of(variant, arguments)
    study = arguments.work / f"study_{manifest.parent.name}_{arguments.seed}_{configuration.digest[:10]}"
    request = StudyRequest(manifest, METHODS, arguments.folds, arguments.seed, arguments.workers)
    started = time.monotonic()
    outcome = run_study(request, study, configuration, report=printed(variant))
    minutes = (time.monotonic() - started) / 60
    for failure in outcome.failures:
        print(f"FAILED {failure}", file=sys.stderr)
    cases = pd.read_csv(study / "tables" / "segmentation.csv")
    areas = pd.read_csv(study / "tables" / "classification_summary.csv").set_index("method")
    record = read_json(study / "study.json")
    rows = []
    for method in record["methods"]:
        name = method["name"]
        sick = cases.query("method == @name and label == 'cancer'")
        healthy = cases.query("method == @name and label == 'control'")
        flat = [column for column in ("dice_coronal", "dice_sagittal") if len(numbers(sick, column))]
        rows.append(
            {
                "cohort": variant,
                "method": name,
                "AUC": areas.loc[name, "auc_mean"],
                "AUC sd": areas.loc[name, "auc_sd"],
                "accuracy": areas.loc[name, "accuracy"],
                "hit": sick["hit"].mean(),
                "hit strict": sick["hit_strict"].mean(),
                "Dice": sick["dice"].mean(),
                "2D Dice": sick[flat].mean(axis=None),
                "controls left clean": (healthy[["fp_ml", "fp_cm2"]].sum(axis=1) == 0).mean(),
                "s a training": float(np.mean(method["train_seconds"])),
                "study, min": minutes,
            }
        )
    return rows


def training_rate(configuration: Configuration) -> tuple[float, int]:
    """Images of the size of `SHAPE` trained a second of one core, and the epochs of a study of `CASES`."""
    rng = np.random.default_rng(0)
    examples = []
    for index in range(64):
        picture = np.zeros(SHAPE, np.float32)
        left = (SHAPE[1] - BODY_PIXELS) // 2
        picture[8:-8, left : left + BODY_PIXELS] = rng.gamma(4, 0.3, (SHAPE[0] - 16, BODY_PIXELS))
        label = ("cancer", "control")[index % 2]
        points = {Plane.CORONAL: np.array([[200.0, 100.0]])} if label == "cancer" else {}
        pair = MipPair(picture.T[::-1, ::-1], None, PIXEL_MM)
        examples.append(Example(f"C{index}", f"C{index}", pair, label, points))
    settings = configuration.training.for_cohort(("control",), pictures=True)
    epochs = settings.with_epochs_for(round(CASES * 0.8 * (1 - settings.validation_share))).epochs
    seconds = []
    for passes in (1, 4):
        started = time.process_time()
        train(
            examples,
            replace(settings, epochs=passes, threads=1),
            seed=0,
            classes=("cancer", "control"),
            lesion_free=("control",),
        )
        seconds.append(time.process_time() - started)
    # The difference of two trainings is free of what happens once.
    return 3 * len(examples) / (seconds[1] - seconds[0]), epochs


def rate_lines(configuration: Configuration) -> list[str]:
    """The extrapolation in words."""
    rate, epochs = training_rate(configuration)
    input_mm = configuration.training.for_cohort(("control",), pictures=True).input_mm
    images = round(CASES * 0.8) * epochs
    minutes = images / rate * len(METHODS) * 5 / 2 / 60
    return [
        f"Training sees {rate:.0f} images of {SHAPE[0]} x {SHAPE[1]} pixels ({PIXEL_MM:g} mm, input "
        f"{input_mm:g} mm) a second of one core's time, augmentation included. {CASES} cases in "
        f"five folds are {round(CASES * 0.8)} images times {epochs} epochs a training; ten trainings on two cores, one "
        f"thread each: {math.ceil(minutes)} minutes (extrapolated).",
        "",
    ]


def render(arguments: argparse.Namespace, configuration: Configuration) -> str:
    """The page."""
    machine = describe_machine()
    lines = [
        "# Cancer against control on MIP images, phantom preset `disease`",
        "",
        f"Command: `{shown_command()}`",
        "",
        f"{VERSION}; {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, torch "
        f"{machine['torch']}. {arguments.patients} patients (seed {arguments.phantom_seed}), half of them controls, 1 "
        f"to 40 lesions of which one is clicked; {arguments.folds} folds, seed {arguments.seed}. Changed from the "
        f"defaults: {', '.join(arguments.set) or 'nothing'}.",
        "",
    ]
    rows = [row for variant in arguments.variants for row in measured(variant, configuration, arguments)]
    if rows:
        lines += [markdown(pd.DataFrame(rows)), ""]
    if arguments.rate:
        lines += rate_lines(configuration)
    return "\n".join(lines)


def configured(words: list[str]) -> Configuration:
    """The default configuration, without outcomes, with `section.name=value` changed."""
    values: dict[str, dict[str, Any]] = {"outcome": {"enabled": False}}
    for word in words:
        place, _, value = word.partition("=")
        section, _, name = place.partition(".")
        values.setdefault(section, {})[name] = yaml.safe_load(value)
    return build_configuration(values)


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and studies; resumed")
    parser.add_argument("--variants", nargs="*", default=[], choices=tuple(VARIANTS))
    parser.add_argument("--rate", action="store_true", help="measure the training rate and extrapolate")
    parser.add_argument("--patients", type=int, default=160)
    parser.add_argument("--phantom-seed", type=int, default=2020)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.NAME=VALUE", help="changed setting")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Run, print, write."""
    arguments = parse()
    text = render(arguments, configured(arguments.set))
    print(text)
    if arguments.out:
        write_text(arguments.out, text)


if __name__ == "__main__":
    main()
