"""Whether a study has nothing left to do, told by its folder and by the cohort's file times, without reading a scan."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from pointpet.core import Cohort
from pointpet.io.artefacts import read_json
from pointpet.pipeline.annotation_budget import TABLE as BUDGET_TABLE
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.fold import case_folder
from pointpet.pipeline.study_inputs import is_replaced
from pointpet.pipeline.study_methods import outcome_networks


def is_finished(study: Path, configuration: Configuration, manifest: Cohort, *, annotation_budget: bool) -> bool:
    """True where a run of the same request ended without a failure, all it wrote is there, and it still holds.

    A failed case or fold is worth another try; an answer that was removed is asked for again, and one whose image or
    mask was replaced.

    Args:
        study: a folder that this request has claimed.
        manifest: the cohort as it is now.
        annotation_budget: Dice against annotation effort is part of what is asked for.
    """
    if not (study / "study.json").is_file() or read_json(study / "study.json")["failures"]:
        return False
    if is_replaced(study, manifest):
        return False
    return all(path.is_file() for path in _expected(study, configuration, annotation_budget))


def _expected(study: Path, configuration: Configuration, annotation_budget: bool) -> Iterator[Path]:
    yield study / "folds.csv"
    yield study / "tables" / "segmentation.csv"
    if annotation_budget:
        yield study / "tables" / BUDGET_TABLE
    names = tuple(method["name"] for method in read_json(study / "study.json")["methods"])
    networks = {network.name for network in outcome_networks(names, configuration)}
    with (study / "folds.csv").open(encoding="utf-8", newline="") as lines:
        cases = [row["case_id"] for row in csv.DictReader(lines)]
    for name in names:
        if name not in networks:
            yield from (case_folder(study, name, case_id) / "result.json" for case_id in cases)
