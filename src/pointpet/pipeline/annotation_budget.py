"""`study --annotation-budget`: what each method reaches with few annotated patients, at the study's own folds.

A size is a number of annotated patients of a fold. For a method that trains these are training patients, and it is
trained on them alone; for one that is given a click on the test case they are test patients, and a case that nobody
clicked has no mask. The study's own results stand for all patients. Models and predictions of a size lie in
`STUDY/annotation_budget/SIZE`, laid out as the study itself, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pointpet.core import Case, ConfigError, Fold, derive_seed
from pointpet.evaluate.annotation_budget import (
    ALL_PATIENTS,
    BudgetPoint,
    annotation_order,
    budget_table,
    first_patients,
)
from pointpet.io.artefacts import read_json, write_csv
from pointpet.methods.base import Given, Method, Supervision
from pointpet.pipeline.config import AnnotationBudgetSettings, Configuration
from pointpet.pipeline.fold import FoldTask, case_folder, run_fold
from pointpet.pipeline.mapping import Report, Workers, map_tasks, silent

FOLDER = "annotation_budget"
TABLE = "annotation_budget.csv"
_COSTLY = frozenset({Given.POINT, Given.MASK})


@dataclass(frozen=True, eq=False)
class BudgetStage:
    """What the stage works on.

    Args:
        tasks: the study's own, one a fold, done.
    """

    tasks: tuple[FoldTask, ...]

    @property
    def study(self) -> Path:
        """The study's folder."""
        return self.tasks[0].study

    @property
    def settings(self) -> AnnotationBudgetSettings:
        """The configuration's section."""
        return self.tasks[0].configuration.annotation_budget

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """Methods of the study that are drawn."""
        built = [self.tasks[0].configuration.method(name) for name in self.settings.methods]
        return tuple(method for method in built if method.name in self.tasks[0].methods and _costly(method))

    def require_methods(self) -> None:
        """Stop before the study's hours where nothing could be drawn after them.

        Raises:
            ConfigError: the study has no method that a click or a mask is given to.
        """
        if not self.methods:
            raise ConfigError(
                "PP-BUDGET-METHODS",
                "annotation_budget.methods",
                f"must name methods of the study that a click or a mask is given to, got "
                f"{', '.join(self.settings.methods) or 'none'} for a study of {', '.join(self.tasks[0].methods)}",
                "Change the setting, or the study's methods",
            )

    def annotated(self, task: FoldTask, part: str, size: int | None) -> tuple[Case, ...]:
        """The annotated cases of a fold's training or test part; None: of all patients."""
        ids = set(task.fold.train if part == "training" else task.fold.test)
        cases = [prepared.case for prepared in task.prepared.cases if prepared.case.case_id in ids]
        order = annotation_order(cases, seed=derive_seed(task.seed, part, task.fold.number))
        chosen = set(first_patients(cases, order, len(order) if size is None else size))
        return tuple(case for case in cases if case.case_id in chosen)

    def sizes(self, part: str) -> tuple[int, ...]:
        """The configured sizes that every fold has more patients than."""
        most = min(len({case.patient_id for case in self.annotated(task, part, None)}) for task in self.tasks)
        return tuple(size for size in self.settings.sizes if size < most)

    def small_tasks(self) -> list[FoldTask]:
        """The folds to run: every size with the methods that train on it."""
        trained = tuple(method.name for method in self.methods if _part(method) == "training")
        return [self._small_task(task, size, trained) for size in self.sizes("training") for task in self.tasks]

    def _small_task(self, task: FoldTask, size: int, methods: tuple[str, ...]) -> FoldTask:
        chosen = {case.case_id for case in self.annotated(task, "training", size)}
        train = tuple(case_id for case_id in task.fold.train if case_id in chosen)
        everyone = len({case.patient_id for case in self.annotated(task, "training", None)})
        return replace(
            task,
            study=size_folder(self.study, size),
            fold=Fold(task.fold.number, train, task.fold.test, task.fold.seed),
            methods=methods,
            configuration=longer_training(task.configuration, everyone / size),
        )


def run_budget(stage: BudgetStage, *, workers: Workers = 1, report: Report = silent) -> list[dict[str, Any]]:
    """Train and test every size, and write tables/annotation_budget.csv.

    Returns:
        Failures, as a fold lists them, with `size`.
    """
    failures: list[dict[str, Any]] = []
    tasks = stage.small_tasks()
    for task, found, error in map_tasks(run_fold, tasks, workers=workers, report=report, describe=_describe):
        if error is not None:
            raise error.about(_describe(task))
        failures += [item | {"size": task.study.name} for item in found]
    points = [point for method in stage.methods for point in _points(stage, method)]
    patients = {prepared.case.case_id: prepared.case.patient_id for prepared in stage.tasks[0].prepared.cases}
    write_csv(stage.study / "tables" / TABLE, budget_table(points, patients, seed=stage.tasks[0].seed))
    return failures


def size_folder(study: Path, size: int) -> Path:
    """Where models and predictions of a size lie."""
    return study / FOLDER / str(size)


def longer_training(configuration: Configuration, factor: float) -> Configuration:
    """The configuration with epochs and patience times `factor`, at most `annotation_budget.more_epochs`."""
    factor = min(factor, configuration.annotation_budget.more_epochs)
    longer = {
        name: replace(
            section,
            **{key: round(getattr(section, key) * factor) for key in ("epochs", "patience") if hasattr(section, key)},
        )
        for name, section in (
            ("training", configuration.training),
            ("cam_fcn", configuration.cam_fcn),
            ("unet", configuration.unet),
        )
    }
    return replace(configuration, **longer)


def annotation_seconds(cases: Sequence[Case], given: frozenset[Given], settings: AnnotationBudgetSettings) -> float:
    """What it takes to annotate `cases`: a click for each point, a mask for each case that has one."""
    clicks = sum(max(len(case.points_mm), *map(len, case.pixel_points.values()), 0) for case in cases)
    masks = sum(case.has_truth for case in cases)
    return (settings.click_s * clicks if Given.POINT in given else 0.0) + (
        settings.mask_s * masks if Given.MASK in given else 0.0
    )


def _describe(task: FoldTask) -> str:
    return f"{task.study.name} patients, fold {task.fold.number + 1}"


def _costly(method: Method) -> frozenset[Given]:
    """What somebody has to click or outline for a method."""
    return (method.supervision.training | method.supervision.testing) & _COSTLY


def _part(method: Method) -> str:
    return "training" if method.supervision.training & _COSTLY else "test"


def _points(stage: BudgetStage, method: Method) -> list[BudgetPoint]:
    """A method at every size, the whole study last."""
    part = _part(method)
    return [_point(stage, method, part, size) for size in (*stage.sizes(part), None)]


def _point(stage: BudgetStage, method: Method, part: str, size: int | None) -> BudgetPoint:
    given = _costly(method)
    chosen = [stage.annotated(task, part, size) for task in stage.tasks]
    # One who clicks on test cases gets masks of those; the study has them all.
    folder = stage.study if size is None or part == "test" else size_folder(stage.study, size)
    rows = []
    for task, cases in zip(stage.tasks, chosen, strict=True):
        answered = {case.case_id for case in cases} if part == "test" else set(task.fold.test)
        rows += [_case_row(task, folder, method.name, case_id, case_id in answered) for case_id in task.fold.test]
    return BudgetPoint(
        method=method.name,
        given=Supervision.text(given),
        part=part,
        size=ALL_PATIENTS if size is None else str(size),
        patients=float(np.mean([len({case.patient_id for case in cases}) for cases in chosen])),
        minutes=float(np.mean([annotation_seconds(cases, given, stage.settings) for cases in chosen])) / 60.0,
        seconds_per_new_case=stage.settings.click_s if part == "test" else 0.0,
        cases=pd.DataFrame([row for row in rows if row is not None], columns=["case_id", "label", "fold", "dice"]),
    )


def _case_row(task: FoldTask, folder: Path, method: str, case_id: str, answered: bool) -> Mapping[str, Any] | None:
    """Dice of one test case; 0 where nobody clicked it, no row where its answer failed."""
    path = case_folder(folder, method, case_id) / "result.json"
    if not path.is_file():
        return None
    result = read_json(path)
    dice = result["measures"].get("dice")
    row = {"case_id": case_id, "label": result["label"], "fold": task.fold.number}
    return row | {"dice": dice if answered or dice is None else 0.0}
