"""Made-up bodies and a made-up study for the report's tests: random numbers, no result of any method."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from pointpet.core import ActivationMap, MipPair, Plane, Prediction
from pointpet.evaluate.summary import compare, summarise
from pointpet.evaluate.trust import CONFIDENCE_COLUMNS, trust_table
from pointpet.report.case_picture import render_case_picture

PIXEL_MM = 4.0
WIDTHS = {Plane.CORONAL: 120, Plane.SAGITTAL: 80}
HEIGHT = 240

METHODS = (
    # name, summary, training input, test input, Dice, class accuracy, hit rate, parameters
    (
        "proposed",
        "class labels and one click, joint training",
        "class label + one point",
        "none",
        0.79,
        0.96,
        0.97,
        91_000,
    ),
    ("cam_alone", "the same network without the distance loss", "class label", "none", 0.48, 0.95, 0.3, 91_000),
    ("suv25", "SUV over 2.5", "none", "none", 0.06, None, None, None),
    ("suv40", "SUV over 4.0", "none", "none", 0.1, None, None, None),
    ("fixed41", "41 % of the scan's maximum", "none", "none", 0.04, None, None, None),
    ("click41", "the click with 41 % region growing", "none", "one point", 0.77, None, None, None),
)


MEASURED = ("dice", "hit", "distance_mm", "mtv_ml", "mtv_true_ml")


@dataclass(frozen=True)
class SyntheticCase:
    """A body as MIPs with an elliptic tumour; centre in mm from the grid's corner."""

    mips: MipPair
    truth: Mapping[Plane, np.ndarray]
    centre: Mapping[Plane, tuple[float, float]]


def _ellipse(shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    u, z = np.meshgrid(*map(np.arange, shape), indexing="ij")
    return ((u - centre[0]) / radii[0]) ** 2 + ((z - centre[1]) / radii[1]) ** 2 <= 1.0


def make_case(seed: int, label: str) -> SyntheticCase:
    random = np.random.default_rng(seed)
    x = 60 + random.uniform(-3, 3) if label == "oesophagus" else 60 + random.choice([-1, 1]) * random.uniform(12, 24)
    spot = {Plane.CORONAL: (x, random.uniform(150, 175)), Plane.SAGITTAL: (random.uniform(34, 46), 0.0)}
    spot[Plane.SAGITTAL] = (spot[Plane.SAGITTAL][0], spot[Plane.CORONAL][1])
    radii = (random.uniform(3, 8), random.uniform(4, 11))
    views, truth = {}, {}
    for plane, width in WIDTHS.items():
        shape, middle = (width, HEIGHT), width / 2
        body = 0.7 * _ellipse(shape, (middle, 100), (0.42 * width, 112)).astype(float)
        for z, radius, uptake in ((222, 12, 9.0), (152, 8, 5.0), (108, 11, 2.6), (12, 6, 22.0)):
            body += uptake * _ellipse(shape, (middle + (4 if z == 152 else 0), z), (0.12 * width + radius / 4, radius))
        truth[plane] = _ellipse(shape, spot[plane], radii)
        body += random.uniform(4, 9) * truth[plane]
        noise = gaussian_filter(random.normal(0, 1, shape), 1.0) * 0.5
        views[plane] = np.clip(gaussian_filter(body, 1.6) + noise, 0, None).astype(np.float32)
    mips = MipPair(views[Plane.CORONAL], views[Plane.SAGITTAL], PIXEL_MM, np.zeros(3))
    return SyntheticCase(mips, truth, spot)


def make_prediction(case: SyntheticCase, case_id: str, seed: int, offset: float, *, maps: bool) -> Prediction:
    """An answer `offset` pixels beside the truth."""
    random = np.random.default_rng(seed)
    masks, views = {}, {}
    for plane, width in WIDTHS.items():
        u, z = np.meshgrid(np.arange(width), np.arange(HEIGHT), indexing="ij")
        centre = np.array(case.centre[plane]) + offset * np.array([0.6, -0.8])
        values = np.exp(-((u - centre[0]) ** 2 + (z - centre[1]) ** 2) / (2 * 9.0**2))
        views[plane] = ActivationMap((values / values.max()).astype(np.float32), plane, "lung", PIXEL_MM)
        rolled = np.roll(case.truth[plane], (round(0.6 * offset), round(-0.8 * offset)), axis=(0, 1))
        masks[plane] = rolled & (gaussian_filter(random.random(rolled.shape), 1) > 0.3)
    return Prediction(case_id, maps=views if maps else {}, picture_masks=masks)


def _case_rows(index: int, label: str, patient_fold: int, random: np.random.Generator) -> list[dict]:
    rows = []
    for name, _, _, _, level, accurate, hits, _ in METHODS:
        dice = float(np.clip(random.normal(level, 0.12), 0, 0.97))
        if name in ("proposed", "cam_alone") and random.random() < 0.06:
            dice = 0.0
        true_ml = float(random.gamma(3, 15))
        row = {
            "method": name,
            "label": label,
            "case_id": f"P{index:03d}",
            "fold": patient_fold,
            "dice": dice,
            "dice_hull": dice * 0.6 if hits is not None else None,
            "nsd_2mm": dice**2,
            "hd95_mm": 4 + 300 * (1 - dice) ** 3 if dice else 1210.4,
            "sensitivity": min(1.0, dice + 0.05),
            "fp_ml": true_ml * (1 - dice) * (1 if level > 0.3 else 30),
            "fn_ml": true_ml * (1 - dice) * 0.5,
            "hit": None if hits is None else float(random.random() < hits),
            "hit_strict": None,
            "distance_mm": None,
            "mtv_ml": true_ml * 1.1,
            "mtv_true_ml": true_ml,
            "dice_coronal": dice,
            "dice_sagittal": dice,
            "fp_cm2": None,
            "fn_cm2": None,
        }
        if hits is not None:
            row["hit_strict"] = float(bool(row["hit"]) and random.random() < 0.9)
            row["distance_mm"] = 0.0 if row["hit_strict"] else 12.0 if row["hit"] else float(random.uniform(30, 300))
        right = accurate is not None and random.random() < accurate
        other = "lung" if label == "oesophagus" else "oesophagus"
        row["_predicted"] = None if accurate is None else label if right else other
        row["_chance"] = float(np.clip(random.beta(8, 2), 0.5, 0.999))
        rows.append(row)
    return rows


def write_study(folder: Path, n_cases: int, *, one_picture: bool = True) -> Path:
    """Write a STUDY folder of `n_cases` with the layout that the pipeline writes, without the report.

    `one_picture`: the same picture stands for all cases, since drawing takes long.
    """
    random = np.random.default_rng(11)
    labels = ["lung" if index % 2 == 0 else "oesophagus" for index in range(n_cases)]
    rows = [row for index, label in enumerate(labels) for row in _case_rows(index, label, index // 2 % 5, random)]
    frame = pd.DataFrame(rows)
    segmentation = frame.drop(columns=["_predicted", "_chance"])
    classification = _classification(frame)
    methods = [_method_record(*method) for method in METHODS]
    tables = folder / "tables"
    tables.mkdir(parents=True)
    segmentation.to_csv(tables / "segmentation.csv", index=False)
    classification.to_csv(tables / "classification.csv", index=False)
    for label, table in summarise(segmentation, classification, methods).items():
        table.to_csv(tables / f"table_{label}.csv", index=False)
    compare(segmentation, methods).to_csv(tables / "comparisons.csv", index=False)
    confidence = _confidence(frame)
    confidence.to_csv(tables / "confidence.csv", index=False)
    trust_table(confidence, {}, seed=0).to_csv(tables / "risk_coverage.csv", index=False)
    folds = [(f"P{index:03d}", f"P{index:03d}", index // 2 % 5) for index in range(n_cases)]
    pd.DataFrame(folds, columns=["case_id", "patient_id", "fold"]).to_csv(folder / "folds.csv", index=False)
    (folder / "study.json").write_text(json.dumps(_study_record(labels, methods)))
    _write_predictions(folder, rows, one_picture=one_picture)
    return folder


def _classification(frame: pd.DataFrame) -> pd.DataFrame:
    named = frame[frame["_predicted"].notna()]
    chance = named["_chance"].where(named["_predicted"] == "lung", 1 - named["_chance"])
    return pd.DataFrame(
        {
            "method": named["method"],
            "case_id": named["case_id"],
            "fold": named["fold"],
            "truth": named["label"],
            "predicted": named["_predicted"],
            "probability_lung": chance,
            "probability_oesophagus": 1 - chance,
        }
    )


def _confidence(frame: pd.DataFrame) -> pd.DataFrame:
    """The surer, the better the mask, with some noise."""
    named = frame[frame["_predicted"].notna()]
    noise = np.random.default_rng(4).normal(0, 0.1, len(named))
    return pd.DataFrame(
        {
            **{name: named[name] for name in ("method", "label", "case_id", "fold")},
            "confidence": np.clip(named["dice"] + noise, 0.02, 0.98),
            "right": ((named["_predicted"] == named["label"]) & (named["dice"] > 0)).astype(int),
            "dice": named["dice"],
            "flags": (named["dice"] == 0).astype(int),
        },
        columns=list(CONFIDENCE_COLUMNS),
    )


def _method_record(name, summary, training, testing, dice, accuracy, hits, parameters) -> dict:
    trains = parameters is not None
    return {
        "name": name,
        "summary": summary,
        "training_input": training,
        "test_input": testing,
        "parameters": parameters,
        "train_seconds": [61.2, 58.9, 63.4, 60.0, 59.1] if trains else [],
        "epochs": [30, 28, 30, 30, 26] if trains else [],
    }


def _flow(cases: int) -> dict:
    known = {"known": cases, "median": 62.0, "lo": 54.0, "hi": 81.0}
    unknown = {"known": 0, "median": None, "lo": None, "hi": None}
    excluded = {"case_id": "P900", "code": "PP-SUV-WEIGHT", "reason": "Patient's Weight (0010,1030) is 0.0 kg"}
    return {
        "cases": cases + 1,
        "patients": cases + 1,
        "excluded": [excluded],
        "included": cases,
        "acquisition": {
            "scans": cases,
            "measures": {
                "uptake_min": known,
                "dose_mbq_per_kg": {"known": cases - 1, "median": 4.1, "lo": 3.0, "hi": 5.5},
                "glucose_mmol_l": unknown,
                "liver_suv": {"known": cases - 2, "median": 2.2, "lo": 1.9, "hi": 2.6},
                "body_median_suv": {"known": cases, "median": 0.6, "lo": 0.5, "hi": 0.7},
            },
            "sites": {"north": cases},
            "scanners": {"Maker Model <5>": cases},
            "voxels": {"4.07 x 4.07 x 3.00 mm": cases},
            "remarks": {"PP-QC-UPTAKE": 3},
        },
    }


def _study_record(labels: list[str], methods: list[dict]) -> dict:
    return {
        "format_version": 1,
        "pointpet_version": "0.1.0",
        "created": "2026-11-20T09:00:00+00:00",
        "finished": "2026-11-20T09:41:12+00:00",
        "seed": 0,
        "folds": 5,
        "config": {"cam_stride": 8, "distance": {"reading": "margin", "radius_mm": 32.0, "weight": 1.0}, "epochs": 30},
        "methods": methods,
        "cohort": {
            "name": "phantom-default",
            "cases": len(labels),
            "patients": len(labels),
            "by_label": {label: labels.count(label) for label in sorted(set(labels))},
            "digest": "3f" * 32,
            "source": "phantom",
            "preset": "default",
            "best_auc": {"response": 0.81, "survival3y": 0.79},
        },
        "flow": _flow(len(labels)),
        "inputs": {f"P{index:03d}": "ab" * 32 for index in range(len(labels))},
        "failures": [
            {
                "case_id": "P900",
                "stage": "prepare",
                "method": None,
                "code": "PP-SUV-WEIGHT",
                "message": "case P900: Patient's Weight (0010,1030) is 0.0 kg, expected more than 0.",
            }
        ],
        "machine": {"cpu": "x86_64", "cores": 2, "python": "3.11.9", "platform": "Linux", "torch": "2.13.0"},
    }


def _draw(row: dict, seed: int) -> bytes:
    case = make_case(int(row["case_id"][1:]), row["label"])
    offset = 0.0 if row["hit_strict"] or row["hit"] is None else float(row["distance_mm"]) / PIXEL_MM
    prediction = make_prediction(case, row["case_id"], seed, min(offset, 40.0), maps=row["hit"] is not None)
    return render_case_picture(case.mips, prediction, prediction.picture_masks, case.truth)


def _write_predictions(folder: Path, rows: list[dict], *, one_picture: bool) -> None:
    shared = _draw(rows[0], 0)
    for seed, row in enumerate(rows):
        case_id, method = row["case_id"], row["method"]
        target = folder / "predictions" / method / case_id
        target.mkdir(parents=True)
        (target / "mip.png").write_bytes(shared if one_picture else _draw(row, seed))
        result = {
            "case_id": case_id,
            "method": method,
            "fold": row["fold"],
            "label": row["label"],
            "predicted": row["_predicted"],
            "probabilities": {},
            "flags": ["maps_disagree_on_z"] if row["dice"] == 0 else [],
            "measures": {name: value for name, value in row.items() if name in MEASURED},
            "lesions": [],
        }
        (target / "result.json").write_text(json.dumps(result))


@pytest.fixture(scope="session")
def synthetic_case() -> SyntheticCase:
    return make_case(5, "lung")


@pytest.fixture(scope="session")
def synthetic_prediction(synthetic_case) -> Prediction:
    return make_prediction(synthetic_case, "P005", 0, 3.0, maps=True)


@pytest.fixture(scope="session")
def study_template(tmp_path_factory) -> Path:
    """A study of 20 cases and 6 methods, not to be changed."""
    return write_study(tmp_path_factory.mktemp("study") / "study", 20)


@pytest.fixture
def study(study_template, tmp_path) -> Path:
    """A study of one's own."""
    return Path(shutil.copytree(study_template, tmp_path / "study"))
