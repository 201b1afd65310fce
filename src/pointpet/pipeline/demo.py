"""The demonstration: phantom cohort -> check -> study -> report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pointpet.pipeline.check import CheckReport, check_cohort
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.mapping import Report, default_workers
from pointpet.pipeline.phantom import PhantomRequest, write_phantom
from pointpet.pipeline.study import StudyOutcome, StudyRequest, run_study

PATIENTS = 60
FOLDS = 3
"""Small enough for a few minutes on two cores, large enough to train on."""

METHODS = ("proposed", "cam_alone", "rpet3d", "click41")
"""One of each kind: with clicks, with labels alone, outcome from true masks, a click at test time."""


def run_demo(
    out: Path, *, seed: int, overwrite: bool, stage: Callable[[str], Report]
) -> tuple[CheckReport, StudyOutcome]:
    """Make a phantom cohort in OUT/cohort and study it in OUT/study.

    Args:
        out: folder.
        seed: of phantom, folds and training.
        overwrite: replace what another run left there.
        stage: called with the name of each stage; gives its progress report.
    """
    workers = default_workers(FOLDS)
    cohort = out / "cohort"
    request = PhantomRequest(patients=PATIENTS, seed=seed, preset="default", file_format="nifti")
    write_phantom(request, cohort, overwrite=overwrite, report=stage("phantom"))
    checked = check_cohort(cohort / "cohort.csv", workers=workers, report=stage("check"))
    study = StudyRequest(
        cohort / "cohort.csv", methods=METHODS, folds=FOLDS, seed=seed, workers=workers, overwrite=overwrite
    )
    return checked, run_study(study, out / "study", Configuration(), report=stage("study"))
