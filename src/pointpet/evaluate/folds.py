"""Cross-validation folds: whole patients, stratified by label and outcome, the same for every method."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.model_selection import StratifiedKFold

from pointpet.core import Case, Cohort, Fold, TrainingError, derive_seed


def make_folds(cohort: Cohort, *, n_folds: int, seed: int) -> tuple[Fold, ...]:
    """Split a cohort into folds, every patient wholly in one.

    Patients are dealt out by stratum: label x all outcomes of their cases. A stratum with fewer patients than folds is
    pooled with the other such strata of its label, so that label always stays balanced, and outcome as far as the
    counts allow. The split depends on the cases and the seed, not on the manifest's order. Cases without a label are
    tested on and belong to no class.

    Raises:
        TrainingError: fewer than 2 folds, more folds than patients, or a class that a fold's training or test part
            lacks.
    """
    _check_counts(cohort, n_folds)
    strata = _patient_strata(cohort, n_folds)
    # scikit-learn deals strata out in the order it meets them: with a label's strata side by side, labels balance too.
    patients = np.array(sorted(strata, key=lambda patient: (strata[patient], patient)))
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=derive_seed(seed, "folds"))
    with warnings.catch_warnings():
        # Small strata are pooled and classes are checked below: scikit-learn's warning adds nothing.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splits = list(splitter.split(patients, [strata[patient] for patient in patients]))
    folds = []
    for number, (_, test) in enumerate(splits):
        tested = set(patients[test])
        train_ids = tuple(case.case_id for case in cohort if case.patient_id not in tested)
        test_ids = tuple(case.case_id for case in cohort if case.patient_id in tested)
        folds.append(Fold(number, train_ids, test_ids, seed))
    require_classes(folds, {case.case_id: case.label for case in cohort})
    assert_disjoint(folds, {case.case_id: case.patient_id for case in cohort})
    return tuple(folds)


def require_classes(folds: Sequence[Fold], labels: Mapping[str, str | None]) -> None:
    """Stop unless every class occurs in every fold's training and test part.

    Raises:
        TrainingError: a class is missing somewhere; the message counts each class's cases.
    """
    classes = sorted({label for label in labels.values() if label is not None})
    for fold in folds:
        for part, case_ids in (("training", fold.train), ("test", fold.test)):
            counts = Counter(labels[case_id] for case_id in case_ids)
            missing = [name for name in classes if not counts[name]]
            if missing:
                found = ", ".join(f"{name} {counts[name]}" for name in classes)
                raise TrainingError(
                    "PP-FOLDS-CLASS",
                    f"fold {fold.number}",
                    f"every class must occur in the {part} part, got cases by class: {found}",
                    f"Use fewer folds, or add patients of class {', '.join(missing)}",
                )


def assert_disjoint(
    folds: Sequence[Fold], patient_ids: Mapping[str, str], pixel_hashes: Mapping[str, str] | None = None
) -> None:
    """Stop where a patient, or one and the same image under two names, is tested in two folds or trained on too.

    Args:
        folds: the folds of one split.
        patient_ids: case id to patient id.
        pixel_hashes: case id to a hash of the image's voxels, where known.

    Raises:
        TrainingError: a patient or an image lies in two folds.
    """
    _assert_one_fold(folds, patient_ids, "patient")
    if pixel_hashes is not None:
        _assert_one_fold(folds, pixel_hashes, "image")


def _assert_one_fold(folds: Sequence[Fold], keys: Mapping[str, str], what: str) -> None:
    tested: dict[str, tuple[int, str]] = {}
    for fold in folds:
        training = {keys[case_id]: case_id for case_id in fold.train if case_id in keys}
        for case_id in fold.test:
            if case_id not in keys:
                continue
            earlier = tested.setdefault(keys[case_id], (fold.number, case_id))
            if earlier[0] != fold.number:
                raise _leak(what, case_id, earlier[1], f"test parts of folds {earlier[0]} and {fold.number}")
            if keys[case_id] in training:
                twin = training[keys[case_id]]
                raise _leak(what, case_id, twin, f"training and test part of fold {fold.number}")


def _leak(what: str, case_id: str, twin: str, where: str) -> TrainingError:
    return TrainingError(
        "PP-FOLDS-LEAK",
        f"cases {twin} and {case_id}" if twin != case_id else f"case {case_id}",
        f"one {what} must lie in one fold, got the {where}",
        "Give both cases the same patient_id" if what == "image" else "Make the folds anew with make_folds",
    )


def _check_counts(cohort: Cohort, n_folds: int) -> None:
    patients = {case.patient_id for case in cohort}
    if n_folds < 2 or n_folds > len(patients):
        raise TrainingError(
            "PP-FOLDS-NUMBER",
            "folds",
            f"must be 2 or more and at most one a patient, got {n_folds} folds for {len(patients)} patients",
            "Change --folds, or add patients",
        )
    by_class = Counter(label for _, label in {(case.patient_id, case.label) for case in cohort} if label is not None)
    short = {name: count for name, count in sorted(by_class.items()) if count < n_folds}
    if short:
        listing = ", ".join(f"{name} has {count}" for name, count in short.items())
        fewest = min(short.values())
        raise TrainingError(
            "PP-FOLDS-CLASS",
            "folds",
            f"every class must occur in each of {n_folds} folds and so needs {n_folds} patients, {listing}",
            f"Use --folds {fewest}, or add patients" if fewest > 1 else "Add patients of that class",
        )


def _patient_strata(cohort: Cohort, n_folds: int) -> dict[str, str]:
    """Patient id to stratum; small strata pooled inside their label, all into one where even that leaves none large."""
    cases: dict[str, list[Case]] = {}
    for case in sorted(cohort, key=lambda case: case.case_id):
        cases.setdefault(case.patient_id, []).append(case)
    labels = {patient: "+".join(sorted({case.label or "" for case in own})) for patient, own in cases.items()}
    full = {patient: "|".join([labels[patient], *map(_outcome_text, own)]) for patient, own in cases.items()}
    counts = Counter(full.values())
    pooled = {patient: s if counts[s] >= n_folds else f"{labels[patient]}|*" for patient, s in full.items()}
    return pooled if max(Counter(pooled.values()).values()) >= n_folds else dict.fromkeys(pooled, "*")


def _outcome_text(case: Case) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(case.outcomes.items()))
