"""Does anything but the tumour tell the phantom's classes apart? A classifier on scans with the tumour removed.

    python experiments/phantom_leak.py --patients 400 --preset default --workers 2

Each case is generated with `tumour=False`; its coronal and sagittal MIPs, taken to cells of 8 mm by their maximum and
log-scaled, are the features. Two classifiers are cross-validated in five stratified folds: PCA and logistic regression
(both fitted inside each training fold), and a forest of randomised trees on the cells. Printed: the AUC of the
out-of-fold scores and its 95 % interval (bootstrap over cases). 0.5 must lie inside.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pointpet.phantom import PRESETS, generate_case

CELL_MM = 8.0
CELLS = (80, 140)
FIRST_CLASSES = ("lung", "cancer")


def pooled(plane: NDArray, spacing: tuple[float, float]) -> NDArray[np.float32]:
    """A MIP (U, Z) as the maximum over cells of 8 mm, centred across and aligned at the head."""
    across = np.floor((np.arange(plane.shape[0]) - plane.shape[0] / 2 + 0.5) * spacing[0] / CELL_MM) + CELLS[0] / 2
    down = np.floor(np.arange(plane.shape[1])[::-1] * spacing[1] / CELL_MM)
    cells = np.zeros(CELLS, np.float32)
    inside_u, inside_z = (across >= 0) & (across < CELLS[0]), down < CELLS[1]
    where = np.ix_(across[inside_u].astype(int), down[inside_z].astype(int))
    np.maximum.at(cells, where, plane[np.ix_(inside_u, inside_z)])
    return cells


def features(index: int, *, patients: int, seed: int, preset: str) -> tuple[NDArray[np.float32], int]:
    """Pooled MIPs of a case without its tumour, as one row, and whether its class is the first."""
    case = generate_case(index, patients=patients, seed=seed, preset=preset, tumour=False)
    voxels, (dx, dy, dz) = case.volume.voxels, case.volume.spacing_mm
    planes = [pooled(voxels.max(axis=1), (dx, dz)), pooled(voxels.max(axis=0), (dy, dz))]
    return np.log1p(np.concatenate([plane.ravel() for plane in planes])), int(case.label in FIRST_CLASSES)


def audit(rows: NDArray, labels: NDArray, seed: int) -> dict[str, tuple[float, float, float]]:
    """Cross-validated AUC of each classifier with its 95 % interval."""
    components = min(40, len(rows) // 2)
    classifiers = {
        "PCA and logistic regression": make_pipeline(
            StandardScaler(), PCA(components, random_state=seed), LogisticRegression(C=0.1, max_iter=2000)
        ),
        "randomised trees": ExtraTreesClassifier(400, min_samples_leaf=3, random_state=seed),
    }
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    rng = np.random.default_rng(seed)
    draws = [rng.integers(len(labels), size=len(labels)) for _ in range(2000)]
    found = {}
    for name, classifier in classifiers.items():
        scores = np.asarray(cross_val_predict(classifier, rows, labels, cv=folds, method="predict_proba"))[:, 1]
        spread = [roc_auc_score(labels[d], scores[d]) for d in draws if 0 < labels[d].sum() < len(d)]
        low, high = np.percentile(spread, [2.5, 97.5])
        found[name] = (float(roc_auc_score(labels, scores)), float(low), float(high))
    return found


def run(patients: int, seed: int, preset: str, workers: int) -> dict[str, tuple[float, float, float]]:
    """Generate the cases and audit them."""
    one = partial(features, patients=patients, seed=seed, preset=preset)
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            pairs = list(pool.map(one, range(patients), chunksize=4))
    else:
        pairs = [one(index) for index in range(patients)]
    return audit(np.stack([row for row, _ in pairs]), np.array([label for _, label in pairs]), seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    print(f"preset {chosen.preset}, {chosen.patients} scans without their tumour, seed {chosen.seed}")
    for name, (auc, low, high) in run(chosen.patients, chosen.seed, chosen.preset, chosen.workers).items():
        verdict = "0.5 inside" if low <= 0.5 <= high else "0.5 OUTSIDE"
        print(f"{name}: AUC {auc:.3f}, 95 % interval {low:.3f} to {high:.3f} ({verdict})")
