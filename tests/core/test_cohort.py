import pickle

import numpy as np
import pytest

from pointpet.core import Case, Cohort, CohortError, Faults, FeatureTable, derive_seed, generator, text_digest
from pointpet.core.mip import Plane


@pytest.mark.parametrize("bad", ["", "../x", "a b", "é", "a" * 65])
def test_a_case_id_is_safe_as_a_folders_name(bad):
    with pytest.raises(CohortError, match="must be 1 to 64 letters, digits"):
        Case(bad)


def test_a_patient_is_its_case_unless_named():
    assert Case("A").patient_id == "A"
    assert Case("A", patient_id="P").patient_id == "P"


def test_points_count_in_millimetres_and_in_pixels():
    assert not Case("A").has_point
    assert Case("A", points_mm=np.zeros((1, 3))).has_point
    assert Case("A", pixel_points={Plane.CORONAL: np.zeros((1, 2))}).has_point


def test_case_ids_are_unique():
    with pytest.raises(CohortError, match="must be unique, repeated: A"):
        Cohort((Case("A"), Case("B"), Case("A")))


def test_a_cohort_selects_in_its_own_order():
    cohort = Cohort((Case("A", label="x"), Case("B", label="y"), Case("C")))
    assert [case.case_id for case in cohort.select({"C", "A"})] == ["A", "C"]
    assert cohort.classes == ("x", "y")
    assert cohort["B"].label == "y"
    with pytest.raises(KeyError):
        cohort["D"]


def test_errors_cross_process_borders_unchanged():
    error = Faults("cohort.csv", [CohortError("PP-X", "case A", "must be 1, got 2", "Correct it")])
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert str(back) == str(error) == "cohort.csv: 1 fault\n  [PP-X] case A: must be 1, got 2. Correct it."
    assert back.faults[0].code == "PP-X"


def test_an_error_can_name_its_case():
    error = CohortError("PP-X", "mask", "is empty", "Draw it").about("case A")
    assert str(error) == "case A: mask: is empty. Draw it."


def test_seeds_depend_on_seed_and_names_alone():
    assert derive_seed(1, "a", 2) == derive_seed(1, "a", 2) == 2011893704
    assert derive_seed(1, "a", 2) != derive_seed(1, "a", 3)
    assert generator(1, "a").random() == generator(1, "a").random()


def test_equal_content_has_one_digest():
    assert text_digest({"b": 1, "a": 2}) == text_digest({"a": 2, "b": 1})
    assert text_digest({"a": 1}) != text_digest({"a": 2})


def test_a_feature_table_is_rectangular():
    with pytest.raises(CohortError, match="needs 2 rows and 1 columns"):
        FeatureTable(("A", "B"), ("f",), ("",), ("",), np.zeros((2, 2)))
