from collections import Counter

import pytest

from pointpet.core import Case, Cohort, Fold, TrainingError
from pointpet.evaluate.folds import assert_disjoint, make_folds, require_classes


def cohort(n_lung: int = 30, n_oesophagus: int = 25, *, reverse: bool = False) -> Cohort:
    cases = [
        Case(f"L{i:03d}", patient_id=f"PL{i // 2:03d}" if i < 10 else "", label="lung", outcomes={"survival": i % 2})
        for i in range(n_lung)
    ] + [
        Case(f"O{i:03d}", label="oesophagus", outcomes={"response": int(i % 5 == 0) if i else None})
        for i in range(n_oesophagus)
    ]
    return Cohort(tuple(reversed(cases) if reverse else cases))


def test_every_case_is_tested_once_and_patients_stay_whole():
    cases = cohort()
    folds = make_folds(cases, n_folds=5, seed=3)
    assert [fold.number for fold in folds] == [0, 1, 2, 3, 4]
    assert Counter(case_id for fold in folds for case_id in fold.test) == dict.fromkeys((c.case_id for c in cases), 1)
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert set(fold.train) | set(fold.test) == {case.case_id for case in cases}
        patients = [{cases[case_id].patient_id for case_id in part} for part in (fold.train, fold.test)]
        assert not patients[0] & patients[1]
        assert fold.seed == 3


def test_labels_and_outcomes_are_balanced():
    cases = cohort(40, 40)
    for fold in make_folds(cases, n_folds=5, seed=0):
        labels = Counter(cases[case_id].label for case_id in fold.test)
        assert abs(labels["lung"] - 8) <= 1
        assert abs(labels["oesophagus"] - 8) <= 1
        survivors = [cases[case_id].outcomes["survival"] for case_id in fold.test if case_id.startswith("L")]
        assert 3 <= sum(survivors) <= 5


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    folds = make_folds(cohort(), n_folds=5, seed=1)
    assert folds == make_folds(cohort(), n_folds=5, seed=1)
    turned = make_folds(cohort(reverse=True), n_folds=5, seed=1)
    assert [set(fold.test) for fold in turned] == [set(fold.test) for fold in folds]
    assert turned[0].test == tuple(c.case_id for c in cohort(reverse=True) if c.case_id in turned[0].test)
    assert [set(fold.test) for fold in make_folds(cohort(), n_folds=5, seed=2)] != [set(f.test) for f in folds]


def test_rare_outcomes_are_pooled_and_labels_stay_balanced():
    cases = Cohort(
        tuple(Case(f"A{i:02d}", label="a", outcomes={"x": int(i < 2), "y": i % 3}) for i in range(20))
        + tuple(Case(f"B{i:02d}", label="b") for i in range(20))
    )
    for fold in make_folds(cases, n_folds=5, seed=0):
        assert Counter(case_id[0] for case_id in fold.test) == {"A": 4, "B": 4}


def test_cases_without_a_label_are_tested_too():
    cases = Cohort((*cohort(10, 10).cases, Case("U1"), Case("U2")))
    folds = make_folds(cases, n_folds=2, seed=0)
    assert {"U1", "U2"} <= {case_id for fold in folds for case_id in fold.test}


def test_patients_with_cases_of_two_labels():
    pairs = [(f"M{i}", label) for i in range(3) for label in ("a", "b")]
    cases = Cohort(tuple(Case(f"{patient}{label}", patient_id=patient, label=label) for patient, label in pairs))
    for fold in make_folds(cases, n_folds=3, seed=0):
        assert len(fold.test) == 2
    few = [Case(f"{label}{i}", label=label) for label in "ab" for i in range(2)]
    with pytest.raises(TrainingError, match=r"fold 0: every class must occur in the test part, .* a 2, b 0"):
        make_folds(Cohort((*cases.cases, *few)), n_folds=4, seed=3)


def test_a_class_with_too_few_patients_stops_before_training():
    with pytest.raises(TrainingError, match=r"needs 5 patients, oesophagus has 3\. Use --folds 3, or add patients"):
        make_folds(cohort(20, 3), n_folds=5, seed=0)
    with pytest.raises(TrainingError, match=r"oesophagus has 1\. Add patients of that class"):
        make_folds(cohort(20, 1), n_folds=5, seed=0)


@pytest.mark.parametrize("n_folds", [0, 1, 90])
def test_impossible_numbers_of_folds_are_refused(n_folds):
    with pytest.raises(TrainingError, match=f"got {n_folds} folds for 50 patients"):
        make_folds(cohort(), n_folds=n_folds, seed=0)


def test_a_class_missing_in_a_part_is_named_with_counts():
    labels = {"A1": "a", "A2": "a", "B1": "b", "B2": "b", "U": None}
    with pytest.raises(TrainingError, match=r"fold 1: every class must occur in the test part, got .*: a 1, b 0"):
        require_classes([Fold(1, train=("A2", "B1", "B2"), test=("A1", "U"), seed=0)], labels)
    with pytest.raises(TrainingError, match=r"in the training part, .* a 2, b 0\. Use fewer folds, or add .* class b"):
        require_classes([Fold(1, train=("A1", "A2"), test=("B1",), seed=0)], labels)


def test_one_patient_in_two_folds_is_refused():
    folds = [Fold(0, train=("C",), test=("A",), seed=0), Fold(1, train=("A",), test=("B", "C"), seed=0)]
    assert_disjoint(folds, {"A": "p", "B": "q", "C": "r"})
    with pytest.raises(TrainingError, match="cases A and B: one patient must lie in one fold, got the test parts of"):
        assert_disjoint(folds, {"A": "p", "B": "p", "C": "r"})
    with pytest.raises(TrainingError, match=r"cases C and A: one patient .* training and test part of fold 0"):
        assert_disjoint(folds[:1], {"A": "p", "C": "p"})


def test_one_case_tested_twice_is_refused():
    folds = [Fold(0, train=("B",), test=("A",), seed=0), Fold(1, train=("B",), test=("A",), seed=0)]
    with pytest.raises(TrainingError, match="case A: one patient must lie in one fold"):
        assert_disjoint(folds, {"A": "p", "B": "q"})


def test_one_image_under_two_names_is_refused():
    folds = [Fold(0, train=("B",), test=("A",), seed=0), Fold(1, train=("A",), test=("B",), seed=0)]
    patients = {"A": "p", "B": "q"}
    assert_disjoint(folds, patients, {"A": "hash1", "B": "hash2"})
    assert_disjoint(folds, patients, {"A": "hash1"})
    with pytest.raises(TrainingError, match=r"one image must .* Give both cases the same patient_id"):
        assert_disjoint(folds, patients, {"A": "hash1", "B": "hash1"})
