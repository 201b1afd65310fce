from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pointpet.core import FeatureTable, TrainingError
from pointpet.outcome import MODELS, OutcomeSettings
from pointpet.outcome.endpoint import predict_endpoint, site_folds

SETTINGS = OutcomeSettings()


@pytest.mark.parametrize("model", MODELS)
def test_every_known_case_is_predicted_once_and_well(made_up, model):
    result = predict_endpoint(made_up.endpoint, made_up.folds, model, SETTINGS, seed=0)
    assert sorted(case.case_id for case in result.cases) == list(made_up.endpoint.table.case_ids)
    for fold in made_up.folds:
        own = [case for case in result.cases if case.fold == fold.number]
        assert {case.case_id for case in own} == set(fold.test)
        record = next(item for item in result.folds if item.fold == fold.number)
        assert all(case.prediction == (case.probability >= record.threshold) for case in own)
        assert record.events_per_variable == 30 / len(record.selected)
        assert record.events_per_candidate == 30 / 24
        # Two independent features of separation 1.5 reach an AUC of Phi(1.5 * sqrt(2) / sqrt(2)) = 0.93.
        assert roc_auc_score([case.truth for case in own], [case.probability for case in own]) > 0.75


def with_values(endpoint, values):
    table = endpoint.table
    return replace(endpoint, table=FeatureTable(table.case_ids, table.names, table.units, table.ibsi_codes, values))


def test_test_cases_have_no_say_in_their_own_fold(made_up):
    """Falsify the features and outcomes of a test fold: its model stays the same."""
    honest = predict_endpoint(made_up.endpoint, made_up.folds[:1], "elastic_net", SETTINGS, seed=0)
    tested = set(made_up.folds[0].test)
    values = made_up.endpoint.table.values.copy()
    rows = [i for i, case_id in enumerate(made_up.endpoint.table.case_ids) if case_id in tested]
    values[rows] = values[rows] * 50 + 7
    truth = {c: 1 - t if c in tested else t for c, t in made_up.endpoint.truth.items()}
    lied = predict_endpoint(
        replace(with_values(made_up.endpoint, values), truth=truth), made_up.folds[:1], "elastic_net", SETTINGS, seed=0
    )
    assert lied.folds == honest.folds
    assert [case.probability for case in lied.cases] != [case.probability for case in honest.cases]


def test_an_empty_mask_is_kept_with_its_gaps_filled(made_up):
    values = made_up.endpoint.table.values.copy()
    values[7, 0], values[7, 1:] = 0.0, np.nan
    result = predict_endpoint(with_values(made_up.endpoint, values), made_up.folds, "elastic_net", SETTINGS, seed=0)
    case = next(case for case in result.cases if case.case_id == "C007")
    assert 0 < case.probability < 1


def test_cases_without_a_known_outcome_are_neither_trained_on_nor_predicted(made_up):
    truth = {c: t for c, t in made_up.endpoint.truth.items() if c not in ("C000", "C001")}
    result = predict_endpoint(replace(made_up.endpoint, truth=truth), made_up.folds, "elastic_net", SETTINGS, seed=0)
    assert len(result.cases) == 78
    assert sum(record.cases for record in result.folds) == 3 * 78


def test_too_few_events_name_the_fold(made_up):
    truth = {c: int(i < 6) for i, c in enumerate(made_up.endpoint.truth)}
    told = r"fold 0: training fold: needs 8 cases of each outcome, got \d with outcome 1 and"
    with pytest.raises(TrainingError, match=told):
        predict_endpoint(replace(made_up.endpoint, truth=truth), made_up.folds, "elastic_net", SETTINGS, seed=0)


def test_leave_one_site_out():
    sites = {"a1": "A", "a2": "A", "b1": "B", "c1": "C", "b2": "B", "x": None}
    patients = {"a1": "P1", "a2": "P2", "b1": "P1", "c1": "P3", "b2": "P4", "x": "P5"}
    folds = site_folds(sites, patients, seed=3)
    assert [fold.test for fold in folds] == [("a1", "a2"), ("b1", "b2"), ("c1",)]
    assert folds[0].train == ("c1", "b2")  # b1 is a patient of site A too
    assert folds[2].train == ("a1", "a2", "b1", "b2")


def test_one_site_cannot_be_left_out():
    with pytest.raises(TrainingError, match="leave one site out: needs two sites, got 1"):
        site_folds({"a": "A", "b": None}, {"a": "a", "b": "b"}, seed=0)
