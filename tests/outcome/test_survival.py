from dataclasses import replace

import numpy as np
import pytest
from statsmodels.duration.hazard_regression import PHReg

from pointpet.core import TrainingError
from pointpet.evaluate.survival import concordance, log_rank_p
from pointpet.outcome import OutcomeSettings
from pointpet.outcome.survival import SurvivalQuestion, null_residuals, predict_survival, survival_strength

SETTINGS = OutcomeSettings()


@pytest.fixture(scope="module")
def question(made_up) -> SurvivalQuestion:
    """Hazard rises with the logarithm of feature a."""
    rng = np.random.default_rng(3)
    table = made_up.endpoint.table
    hazard = np.exp(1.2 * np.log(table.values[:, 0]))
    death, visit = rng.exponential(500 / hazard), rng.uniform(200, 1500, len(hazard))
    follow_up = {
        case_id: (float(min(d, v)), int(d <= v)) for case_id, d, v in zip(table.case_ids, death, visit, strict=True)
    }
    return SurvivalQuestion(table, follow_up, {})


def test_risk_groups_differ_in_survival(question, made_up):
    found = predict_survival(question, made_up.folds, SETTINGS)
    assert sorted(case.case_id for case in found) == list(question.table.case_ids)
    time, event = [case.time_days for case in found], [case.event for case in found]
    assert concordance(time, event, [case.risk for case in found]) > 0.7
    assert log_rank_p(time, event, [case.high for case in found], [case.fold for case in found]) < 0.001
    assert 20 < sum(case.high for case in found) < 60


def test_test_cases_have_no_say_in_their_own_fold(question, made_up):
    fold = made_up.folds[0]
    honest = predict_survival(question, [fold], SETTINGS)
    follow_up = {c: (5.0, 1) if c in fold.test else known for c, known in question.follow_up.items()}
    lied = predict_survival(replace(question, follow_up=follow_up), [fold], SETTINGS)
    assert [(case.risk, case.high) for case in honest] == [(case.risk, case.high) for case in lied]


def test_cases_without_follow_up_are_left_out(question, made_up):
    follow_up = {c: known for c, known in question.follow_up.items() if c != "C000"}
    found = predict_survival(replace(question, follow_up=follow_up), made_up.folds, SETTINGS)
    assert len(found) == 79


def test_null_residuals_equal_those_of_an_empty_cox_model():
    rng = np.random.default_rng(1)
    time, event = rng.permutation(40).astype(float) + 1, rng.random(40) < 0.6
    fitted = PHReg(time, rng.normal(size=(40, 1)), status=event.astype(int)).fit_regularized(alpha=1e6)
    assert np.all(fitted.params == 0)
    # Without features, the residual is the event minus the Nelson-Aalen hazard: 1/n summed over the events so far.
    order = np.argsort(time)
    hazard = np.cumsum(event[order] / np.arange(40, 0, -1))
    expected = np.empty(40)
    expected[order] = event[order] - hazard
    assert null_residuals(time, event) == pytest.approx(expected)
    assert null_residuals(time, event).sum() == pytest.approx(0)


def test_strength_ranks_the_feature_that_drives_survival_first(question):
    time, event = question.times(question.table.case_ids)
    values = np.nan_to_num(question.table.values, nan=1.0)
    strength = survival_strength(null_residuals(time, event), values)
    assert int(np.argmax(strength)) in (0, 2)  # a or its copy
    assert survival_strength(null_residuals(time, event), np.ones((80, 1))) == pytest.approx([0.0])


def test_too_few_events_name_the_fold_and_the_counts(question, made_up):
    follow_up = {c: (days, int(i < 3)) for i, (c, (days, _)) in enumerate(question.follow_up.items())}
    with pytest.raises(TrainingError, match=r"fold 0: training fold: needs 8 events, got \d among 60 cases"):
        predict_survival(replace(question, follow_up=follow_up), made_up.folds, SETTINGS)
