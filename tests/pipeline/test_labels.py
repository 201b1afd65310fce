"""What is said of a cohort in which no case has a class, or all have the same."""

import pandas as pd
import pytest

from pointpet.core import CohortError, TrainingError
from pointpet.pipeline.prepare import prepare_cohort
from pointpet.pipeline.study import StudyRequest, run_study
from pointpet.pipeline.train import fit_prepared, train_model


@pytest.fixture
def table(cohort_folder):
    """The cohort's manifest with paths that hold anywhere."""
    table = pd.read_csv(cohort_folder / "cohort.csv")
    for column in ("pet", "mask"):
        table[column] = str(cohort_folder) + "/" + table[column]
    return table


def written(table, folder):
    table.to_csv(folder / "cohort.csv", index=False)
    return folder / "cohort.csv"


def test_a_column_under_another_name_is_named_before_anything_is_read(table, quick, tmp_path):
    manifest = written(table.rename(columns={"label": "Label"}), tmp_path)
    expected = r"cohort: has no column label, got: case_id, .*Label \(meant for label\?\).*\. Rename the column"
    with pytest.raises(CohortError, match=expected) as told:
        run_study(StudyRequest(manifest), tmp_path / "study", quick)
    assert told.value.code == "PP-COHORT-LABEL"
    assert not (tmp_path / "study" / ".prepared").exists()
    with pytest.raises(CohortError, match=expected):
        train_model(manifest, tmp_path / "model", quick)


def test_a_blank_column_is_told_from_a_missing_one(table, quick, tmp_path):
    manifest = written(table.assign(label=None), tmp_path)
    expected = r"none of its 16 cases has a class: the column label is blank in every row\. Fill it in"
    with pytest.raises(CohortError, match=expected):
        run_study(StudyRequest(manifest), tmp_path / "study", quick)


ONE_CLASS = (
    r"cohort: all its labelled cases are of the class lung; proposed, unet can only learn from two classes or more\. "
    "Add cases of another class, such as controls without a lesion, or choose methods that learn from no class"
)


def test_one_class_alone_is_told_before_anything_is_read(table, quick, tmp_path):
    manifest = written(table.assign(label="lung"), tmp_path)
    with pytest.raises(CohortError, match=ONE_CLASS) as told:
        run_study(StudyRequest(manifest, methods=("proposed", "suv25", "unet")), tmp_path / "study", quick)
    assert told.value.code == "PP-COHORT-CLASSES"
    assert not (tmp_path / "study" / ".prepared").exists()
    with pytest.raises(CohortError, match="of the class lung; proposed can only learn from two classes or more"):
        train_model(manifest, tmp_path / "model", quick)


def test_methods_that_learn_from_no_class_study_one_class(table, quick, tmp_path):
    manifest = written(table.head(4).assign(label="lung"), tmp_path)
    request = StudyRequest(manifest, methods=("suv40", "click41"), folds=2)
    assert not run_study(request, tmp_path / "study", quick).failures
    rows = pd.read_csv(tmp_path / "study" / "tables" / "table_lung.csv")
    assert set(rows["method"]) >= {"suv40", "click41"}


def test_a_prepared_folder_without_classes_trains_nothing(table, quick, tmp_path):
    prepared = prepare_cohort(written(table.head(2).assign(label=None), tmp_path), tmp_path / "p", quick.preparing())
    with pytest.raises(CohortError, match="none of its 2 cases has a class"):
        fit_prepared(quick.method("proposed"), prepared, quick, seed=0)


def test_a_study_of_which_no_case_can_be_read_says_why(table, quick, tmp_path):
    (tmp_path / "bad.nii.gz").write_bytes(b"nonsense")
    manifest = written(table.head(2).assign(pet="bad.nii.gz"), tmp_path)
    expected = r"no case with a class could be read, the first of 2 that failed is C00 \[PP-\S+\]: .*See `point"
    with pytest.raises(TrainingError, match=expected):
        run_study(StudyRequest(manifest), tmp_path / "study", quick)
