"""Outcome tables of a made-up study: what the report says of them."""

import json

import numpy as np
import pandas as pd
import pytest

from pointpet.evaluate.classification import roc_auc
from pointpet.evaluate.summary import compare, summarise
from pointpet.report import outcome_tables, result_tables
from pointpet.report.latex import latex_table
from pointpet.report.outcome_figures import outcome_roc, survival_curves
from pointpet.report.render import render_report
from pointpet.report.study_folder import read_study

REFERENCE = {"name": "true_mask", "summary": "reference masks", "training_input": "mask", "test_input": "mask"}
PREDICTING = ("proposed", "cam_alone", "true_mask")


def question(label, endpoint, reason="") -> dict:
    return {"label": label, "endpoint": endpoint, "cases": 10, "events": 4, "reason": reason}


def outcome_cases(segmentation: pd.DataFrame) -> pd.DataFrame:
    random = np.random.default_rng(0)
    cases = segmentation[segmentation["method"] == "proposed"]
    rows = []
    for method in PREDICTING:
        for case in cases.to_dict("records"):
            truth = int(int(case["case_id"][1:]) % 10 in (0, 1, 4, 7))
            chance = float(np.clip(random.normal(0.4 + 0.2 * truth, 0.15), 0, 1))
            key = {"method": method, "label": case["label"], "endpoint": "response", "case_id": case["case_id"]}
            key["fold"] = int(case["case_id"][1:]) // 10
            rows.append(key | {"probability": chance, "prediction": int(chance > 0.5), "truth": truth})
    return pd.DataFrame(rows)


@pytest.fixture
def folder(study):
    """The made-up study with outcomes of three rows, survival of one class and a site left out."""
    tables = study / "tables"
    segmentation, classification = (pd.read_csv(tables / f"{name}.csv") for name in ("segmentation", "classification"))
    cases = outcome_cases(segmentation)
    cases.to_csv(tables / "outcome.csv", index=False)
    record = json.loads((study / "study.json").read_text())
    record["outcome"] = {
        "model": "elastic_net",
        "questions": [
            question("lung", "survival3y", "2 of 10 cases have the event; training of fold 0 holds 1, 8 are needed"),
            question("lung", "response"),
            question("lung", ""),
            question("oesophagus", "response"),
            question("oesophagus", "", "1 of 10 cases have the event"),
        ],
        "references": [REFERENCE],
    }
    (study / "study.json").write_text(json.dumps(record))
    methods = [*record["methods"], REFERENCE]
    endpoints = {"lung": ["survival3y", "response"], "oesophagus": ["response"]}
    for label, table in summarise(segmentation, classification, methods, outcome=cases, endpoints=endpoints).items():
        table.to_csv(tables / f"table_{label}.csv", index=False)
    compare(segmentation, methods, outcome=cases).to_csv(tables / "comparisons.csv", index=False)
    key = {"method": "proposed", "label": "lung", "endpoint": "response"}
    measures = {f"{name}_{part}": 0.6 for name in ("auc", "accuracy") for part in ("mean", "sd", "lo", "hi")}
    counts = {"variables": 2.0, "events_per_variable": 3.5, "events_per_candidate": 0.04}
    pd.DataFrame([key | {"model": model} | counts | measures for model in ("elastic_net", "random_forest")]).to_csv(
        tables / "outcome_models.csv", index=False
    )
    site = key | {"cases": 5, "events": 2, "auc_lo": None, "auc_hi": None, "accuracy": None}
    pd.DataFrame([site | {"site": "A", "auc": None, "note": "needs 8 cases"}]).to_csv(
        tables / "outcome_sites.csv", index=False
    )
    survival = [
        {"method": "proposed", "label": "lung", "case_id": f"P{i:03d}", "fold": 0, "risk": i, "high": i % 2}
        | {"time_days": 100.0 + i, "event": int(i < 7)}
        for i in range(10)
    ]
    pd.DataFrame(survival).to_csv(tables / "survival.csv", index=False)
    groups = {"method": "proposed", "label": "lung", "cases": 10, "events": 7, "high": 5, "log_rank_p": 0.0004}
    groups |= {"concordance_mean": 0.71, "concordance_sd": 0.1, "concordance_lo": 0.6, "concordance_hi": 0.8}
    groups |= {"hazard_ratio": 3.24, "hazard_ratio_lo": 1.1, "hazard_ratio_hi": 9.0}
    pd.DataFrame([groups]).to_csv(tables / "survival_groups.csv", index=False)
    return study


def test_an_endpoint_that_was_not_evaluated_says_why_and_shows_no_figure(folder):
    first = outcome_tables.endpoint_sections(read_study(folder))[0]
    assert (first.label, first.title, first.is_published) == ("lung", "3-year survival", True)
    assert first.reason.startswith("2 of 10 cases have the event")
    assert (first.rows, first.models, first.sites, first.warning) == ([], [], [], "")


def test_rows_hold_the_tables_figures_and_the_differences_from_proposed(folder):
    study = read_study(folder)
    section = outcome_tables.endpoint_sections(study)[1]
    assert (section.title, section.is_published, section.best_auc) == ("response to treatment", False, "0.81")
    rows = {row[0]: row for row in section.rows}
    assert list(rows) == ["Proposed", "CAMs alone", "True mask (reference)"]
    assert all(len(row) == len(outcome_tables.ENDPOINT_COLUMNS) for row in section.rows)
    table = study.tables["lung"]
    own = table[(table["method"] == "cam_alone") & (table["endpoint"] == "response")].iloc[0]
    assert rows["CAMs alone"][1] == f"{own['auc_mean']:.2f} ± {own['auc_sd']:.2f}"
    assert rows["CAMs alone"][3] == f"{own['accuracy_mean']:.2f} ± {own['accuracy_sd']:.2f}"
    compared = study.comparisons
    compared = compared[
        (compared["label"] == "lung") & (compared["measure"] == "auc") & (compared["method_b"] == "true_mask")
    ].iloc[0]
    differences = {row[0]: row for row in section.differences}
    assert list(differences) == ["CAMs alone", "True mask (reference)"]
    assert all(len(row) == len(outcome_tables.DIFFERENCE_COLUMNS) for row in section.differences)
    assert differences["True mask (reference)"][1].startswith(f"{compared['difference']:+.2f}".replace("-", "−"))
    assert differences["True mask (reference)"][2] == f"{compared['p']:.3f}"
    cases = study.optional("outcome")
    own = cases[(cases["method"] == "proposed") & (cases["label"] == "lung")]
    pooled = roc_auc(own["truth"] == 1, own["probability"])
    assert rows["Proposed"][6] == f"{pooled:.2f}", "one AUC has one interval: the pooled one has none"


def test_an_area_without_an_interval_says_so(folder):
    study = read_study(folder)
    for path in (folder / "tables" / "table_lung.csv", folder / "tables" / "outcome_models.csv"):
        frame = pd.read_csv(path)
        frame.loc[:, ["auc_lo", "auc_hi"]] = np.nan
        frame.to_csv(path, index=False)
    section = outcome_tables.endpoint_sections(read_study(folder))[1]
    assert {row[2] for row in section.rows} == {"not estimable"}
    assert section.models[0][3] == "not estimable"
    assert outcome_tables.endpoint_sections(study)[1].rows[0][2] != "not estimable"


def test_the_words_say_what_is_counted(folder):
    study = read_study(folder)
    sections = outcome_tables.endpoint_sections(study)
    assert [(section.title, section.one) for section in sections[:2]] == [
        ("3-year survival", "were alive after three years"), ("response to treatment", "responded to treatment"),
    ]  # fmt: skip
    page = render_report(folder).read_text("utf-8")
    assert "4 of 10 cases responded to treatment: the outcome 1, whose probability is predicted" in page
    assert "An event here is a 1 in the manifest's column <code>event</code>, in this phantom a death." in page
    assert "It is not the outcome 1 of “3-year survival”, which is being alive after three years." in page
    assert "perfect mask" not in page
    assert "not how well an outcome can be predicted" in page
    assert "survival3y" not in page.split('id="settings"')[0]


def test_few_events_are_warned_of(folder):
    section = outcome_tables.endpoint_sections(read_study(folder))[1]
    assert section.warning.startswith("Few events: 3.5 for each variable that a model was given, 0.04 for each")
    assert section.models[1][:3] == ("Proposed", "Random forest", "0.60 ± 0.60")
    many = pd.DataFrame({"events_per_variable": [30.0], "events_per_candidate": [12.0]})
    assert outcome_tables._warning(many) == ""


def test_a_site_that_could_not_be_left_out_is_not_applicable(folder):
    row = outcome_tables.endpoint_sections(read_study(folder))[1].sites[0]
    assert row == ("Proposed", "A", "5", "2", "n/a", "–", "needs 8 cases")


def test_survival_and_its_reasons(folder):
    study = read_study(folder)
    assert outcome_tables.survival_rows(study) == [
        ("lung", "Proposed", "10", "7", "0.71 ± 0.10", "0.60 to 0.80", "5 of 10", "3.2 (1.1 to 9.0)", "< 0.001")
    ]
    assert outcome_tables.survival_reasons(study) == [("oesophagus", "1 of 10 cases have the event")]


def test_the_main_table_shows_the_first_endpoint_and_the_reference_row(folder):
    study = read_study(folder)
    rows = {row.title: row for row in result_tables.main_rows(study, "oesophagus")}
    assert rows["True mask (reference)"].dice == "–"
    assert rows["True mask (reference)"].training_input == "mask"
    assert len(rows["Proposed"].outcome) == 4
    assert result_tables.has_outcome(study, "oesophagus")
    assert "by bootstrap over patients. Outcome: response to treatment.}" in latex_table(study, "oesophagus")
    assert "Outcome:" not in latex_table(study, "lung")
    assert not result_tables.has_outcome(study, "lung")  # its first endpoint has too few events
    assert "auc" not in dict(result_tables.comparison_tables(study))


def test_the_page_holds_the_section_and_its_figures(folder):
    page = render_report(folder).read_text("utf-8")
    assert "lung: response to treatment" in page
    assert "n/a: 2 of 10 cases have the event" in page
    assert "outcome: response to treatment" in page
    assert "The best AUC that can be reached on this phantom is 0.81" in page
    assert {"outcome_roc.svg", "survival_curves.svg"} <= {path.name for path in (folder / "figures").iterdir()}


def test_figures_name_every_row_and_the_risk_groups(folder):
    study = read_study(folder)
    roc = outcome_roc(study)
    assert all(name in roc.svg for name in ("Proposed", "True mask (reference)", "lung:", "response to treatment"))
    curves = survival_curves(study)
    assert "high risk, 5" in curves.svg


def test_a_study_without_outcomes_has_none_of_it(study):
    found = read_study(study)
    assert outcome_tables.endpoint_sections(found) == []
    assert outcome_tables.survival_rows(found) == []
    assert outcome_roc(found) is None
    assert survival_curves(found) is None
    assert "The cohort states no outcome" in render_report(study).read_text("utf-8")
