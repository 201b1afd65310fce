import inspect
from dataclasses import replace

import pytest

from pointpet.pipeline.config import Configuration
from pointpet.report import facts as report_facts
from pointpet.report import model_facts
from pointpet.report.facts import study_facts
from pointpet.report.latex import escaped, latex_table, latex_tables
from pointpet.report.methods_text import REFERENCES, TOPICS, methods_paragraphs, uncited
from pointpet.report.model_facts import ForestUse, forest_use, gained_by
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
    assert "batches of 12 views, 26 to 30 epochs" in other["training"]
    assert other["selection"].startswith("The last epoch was taken.")


def with_trees(study: Study, forests: list[int], *, lesion_free: tuple[str, ...] = (), **candidates: object) -> Study:
    """`study` as if its proposed method had such forests, a fold each."""
    config = study.record["config"]
    methods = [
        {**method, "forest_trees": forests} if method["name"] == "proposed" else method
        for method in study.record["methods"]
    ]
    settings = {**config, "candidates": {**config["candidates"], **candidates}}
    record = {**study.record, "methods": methods, "config": settings, "lesion_free": list(lesion_free)}
    return replace(study, record=record)


def test_the_forest_is_described_as_the_run_used_it(configured):
    found = study_facts(with_trees(configured, [250] * 5, trees=250, near_mm=12.0, class_share=0.25, sigma_mm=15.0))
    model = found["model"]
    assert "a forest of 250 extremely randomised trees [geurts]" in model
    assert (
        "the maxima of what stands out in a scan's uptake, the 160 most conspicuous, each described by 24 numbers"
        in model
    )
    assert "within 12 mm of a click was taken as a lesion of the case's class, one farther than 50 mm" in model
    assert "+ 0.5 log SUV + 4 log p plus 0.25 times the logarithm of the network's class probability" in model
    assert "standard deviation 15 mm" in model
    assert "too few clicks" not in model
    assert "Proposed 91,000 parameters beside the forest's 250 trees" in model
    assert "No ensemble of networks" in found["ensembling"]
    assert "an ensemble of 250 randomised trees" in found["ensembling"]
    assert "The forest learns from all training patients" in found["selection"]
    assert "weighted by the forest's candidates" in found["explainability"]
    assert "[geurts]" not in " ".join(methods_paragraphs(found)[0])


def test_folds_without_a_forest_are_counted(configured):
    assert (
        "In 2 of 5 folds there were too few clicks for it."
        in study_facts(with_trees(configured, [300, 0, 300, 0, 300]))["model"]
    )


def test_folds_without_a_forest_say_why(configured):
    reason = "too little to learn from: 9 of 10 clicks of class lung with a candidate near"
    some = with_reasons(with_trees(configured, [300, 0, 300, 0, 300]), ["", reason, "", reason, ""])
    assert f"In 2 of 5 folds there is none ({reason})." in study_facts(some)["model"]
    fewer = reason.replace("9 of 10", "7 of 10") + ", 12 of 20 candidates of no lesion"
    both = with_reasons(with_trees(configured, [300, 0, 300, 0, 300]), ["", reason, "", fewer, ""])
    assert (
        "In 2 of 5 folds there is none (too little to learn from: 7 to 9 of 10 clicks of class lung with a candidate "
        "near, 12 of 20 candidates of no lesion)."
    ) in study_facts(both)["model"]
    off = with_reasons(with_trees(configured, [0] * 5), ["switched off by localise.agree"] * 5)
    assert "no forest of candidates (switched off by localise.agree)." in study_facts(off)["model"]
    none = with_reasons(with_trees(configured, [0] * 5), [reason] * 5)
    assert f"The proposed method has no forest of candidates ({reason})." in study_facts(none)["model"]


def with_reasons(study: Study, reasons: list[str]) -> Study:
    methods = [
        {**method, "no_forest": reasons} if method["name"] == "proposed" else method
        for method in study.record["methods"]
    ]
    return replace(study, record={**study.record, "methods": methods})


@pytest.mark.parametrize(
    ("trees", "text"),
    [
        ([300] * 5, "the clicks bring, through the forest of candidates"),
        ([0] * 5, "the clicks bring, of which this run made no use"),
    ],
)
@pytest.mark.parametrize("changed", [{"distance": "none"}, {"distance_weight": 0.0}])
def test_a_training_without_distance_loss_is_not_said_to_have_one(configured, trees, text, changed):
    study = with_trees(configured, trees)
    config = study.record["config"]
    record = {**study.record, "config": {**config, "training": {**config["training"], **changed}}}
    study = replace(study, record=record)
    assert gained_by(study) == text
    model = study_facts(study)["model"]
    assert "The proposed method is trained on the classification loss alone, without the distance loss of" in model
    assert "adds to the classification loss" not in model
    assert "a distance loss (reading" in study_facts(with_trees(configured, trees))["model"]


def test_with_controls_the_network_alone_names_the_class(configured):
    model = study_facts(with_trees(configured, [300] * 5, lesion_free=("control",)))["model"]
    assert "those of cases of the class control as none, and all others were left out" in model
    assert "The class is the network's." in model
    assert "softmax" not in model


@pytest.mark.parametrize(("trees", "candidates"), [([0] * 5, {}), ([300] * 5, {"enabled": False})])
def test_without_a_forest_nothing_is_said_of_one(configured, trees, candidates):
    study = with_trees(configured, trees, **candidates)
    found = study_facts(study)
    assert "adds to the classification loss a distance loss" in found["model"]
    assert "forest" not in found["model"] + found["selection"] + found["explainability"]
    assert found["ensembling"].startswith("No ensemble: one model a fold")
    assert gained_by(study) == "the distance loss brings"


def test_a_study_that_does_not_say_which_folds_have_a_forest_is_taken_at_its_settings(configured, study_template):
    def changed(**record: object) -> Study:
        return replace(configured, record={**configured.record, **record})

    assert forest_use(configured) == ForestUse(trees=300, with_forest=5, folds=5)
    assert gained_by(configured) == "the clicks bring, through the distance loss and through the forest of candidates"
    cohort, config = configured.record["cohort"], configured.record["config"]
    assert forest_use(changed(cohort={**cohort, "pictures": cohort["cases"]})) is None
    assert forest_use(changed(config={**config, "localise": {**config["localise"], "agree": False}})) is None
    assert forest_use(read_study(study_template)) is None


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
    source = inspect.getsource(report_facts) + inspect.getsource(model_facts)
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
