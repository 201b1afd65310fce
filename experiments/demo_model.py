"""Trains the model that the package carries as `demo`, measures it on phantoms it has not seen, and writes its card.

160 phantom patients, half of preset `default` and half of `hard`: several scanners, distractors and low contrast are
among them; the default configuration. Measured on 60 others.

    python experiments/demo_model.py --work /tmp/demo_model --out src/pointpet/shipped/demo
"""

from __future__ import annotations

import argparse
import csv
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from pages import printed
from provenance import VERSION

from pointpet._version import __version__
from pointpet.core import Case, Flag
from pointpet.evaluate.case_measures import measure_case
from pointpet.io.artefacts import write_json
from pointpet.io.cohort_csv import PHANTOM_RECORD, read_cohort, write_cohort
from pointpet.io.model_folder import read_model, write_model
from pointpet.methods.model_card import model_card
from pointpet.pipeline.confidence import load_calibration
from pointpet.pipeline.config import Configuration, load_configuration
from pointpet.pipeline.inputs import read_case_mask
from pointpet.pipeline.machine import describe_machine
from pointpet.pipeline.model_loading import load_model
from pointpet.pipeline.phantom import PhantomRequest, write_phantom
from pointpet.pipeline.predict import predict_volume
from pointpet.pipeline.prediction_files import predicted_pictures_of
from pointpet.pipeline.prepare import read_case_volume
from pointpet.pipeline.train import train_model
from pointpet.project import project_mask
from pointpet.report.study_folder import numbers

SEED = 0
PRESETS = ("default", "hard")
TRAINING = {"default": (80, 4101), "hard": (80, 4102)}
"""Preset to number of patients and seed of the phantom."""
TESTING = {"default": (30, 4103), "hard": (30, 4104)}


def make_cohort(work: Path, part: str, preset: str, patients: int, seed: int) -> Path:
    """Make a phantom cohort, or find it made; its manifest."""
    folder = work / f"{part}_{preset}"
    write_phantom(PhantomRequest(patients, seed, preset, "nifti"), folder, report=printed(folder.name))
    return folder / "cohort.csv"


def join(manifests: dict[str, Path], out: Path, first: int | None = None) -> Path:
    """One manifest of several phantom cohorts, or of the `first` cases of each; the preset before each case id."""
    rows: list[dict[str, Any]] = []
    for preset, manifest in manifests.items():
        with manifest.open(encoding="utf-8", newline="") as file:
            for row in islice(csv.DictReader(file), first):
                files = {name: manifest.parent.resolve() / row[name] for name in ("pet", "mask") if row[name]}
                names = {name: f"{preset}_{row[name]}" for name in ("case_id", "patient_id")}
                rows.append({**row, **files, **names})
    write_cohort(out / "cohort.csv", rows)
    write_json(out / PHANTOM_RECORD, {"preset": " and ".join(manifests), "pointpet_version": __version__})
    return out / "cohort.csv"


def measured_case(model: Path, case: Case) -> dict[str, Any]:
    """What the model says of one case with known truth."""
    fitted, record = load_model(model)
    volume = read_case_volume(case)
    truth = read_case_mask(case, volume)
    found = predict_volume(fitted, record, volume, case.case_id)
    measures = measure_case(
        found.prediction,
        truth,
        project_mask(truth, pixel_mm=found.mips.pixel_mm),
        predicted_pictures=predicted_pictures_of(found.prediction, found.mips),
        lesion_free=False,
        pixel_mm=found.mips.pixel_mm,
    )
    right = float(found.prediction.predicted == case.label)
    unlike = float(Flag.UNLIKE_TRAINING in found.prediction.flags)
    answer = {"class": case.label, "class_accuracy": right, "hit": measures["hit"], "dice": measures["dice"]}
    return answer | {"unlike_training": unlike}


def measure(model: Path, manifests: dict[str, Path]) -> list[dict[str, Any]]:
    """One row a preset and class: cases and means of the measures."""
    rows = []
    for preset, manifest in manifests.items():
        cases = pd.DataFrame([measured_case(model, case) for case in read_cohort(manifest)])
        for label, group in cases.groupby("class"):
            means = {name: numbers(group, name).mean() for name in ("class_accuracy", "hit", "dice", "unlike_training")}
            rows.append({"preset": preset, "class": label, "cases": len(group), **means})
    return rows


def evaluation(model: Path, manifests: dict[str, Path]) -> dict[str, Any]:
    """What the card and model.json say of unseen cases."""
    machine = describe_machine()
    patients = sum(count for count, _ in TESTING.values())
    seeds = ", ".join(f"{preset}: {seed}" for preset, (_, seed) in TESTING.items())
    return {
        "data": f"{patients} phantom patients of {VERSION} that training has not seen (seeds {seeds}); "
        f"measured on {machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}. "
        "No real scan has been measured.",
        "command": "python experiments/demo_model.py --work WORK --out src/pointpet/shipped/demo",
        "rows": measure(model, manifests),
    }


def ship(model: Path, out: Path, found: dict[str, Any] | None) -> None:
    """Copy the model to `out` with its calibration, and its evaluation on record and card where there is one."""
    tensors, record = read_model(model)
    record = {**record, "evaluation": found} if found else record
    write_model(out, tensors, record, model_card(record))
    calibration = load_calibration(model)
    if calibration is not None:
        calibration.save(out)


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and the model; resumed")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--config", type=Path, help="YAML configuration, to try something shorter")
    parser.add_argument("--first", type=int, help="train on the first so many patients of each preset, unmeasured")
    return parser.parse_args()


def main() -> None:
    """Make, train, measure, ship."""
    arguments = parse()
    configuration: Configuration = load_configuration(arguments.config)
    work = arguments.work
    training = {preset: make_cohort(work, "train", preset, *TRAINING[preset]) for preset in PRESETS}
    manifest = join(training, work / "train", arguments.first)
    # From the scans, not from a prepared folder: the confidence is calibrated on their answers.
    train_model(manifest, work / "model", configuration, seed=SEED, overwrite=True, report=printed("train"))
    if arguments.first:
        ship(work / "model", arguments.out, None)
        return
    testing = {preset: make_cohort(work, "test", preset, *TESTING[preset]) for preset in PRESETS}
    found = evaluation(work / "model", testing)
    print(pd.DataFrame(found["rows"]).to_string(index=False))
    ship(work / "model", arguments.out, found)


if __name__ == "__main__":
    main()
