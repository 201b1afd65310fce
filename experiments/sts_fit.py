"""Fit the weights of the outline rule `ray` on the STS tumours, and say how well it does on patients left out.

    POINTPET_DATA=... python experiments/sts_fit.py --out docs/results/sts_fit.md

Loss: 1 - soft Dice, averaged over cases, plus the cross-entropy balanced by case; L-BFGS. Training uses each tumour
cut and clicked five times: clicks at the centre (two crops), 5 mm off (one) and 10 mm off (two). A patient left out is
outlined at the threshold that has the highest mean Dice over the others, each of them left out in turn. The weights
printed, fitted on all 34, are the constants of `pointpet.localise.ray_rule`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from provenance import machine
from scipy.optimize import minimize
from sts_cases import StsCase, dice, load_cases

from pointpet.core import generator
from pointpet.localise import LocaliseSettings
from pointpet.localise.neighbourhood import Neighbourhood
from pointpet.localise.outline import choose_by_size
from pointpet.localise.point import neighbourhood_at
from pointpet.localise.ray_rule import FAR_MM, FEATURES, THRESHOLD, probable_region, ray_features, ray_probability

VIEWS = ((0, 0.0), (3, 0.0), (1, 5.0), (2, 10.0), (4, 10.0))
"""(seed of the crop and of the jitter, jitter in mm)."""

SAMPLES = 600
CROSS_ENTROPY = 1.0
THRESHOLDS = (0.4, 0.45, 0.5)
RIDGE = 1e-3

INTRODUCTION = """# The rule `ray`, fitted and left out

Weights of the one-click outline rule `ray` on 34 soft-tissue sarcomas (collection Soft-tissue-Sarcoma of The Cancer
Imaging Archive, Vallières et al. 2015, CC BY 3.0), cut off-centre, contours drawn on MRI. "Patient left out": each
tumour outlined with weights fitted on the other 33, at the threshold that is best for them. The six features were
picked on all 34 tumours, after about twenty trials by the same measure, and so was the 100 mL of `by_size`: the figures
of "patient left out" are therefore somewhat optimistic too. What `by_size` calls a leak was read off these tumours and
phantoms ([outline_phantoms.md](outline_phantoms.md)). The shipped threshold,
0.45, is the one that leaves the fewest of all 34 under 0.5; in a fold it is that of the highest mean. Untested on other
tumours.

Command: `python experiments/sts_fit.py`

Machine: {machine}

"""


@dataclass(frozen=True, eq=False)
class Sample:
    """Voxels of one view: half of them inside the tumour, each with the number of voxels that it stands for."""

    case: StsCase
    jitter_mm: float
    around: Neighbourhood
    features: NDArray[np.float64]
    truth: NDArray[np.float64]
    weight: NDArray[np.float64]


def draw(case: StsCase, jitter_mm: float, seed: int) -> Sample:
    """Sample the voxels of a case that a rule could take."""
    around = neighbourhood_at(case.volume, case.point_mm, LocaliseSettings())
    features = np.stack(ray_features(around), axis=-1)
    truth = np.zeros(around.suv.shape, bool)
    truth[around.inner] = case.mask.voxels[around.window]
    open_to_choice = (around.distance_mm <= FAR_MM) & (features[..., FEATURES.index("reach")] > np.log(0.3))
    random = generator(seed, "fit", case.name)
    inside, outside = (np.argwhere(part & open_to_choice) for part in (truth, ~truth))
    half = SAMPLES // 2
    chosen = np.concatenate([part[random.choice(len(part), half)] for part in (inside, outside)])
    return Sample(
        case,
        jitter_mm,
        around,
        features[tuple(chosen.T)].astype(np.float64),
        np.repeat([1.0, 0.0], half),
        np.repeat([len(inside) / half, len(outside) / half], half),
    )


def loss(weights: NDArray, samples: tuple[NDArray, ...], entropy: float) -> tuple[float, NDArray]:
    """Loss and its gradient; `samples` are features (N, S, F), truth (N, S), weight (N, S), volumes (N,)."""
    features, truth, weight, volume = samples
    probability = 1 / (1 + np.exp(-np.clip(features @ weights[:-1] + weights[-1], -30, 30)))
    overlap, total = (weight * truth * probability).sum(axis=1), (weight * probability).sum(axis=1) + volume
    slope = -(weight * (2 * truth / total[:, None] - 2 * overlap[:, None] / total[:, None] ** 2))
    share = weight / weight.sum(axis=1, keepdims=True)
    surprise = -(share * np.log(np.where(truth > 0, probability, 1 - probability) + 1e-12)).sum(axis=1)
    by_score = (slope * probability * (1 - probability) + entropy * share * (probability - truth)) / len(volume)
    value = (1 - 2 * overlap / total + entropy * surprise).mean() + RIDGE * (weights[:-1] ** 2).sum()
    return value, np.append(np.einsum("nsf,ns->f", features, by_score) + 2 * RIDGE * weights[:-1], by_score.sum())


def fit(samples: list[Sample]) -> NDArray[np.float64]:
    """Weights of `FEATURES`, then the intercept."""
    stacked = (
        np.stack([one.features for one in samples]),
        np.stack([one.truth for one in samples]),
        np.stack([one.weight for one in samples]),
        np.array([np.count_nonzero(one.case.mask.voxels) for one in samples], float),
    )
    # Scaled features make one ridge fit all; the scale is undone in the weights.
    centre, spread = stacked[0].mean(axis=(0, 1)), stacked[0].std(axis=(0, 1))
    scaled = ((stacked[0] - centre) / spread, *stacked[1:])
    found = minimize(loss, np.zeros(len(FEATURES) + 1), args=(scaled, CROSS_ENTROPY), jac=True, method="L-BFGS-B").x
    weights = found[:-1] / spread
    return np.append(weights, found[-1] - weights @ centre)


Scores = dict[tuple[str, str, float], dict[tuple[str, int], float]]
"""(which weights, rule, threshold) to (patient, number of the view) to Dice."""


def score(samples: list[Sample], weights: Mapping[str, Mapping[str, NDArray]]) -> Scores:
    """Dice of `ray` and of `by_size`, by title of the weights; the features of each view are computed once."""
    settings, found = LocaliseSettings(), {}
    for number, sample in enumerate(samples):
        around, truth = sample.around, sample.case.mask.voxels
        features = ray_features(around)
        for title, by_patient in weights.items():
            *fitted, intercept = by_patient[sample.case.name].tolist()
            probability = ray_probability(around, features, fitted, intercept=intercept)
            for threshold in THRESHOLDS:
                region = probable_region(around, probability, threshold)
                values = {"ray": dice(around.paste(region, truth.shape), truth)}
                by_size = choose_by_size(around, region, settings).region
                values["by_size"] = dice(around.paste(by_size, truth.shape), truth)
                for rule, value in values.items():
                    found.setdefault((title, rule, threshold), {})[sample.case.name, number] = value
    return found


def at_best_threshold(scores: Scores, title: str, rule: str) -> dict[tuple[str, int], float]:
    """Each patient at the threshold with the highest mean Dice over the other patients."""
    by_threshold = {
        threshold: scores[title, rule, threshold] for name, kind, threshold in scores if (name, kind) == (title, rule)
    }
    chosen = {}
    for patient in {patient for patient, _ in next(iter(by_threshold.values()))}:
        means = {
            threshold: np.mean([value for (other, _), value in values.items() if other != patient])
            for threshold, values in by_threshold.items()
        }
        best = by_threshold[max(means, key=lambda threshold: means[threshold])]
        chosen |= {key: value for key, value in best.items() if key[0] == patient}
    return chosen


def figures(values: NDArray[np.float64]) -> str:
    """Median, mean and share under 0.5, as cells of a table."""
    return f"{np.median(values):.3f} | {values.mean():.3f} | {100 * (values < 0.5).mean():.0f} %"


def main_table(samples: list[Sample], scores: Scores) -> list[str]:
    """Both rules at each distance, with the weights of all and of the others."""
    lines = ["| Rule | Click off by | Weights | Dice median | Dice mean | under 0.5 |", "|---|---|---|---|---|---|"]
    for jitter_mm in sorted({jitter for _, jitter in VIEWS}):
        for title in ("fitted on all", "patient left out"):
            for rule in ("ray", "by_size"):
                by_view = (
                    scores[title, rule, THRESHOLD]
                    if title == "fitted on all"
                    else at_best_threshold(scores, title, rule)
                )
                values = [value for (_, view), value in by_view.items() if samples[view].jitter_mm == jitter_mm]
                lines.append(f"| `{rule}` | {jitter_mm:g} mm | {title} | {figures(np.array(values))} |")
    return lines


def main() -> None:
    """Fit, leave one patient out, print; write the tables where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    samples = [
        draw(case, jitter_mm, seed) for seed, jitter_mm in VIEWS for case in load_cases(seed=seed, jitter_mm=jitter_mm)
    ]
    names = sorted({sample.case.name for sample in samples})
    everyone = fit(samples)
    left_out = {name: fit([sample for sample in samples if sample.case.name != name]) for name in names}
    spread = np.std([left_out[name] for name in names], axis=0)
    table = ["| Feature | Weight | sd over the folds |", "|---|---|---|"]
    table += [
        f"| {name} | {weight:.3f} | {deviation:.3f} |"
        for name, weight, deviation in zip((*FEATURES, "intercept"), everyone, spread, strict=True)
    ]
    print("\n".join(table), flush=True)
    scores = score(samples, {"fitted on all": dict.fromkeys(names, everyone), "patient left out": left_out})
    text = "\n".join([*main_table(samples, scores), "", *table])
    print(text)
    if out:
        out.write_text(INTRODUCTION.format(machine=machine()) + text + "\n")


if __name__ == "__main__":
    main()
