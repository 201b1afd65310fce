"""Whether unsure and flagged cases are those that fail: rows of tables/risk_coverage.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pointpet.core import derive_seed
from pointpet.evaluate.classification import brier_score, calibrate
from pointpet.evaluate.confidence import gain_interval, risk_coverage
from pointpet.evaluate.summary import ALL_LABELS

CONFIDENCE_COLUMNS = ("method", "label", "case_id", "fold", "confidence", "right", "dice", "flags")
"""Columns of tables/confidence.csv; `right`: 1 where the class is named right and the mask meets the truth."""

TRUST_COLUMNS = (
    "method",
    "label",
    "cases",
    "area",
    "random",
    "best",
    "gain",
    "gain_lo",
    "gain_hi",
    "brier",
    "calibration_error",
    "failures",
    "flagged",
    "failures_flagged",
    "failures_in_lowest_fifth",
)
"""Columns of tables/risk_coverage.csv."""

LOWEST_SHARE = 0.2


def trust_table(cases: pd.DataFrame, patients: Mapping[str, str], *, seed: int) -> pd.DataFrame:
    """One row a method and class, `all` first where there are more than one, over cases with confidence and Dice.

    Args:
        cases: `CONFIDENCE_COLUMNS`, one row a method and case.
        patients: case id to patient id, for the bootstrap.

    Returns:
        `TRUST_COLUMNS`. The risk is 1 - Dice; a failure is a case that is not `right`.
    """
    known = cases.loc[(cases["confidence"].notna() & cases["dice"].notna()).to_numpy(bool)]
    rows = []
    for method in dict.fromkeys(known["method"]):
        own = known.loc[(known["method"] == method).to_numpy(bool)]
        labels = sorted(set(own["label"]))
        for label in [ALL_LABELS, *labels] if len(labels) > 1 and ALL_LABELS not in labels else labels:
            part = own if label not in labels else own.loc[(own["label"] == label).to_numpy(bool)]
            groups = [patients.get(str(case_id), str(case_id)) for case_id in part["case_id"]]
            rows.append({"method": method, "label": label} | _row(part, groups, derive_seed(seed, method, label)))
    return pd.DataFrame(rows, columns=list(TRUST_COLUMNS))


def _row(cases: pd.DataFrame, patients: Sequence[str], seed: int) -> dict[str, object]:
    confidence, risk = cases["confidence"].to_numpy(float), 1.0 - cases["dice"].to_numpy(float)
    right, flagged = cases["right"].to_numpy(bool), cases["flags"].to_numpy(int) > 0
    curve = risk_coverage(confidence, risk)
    assert curve is not None
    gain = gain_interval(confidence, risk, patients, seed=seed)
    calibration = calibrate(right, confidence, n_bins=min(10, max(2, len(right) // 10)))
    lowest = np.argsort(confidence, kind="stable")[: round(LOWEST_SHARE * len(confidence))]
    return {
        "cases": len(cases),
        "area": curve.area,
        "random": curve.random,
        "best": curve.best,
        "gain": None if gain is None else gain.value,
        "gain_lo": None if gain is None else gain.low,
        "gain_hi": None if gain is None else gain.high,
        "brier": brier_score(
            ["right" if value else "wrong" for value in right],
            np.stack([confidence, 1.0 - confidence], axis=1),
            ["right", "wrong"],
        ),
        "calibration_error": None if calibration is None else calibration.expected_error,
        "failures": int((~right).sum()),
        "flagged": int(flagged.sum()),
        "failures_flagged": int((~right & flagged).sum()),
        "failures_in_lowest_fifth": int((~right[lowest]).sum()),
    }
