"""What a study or a training needs of the `label` column."""

from __future__ import annotations

from collections.abc import Sequence

from pointpet.core import Cohort, CohortError, TrainingError
from pointpet.io.cohort_csv import named_columns
from pointpet.methods.base import Given, Method
from pointpet.pipeline.prepare import PreparedCohort


def require_labels(cohort: Cohort) -> None:
    """Stop where no case has a class: there is nothing to learn from and nothing to compare class by class.

    Raises:
        CohortError: the manifest has no column `label`, or the column is blank in every row.
    """
    if any(case.label is not None for case in cohort):
        return
    if cohort.columns and "label" not in cohort.columns:
        raise CohortError(
            "PP-COHORT-LABEL",
            "cohort",
            f"has no column label, got: {named_columns(cohort.columns)}",
            "Rename the column that names each case's class, or add it",
        )
    raise CohortError(
        "PP-COHORT-LABEL",
        "cohort",
        f"none of its {len(cohort)} cases has a class: the column label is blank in every row",
        "Fill it in, as text or in `pointpet annotate`",
    )


def require_two_classes(cohort: Cohort, methods: Sequence[Method]) -> None:
    """Stop where all cases have one class, and a method is to learn from classes.

    Raises:
        CohortError: names the class, and the methods that cannot be trained.
    """
    learning = [method.name for method in methods if Given.LABEL in method.supervision.training]
    if len(cohort.classes) != 1 or not learning:
        return
    raise CohortError(
        "PP-COHORT-CLASSES",
        "cohort",
        f"all its labelled cases are of the class {cohort.classes[0]}; {', '.join(learning)} can only learn from two "
        "classes or more",
        "Add cases of another class, such as controls without a lesion, or choose methods that learn from no class",
    )


def require_readable(prepared: PreparedCohort) -> None:
    """Stop where no case with a class could be prepared.

    Raises:
        TrainingError: names the first case that failed and why.
    """
    if any(case.case.label is not None for case in prepared.cases):
        return
    case_id, error = prepared.failures[0]
    raise TrainingError(
        "PP-STUDY-CASES",
        "study",
        f"no case with a class could be read, the first of {len(prepared.failures)} that failed is {case_id} "
        f"[{error.code}]: {error.problem}",
        "See `pointpet check`",
    )
