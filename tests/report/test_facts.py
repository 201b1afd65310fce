import inspect
from dataclasses import replace

import pytest

from pointpet.pipeline.config import Configuration
from pointpet.report import facts as report_facts
from pointpet.report.facts import study_facts
from pointpet.report.latex import escaped, latex_table, latex_tables
from pointpet.report.methods_text import REFERENCES, TOPICS, methods_paragraphs, uncited
from pointpet.report.reporting_checklists import NOT_PROVIDED, checklist_topics, fill_checklists
from pointpet.report.study_folder import Study, read_study


@pytest.fixture(scope="module")
def configured(study_template) -> Study:
    found = read_study(study_template)
    return replace(found, record={**found.record, "config": Configuration().as_dict()})


@pytest.fixture(scope="module")
def facts(configured) -> dict[str, str]:
    return study_facts(configured)


def test_sentences_come_from_the_runs_own_settings(configured, facts):
    assert "brought to 2 mm by nearest interpolation" in facts["preprocessing"]
    assert "a 5-fold cross-validation, stratified by class and outcome, seed 0" in facts["partitions"]
    assert "batches of 8 views" in facts["training"]
    assert "Proposed 91,000 parameters" in facts["model"]
    config = configured.record["config"]
    changed = {**config, "training": {**config["training"], "batch_size": 12, "validation_share": 0, "epochs": 7}}
    other = study_facts(replace(configured, record={**configured.record, "config": changed}))
    assert "batches of 12 views, up to 7 epochs" in other["training"]
    assert other["selection"] == "The last epoch was taken."


def test_what_a_run_cannot_know_is_absent(study_template, facts):
    unconfigured = study_facts(read_study(study_template))
    assert "training" not in unconfigured
    assert "preprocessing" not in unconfigured
    found = read_study(study_template)
    cohort = {**found.record["cohort"], "source": "files"}
    real = study_facts(replace(found, record={**found.record, "cohort": cohort}))
    assert facts["reference_standard"].startswith("The reference is the support of the simulated")
    assert {"reference_standard", "reference_reason", "design"}.isdisjoint(real)
    assert real["data_source"] == "The cohort “phantom-default”: 20 FDG-PET studies of 20 patients."


def test_every_topic_is_known_to_somebody(facts):
    asked = checklist_topics() | {topic for group in TOPICS for topic in group}
    source = inspect.getsource(report_facts)
    assert [topic for topic in asked if f'"{topic}"' not in source] == []
    assert set(facts) <= asked


def test_references_are_numbered_in_the_order_of_citation():
    texts, cited = methods_paragraphs({"model": "B [zhou]. A [amyar].", "preprocessing": "First [amyar].", "x": "no"})
    assert texts == ["First [1]. B [2]. A [1]."]
    assert cited == [REFERENCES["amyar"], REFERENCES["zhou"]]
    assert uncited("First [amyar].") == "First."


def test_every_citation_has_its_reference(facts):
    texts, references = methods_paragraphs(facts)
    assert len(texts) >= 3
    assert len(references) >= 4
    assert not any("[amyar]" in text for text in texts)


def test_the_checklists_are_complete_and_filled_as_far_as_known(facts):
    lists = {one.name: one for one in fill_checklists(facts)}
    numbers = {name: [row[0] for row in one.rows] for name, one in lists.items()}
    assert numbers["CLAIM"] == [str(n) for n in range(1, 45)]
    assert numbers["CLEAR"] == [str(n) for n in range(1, 59)]
    tripod = numbers["TRIPOD+AI"]
    assert len(tripod) == len(set(tripod)) == 52
    assert sorted({int(item.rstrip("abcdefg")) for item in tripod}) == list(range(1, 28))
    for one in lists.values():
        assert one.answered == sum(answer != NOT_PROVIDED for *_, answer in one.rows)
        assert 0 < one.answered < len(one.rows)
        assert all("[" not in answer for *_, answer in one.rows)
    empty = fill_checklists({})
    assert all(one.answered == 0 for one in empty)


def test_latex_tables_hold_the_rows_and_escape_names(configured):
    tables = latex_tables(configured)
    assert set(tables) == {"table_lung.tex", "table_oesophagus.tex"}
    text = tables["table_lung.tex"]
    row = next(row for row in configured.tables["lung"].to_dict("records") if row["method"] == "proposed")
    assert f"Proposed & class label + one point & none & {row['dice_mean']:.2f} $\\pm$ {row['dice_sd']:.2f}" in text
    assert text.count("\\\\") == 1 + 6
    assert text.count("&") == 7 * 4
    assert escaped("50 % of a_b & {c} < d ± 1") == r"50 \% of a\_b \& \{c\} $<$ d $\pm$ 1"
    assert "Accuracy" not in latex_table(configured, "lung")
