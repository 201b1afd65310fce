"""Learn from one half of a phantom cohort, test on the other: what ablations.py and robustness.py share.

The cohorts have the phantom seed on which the method's choices were made: what a variant gains or loses counts here,
not the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from pages import printed

from pointpet.core import derive_seed
from pointpet.evaluate.detection import HIT_TOLERANCE_MM, peak_distance_mm
from pointpet.evaluate.folds import Fold, make_folds
from pointpet.io.cohort_csv import read_cohort
from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Given
from pointpet.pipeline.case_inputs import VolumeReader, case_input
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.phantom import PhantomRequest, write_phantom
from pointpet.pipeline.prepare import PreparedCase, PreparedCohort, load_prepared, prepare_cohort
from pointpet.project import project_mask

PHANTOM_SEED = 4711


def make_cohort(work: Path, preset: str, patients: int, configuration: Configuration, *, workers: int) -> None:
    """Make and prepare a cohort for the methods of `configuration`; what is there already stays."""
    cohort = work / f"cohort_{preset}"
    request = PhantomRequest(patients, PHANTOM_SEED, preset, "nifti")
    write_phantom(request, cohort, workers=workers, report=printed("phantom"))
    prepare_cohort(
        cohort / "cohort.csv",
        work / f"prepared_{preset}",
        configuration.preparing(("proposed",)),
        workers=workers,
        report=printed("prepare"),
    )


def read_halves(work: Path, preset: str, seed: int) -> tuple[PreparedCohort, tuple[Fold, ...]]:
    """What `make_cohort` made, its cases with image and mask, and the two ways to learn from one half of it."""
    prepared, manifest = load_prepared(work / f"prepared_{preset}"), read_cohort(work / f"cohort_{preset}/cohort.csv")
    whole = replace(prepared, cases=tuple(replace(one, case=manifest[one.case.case_id]) for one in prepared.cases))
    return whole, tuple(make_folds(whole.cohort, n_folds=2, seed=seed))


def chosen(cohort: PreparedCohort, case_ids: Sequence[str]) -> list[PreparedCase]:
    """The cases of these names, in their order."""
    by_id = {prepared.case.case_id: prepared for prepared in cohort.cases}
    return [by_id[case_id] for case_id in case_ids]


def context_of(cohort: PreparedCohort, name: str, seed: int, half: int) -> FitContext:
    """What the training of the method `name` on a half needs beside its cases."""
    classes = tuple(sorted({one.case.label for one in cohort.cases if one.case.label}))
    return FitContext(
        seed=derive_seed(seed, name, half), classes=classes, lesion_free=(), preprocessing=asdict(cohort.settings)
    )


def given(cases: Sequence[PreparedCase], what: frozenset[Given]) -> list[CaseInput]:
    """The cases as a method sees them that is given `what`."""
    reader = VolumeReader()
    return [case_input(one, what, reader) for one in cases]


def tested(fitted: FittedMethod, prepared: PreparedCase) -> dict[str, Any]:
    """The method's answer for a case beside the truth; it is given image and MIPs alone."""
    reader = VolumeReader()
    prediction = fitted.predict(case_input(prepared, frozenset(), reader))
    truth, mask = reader.mask(prepared).voxels, prediction.mask
    assert mask is not None
    overlap = 2 * np.count_nonzero(truth & mask.voxels) / (np.count_nonzero(truth) + np.count_nonzero(mask.voxels))
    pictures = project_mask(reader.mask(prepared), pixel_mm=prepared.mips.pixel_mm)
    away = max(peak_distance_mm(activation, pictures[plane]) for plane, activation in prediction.maps.items())
    label = prepared.case.label
    right = prediction.predicted == label
    return {"label": label, "accuracy": float(right), "hit": float(away <= HIT_TOLERANCE_MM), "dice": float(overlap)}
