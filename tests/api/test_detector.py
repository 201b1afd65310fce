"""`WeakDetector` keeps scikit-learn's conventions: by scikit-learn's own checks where they can apply, and the rules of
those that cannot by tests on cases."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import yaml
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_predict
from sklearn.utils.estimator_checks import check_estimator

import pointpet as pp
from pointpet.core import CohortError, ConfigError, TrainingError
from pointpet.io.artefacts import write_json

MATRIX = "fits on a matrix of numbers that the check makes; a case is a scan, and the tag two_d_array says so"
NUMBERS = "asks for faults of a matrix of numbers (NaN, sparse, complex, shape), which is refused as a whole"
CANNOT = dict.fromkeys(
    (
        "check_classifiers_classes",
        "check_classifiers_one_label",
        "check_classifiers_regression_target",
        "check_classifiers_train",
        "check_dict_unchanged",
        "check_dont_overwrite_parameters",
        "check_estimators_dtypes",
        "check_estimators_fit_returns_self",
        "check_estimators_overwrite_params",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_fit_score_takes_y",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in_after_fitting",
        "check_pipeline_consistency",
        "check_readonly_memmap_input",
    ),
    MATRIX,
) | dict.fromkeys(
    (
        "check_classifier_data_not_an_array",
        "check_estimator_sparse_array",
        "check_estimator_sparse_matrix",
        "check_estimator_sparse_tag",
        "check_fit2d_1feature",
        "check_fit2d_1sample",
        "check_positive_only_tag_during_fit",
    ),
    NUMBERS,
)
PASS = {
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
}


class MatrixDetector(pp.WeakDetector):
    """As if it took matrices: the checks are then all run, and those that cannot apply fail."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def test_scikit_learns_checks_pass_where_they_can_apply():
    results = check_estimator(MatrixDetector(), expected_failed_checks=CANNOT, on_fail=None, on_skip=None)
    status = {one["check_name"]: one["status"] for one in results}
    assert {name for name, found in status.items() if found == "failed"} == set()
    assert {name for name, found in status.items() if found == "passed"} >= PASS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns that it can say little of what takes no matrix
        assert {one["status"] for one in check_estimator(pp.WeakDetector(), on_fail=None)} == {"passed"}


def test_fit_returns_itself_and_changes_no_parameter(cohort, quick, tmp_path):
    estimator = pp.WeakDetector("cam_alone", configuration=quick, seed=5, cache=tmp_path)
    before = dict(estimator.get_params())
    assert estimator.fit(cohort) is estimator
    assert all(estimator.get_params()[name] is value for name, value in before.items())
    assert set(vars(estimator)) - set(before) == {"classes_", "model_"}
    assert clone(estimator).get_params() == before
    assert not hasattr(clone(estimator), "classes_")


def test_a_second_fit_gives_the_same_bits(detector, cohort):
    again = clone(detector).fit(cohort)
    np.testing.assert_array_equal(again.predict_proba(cohort), detector.predict_proba(cohort))


def test_probabilities_are_columns_of_classes(detector, cohort):
    assert detector.classes_.tolist() == ["lung", "oesophagus"]
    probabilities = detector.predict_proba(cohort)
    assert probabilities.shape == (16, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    predicted = detector.predict(cohort)
    np.testing.assert_array_equal(predicted, detector.classes_[probabilities.argmax(axis=1)])
    labels = [case.label for case in cohort]
    assert detector.score(cohort) == detector.score(cohort, labels) == accuracy_score(labels, predicted)


def test_order_company_and_cache_do_not_matter(detector, cohort):
    whole = detector.predict_proba(cohort)
    order = [5, 0, 11]
    np.testing.assert_array_equal(detector.predict_proba([cohort.cases[i] for i in order]), whole[order])
    without_cache = pickle.loads(pickle.dumps(detector)).set_params(cache=None)  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(without_cache.predict_proba(cohort.cases[:2]), whole[:2])


def test_predicting_looks_at_no_annotation(detector, cohort):
    bare = [replace(case, label=None, points_mm=np.zeros((0, 3)), mask=None) for case in cohort]
    state = dict(vars(detector))
    np.testing.assert_array_equal(detector.predict_proba(bare), detector.predict_proba(cohort))
    assert vars(detector) == state


def test_labels_may_be_given_and_keep_their_type(cohort, quick, tmp_path):
    numbers = [7 if case.label == "lung" else 3 for case in cohort]
    estimator = pp.WeakDetector(configuration=quick, seed=3, cache=tmp_path).fit(cohort.cases, numbers)
    assert estimator.classes_.tolist() == [3, 7]
    assert set(estimator.predict(cohort.cases)) <= {3, 7}
    assert estimator.score(cohort.cases, numbers) == accuracy_score(numbers, estimator.predict(cohort.cases))


def test_cases_without_a_label_are_left_out(cohort, quick, detector, tmp_path):
    stranger = replace(cohort.cases[0], case_id="unknown", label=None)
    cases = [*cohort.cases, stranger]
    estimator = pp.WeakDetector(configuration=quick, seed=3, cache=tmp_path).fit(cases)
    np.testing.assert_array_equal(estimator.predict_proba(cohort), detector.predict_proba(cohort))
    assert estimator.model_.record["cohort"]["cases"] == 16
    assert estimator.score(cases) == detector.score(cohort)


def test_cross_validation_and_search_take_it(cohort, quick, tmp_path):
    labels = np.array([case.label for case in cohort])
    patients = [case.patient_id for case in cohort]
    estimator = pp.WeakDetector(configuration=quick, seed=3, cache=tmp_path)
    predicted = cross_val_predict(estimator, cohort.cases, labels, groups=patients, cv=StratifiedGroupKFold(2))
    assert predicted.shape == (16,)
    search = GridSearchCV(estimator, {"method": ["proposed", "cam_alone"]}, cv=2, refit=False)
    search.fit(cohort.cases, labels)
    assert len(search.cv_results_["mean_test_score"]) == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_configuration_may_be_a_mapping_or_a_file(cohort, tmp_path):
    settings = {"training": {"epochs": 1, "widths": [4] * 8, "input_mm": 8.0}, "prepare": {"pixel_mm": 4.0}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
    first = pp.WeakDetector(configuration=settings, cache=tmp_path / "p").fit(cohort)
    second = pp.WeakDetector(configuration=tmp_path / "c.yaml", cache=tmp_path / "p").fit(cohort)
    np.testing.assert_array_equal(first.predict_proba(cohort), second.predict_proba(cohort))


def test_a_model_trained_on_phantoms_says_so(cohort_folder, quick, tmp_path):
    import shutil

    shutil.copytree(cohort_folder, tmp_path / "phantom")
    write_json(tmp_path / "phantom" / "phantom.json", {"preset": "default"})
    cohort = pp.read_cohort(tmp_path / "phantom" / "cohort.csv")
    model = pp.WeakDetector(configuration=quick).fit(cohort).model_
    assert repr(model) == "<pointpet model: proposed trained on phantoms>"
    volume = pp.read_pet(cohort.cases[0].pet, units="suv")
    assert model.predict(volume).flags[-1] is pp.Flag.PHANTOM_MODEL
    model.save(tmp_path / "m")
    assert "not for patients" in (tmp_path / "m" / "MODEL_CARD.md").read_text()


def test_wrong_input_is_told(cohort, quick):
    estimator = pp.WeakDetector(configuration=quick)
    with pytest.raises(CohortError, match=r"X: must hold cases, got ndarray\. Give what read_cohort returns"):
        estimator.fit(np.zeros((4, 2)), [0, 1, 0, 1])
    with pytest.raises(CohortError, match="X: must hold cases, got none"):
        estimator.fit([])
    with pytest.raises(CohortError, match=r"y: must have one label a case \(16\), got 2"):
        estimator.fit(cohort, ["lung", "oesophagus"])
    with pytest.raises(ConfigError, match="method suv25: learns from no label"):
        pp.WeakDetector("suv25").fit(cohort)
    with pytest.raises(TrainingError, match="training needs at least two different ones, got lung"):
        estimator.fit([case for case in cohort if case.label == "lung"])
    missing = replace(cohort.cases[1], pet=cohort.cases[1].pet.with_name("gone.nii.gz"))
    with pytest.raises(TrainingError, match=r"case C01: cannot be prepared \(1 of 16 cases failed\)"):
        estimator.fit([cohort.cases[0], missing, *cohort.cases[2:]])
