"""What the models of a study on ready-made MIP images lose where a test picture looks otherwise than the others.

Each case is asked of the model that has not seen it, its PNG changed in one way: a window of grey that saturates early
or late, a bent curve of grey, noise, blur, the head or the arms cut off, mirrored. Nothing is trained.

    python experiments/mip_perturbed.py study mips/cohort.csv --out perturbed.md
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pages import markdown
from PIL import Image
from provenance import machine
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from pointpet.core import Case, Plane, from_picture, generator, to_picture
from pointpet.evaluate.case_measures import measure_case
from pointpet.io.artefacts import read_json, write_text
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.mip_pictures import read_mip_pictures, read_picture_masks, write_picture
from pointpet.methods.base import CaseInput
from pointpet.pipeline.fold import model_folder
from pointpet.pipeline.model_loading import load_model

METHOD = "proposed"
LARGEST = 255.0

Change = Callable[[NDArray, np.random.Generator], NDArray]
"""A picture (H, W) with hot high, 0 to 255, to a changed one."""


def window(heat: NDArray, _: np.random.Generator, *, factor: float) -> NDArray:
    """Grey values that saturate at `factor` times the largest one."""
    return heat / factor


def bent(heat: NDArray, _: np.random.Generator, *, exponent: float) -> NDArray:
    """Another curve of grey."""
    return LARGEST * (heat / LARGEST) ** exponent


def noisy(heat: NDArray, random: np.random.Generator, *, deviation: float) -> NDArray:
    """Noise of so many grey levels."""
    return heat + random.normal(0, deviation, heat.shape)


def blurred(heat: NDArray, _: np.random.Generator, *, pixels: float) -> NDArray:
    """Smoothed by a Gaussian of that standard deviation."""
    return ndimage.gaussian_filter(heat, pixels)


GREY: Mapping[str, Change] = {
    "as it is": partial(window, factor=1.0),
    "window x 0.3": partial(window, factor=0.3),
    "window x 3": partial(window, factor=3.0),
    "gamma 0.67": partial(bent, exponent=0.67),
    "gamma 1.5": partial(bent, exponent=1.5),
    "noise, 8 grey levels": partial(noisy, deviation=8.0),
    "blur, 1.5 pixels": partial(blurred, pixels=1.5),
}
CUTS: Mapping[str, tuple[float, float]] = {"upper 15 % cut off": (0.15, 0.0), "18 % cut off at each side": (0.0, 0.18)}
"""Share of the rows that goes at the top, and of the columns at each side: heads, arms."""

MIRRORED = "mirrored"
KINDS = (*GREY, *CUTS, MIRRORED)


def changed(picture: NDArray, kind: str, random: np.random.Generator, *, inverted: bool) -> NDArray:
    """A grey picture (H, W) of 8 bits, or its mask, seen in another way; a change of grey leaves a mask alone."""
    if kind == MIRRORED:
        return picture[:, ::-1]
    if kind in CUTS:
        (rows, columns), (top, side) = picture.shape, CUTS[kind]
        cut = round(side * columns)
        return picture[round(top * rows) :, cut : columns - cut]
    if picture.dtype == bool:
        return picture
    heat = LARGEST - picture if inverted else picture.astype(float)
    levels = np.rint(np.clip(GREY[kind](heat, random), 0, LARGEST))
    return (LARGEST - levels if inverted else levels).astype(np.uint8)


def measured(study: Path, case: Case, fold: int, kind: str, folder: Path) -> dict[str, Any] | None:
    """Probability, hit, Dice and area of a case seen in a way; None where the cut took every lesion with it."""
    random = generator(0, "perturbed", kind, case.case_id)
    masks = {plane: to_picture(mask) for plane, mask in read_picture_masks(case).items()}
    truth = {plane: changed(mask, kind, random, inverted=False) for plane, mask in masks.items()}
    sick = any(mask.any() for mask in masks.values())
    if sick and not any(mask.any() for mask in truth.values()):
        return None
    paths = {plane: folder / f"{case.case_id}_{plane}.png" for plane in case.mips}
    for plane, path in paths.items():
        with Image.open(case.mips[plane]) as image:
            grey = np.asarray(image)
        if grey.dtype != np.uint8 or grey.ndim != 2:
            raise SystemExit(f"{case.mips[plane]}: 8-bit grey PNG is needed here")
        write_picture(path, changed(grey, kind, random, inverted=case.mip_inverted))
    fitted, record = load_model(model_folder(study, METHOD, fold))
    by_body = record["preprocessing"]["picture_suv"] == "body"
    mips = read_mip_pictures(replace(case, mips=paths), by_body=by_body).mips
    prediction = fitted.predict(CaseInput(case.case_id, case.case_id, mips=mips))
    pictures: dict[Plane, NDArray] = {plane: from_picture(mask) for plane, mask in truth.items()}
    measures = measure_case(prediction, None, pictures, lesion_free=not sick, pixel_mm=mips.pixel_mm)
    of_own_class = prediction.probabilities[str(case.label)]
    return {
        "fold": fold,
        "sick": sick,
        "called": prediction.predicted == case.label,
        "probability": of_own_class if sick else 1 - of_own_class,
        **{name: measures[name] for name in ("hit", "dice", "fp_cm2")},
    }


def summary(kind: str, cases: pd.DataFrame) -> dict[str, Any]:
    """A row of the table."""
    sick, healthy = cases[cases["sick"]], cases[~cases["sick"]]
    areas = [roc_auc_score(fold["sick"], fold["probability"]) for _, fold in cases.groupby("fold")]
    row = {"AUC": np.mean(areas), "sensitivity": sick["called"].mean(), "specificity": healthy["called"].mean()}
    row |= {"hit": sick["hit"].mean(), "2D Dice": sick["dice"].mean(), "cm2 in a control": healthy["fp_cm2"].mean()}
    return {"test pictures": kind, **{name: f"{value:.2f}" for name, value in row.items()}}


def table(study: Path, manifest: Path, kinds: list[str]) -> pd.DataFrame:
    """All cases of the study in every way."""
    with (study / "folds.csv").open(encoding="utf-8", newline="") as lines:
        folds = {row["case_id"]: int(row["fold"]) for row in csv.DictReader(lines)}
    # By fold, so that each model is read once a kind.
    cases = sorted((case for case in read_cohort(manifest) if case.case_id in folds), key=lambda c: folds[c.case_id])
    rows = []
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            found = [measured(study, case, folds[case.case_id], kind, Path(folder)) for case in cases]
        rows.append(summary(kind, pd.DataFrame([row for row in found if row is not None])))
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help=f"finished study with models of `{METHOD}`")
    parser.add_argument("cohort", type=Path, help="its cohort.csv, of 8-bit PNG with 2D masks")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    known = read_json(arguments.study / "study.json")
    by = machine()
    lines = [
        f"Models of code {known['pointpet_code']}; {by}.",
        "",
        markdown(table(arguments.study, arguments.cohort, arguments.kinds)),
        "",
    ]
    print("\n".join(lines))
    if arguments.out:
        write_text(arguments.out, "\n".join(lines))


if __name__ == "__main__":
    main()
