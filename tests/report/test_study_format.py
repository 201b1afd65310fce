"""The study folder's schema in the guide is what the code writes and reads."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from pointpet.core import Lesion
from pointpet.evaluate.annotation_budget import BUDGET_COLUMNS
from pointpet.evaluate.case_measures import MEASURES
from pointpet.evaluate.confidence import Scaling
from pointpet.evaluate.summary import COMPARISON_COLUMNS, TABLE_COLUMNS
from pointpet.evaluate.trust import CONFIDENCE_COLUMNS, TRUST_COLUMNS
from pointpet.pipeline.confidence import FOUND, NAMED, Calibration
from pointpet.report.render import render_report

GUIDE = Path(__file__).parents[2] / "docs" / "file-formats.md"


@pytest.fixture(scope="module")
def guide() -> str:
    return GUIDE.read_text("utf-8").split("\n## Study folder\n")[1].split("\n## ")[0]


def names(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def part(guide: str, title: str) -> str:
    return guide.split(f"\n### {title}\n")[1].split("\n### ")[0]


def test_the_segmentation_table_is_described(guide):
    described = names(part(guide, "tables/segmentation.csv"))
    assert {"method", "label", "case_id", "fold", *MEASURES} <= described


def test_the_tables_of_a_class_are_described(guide):
    described = names(part(guide, "tables/table_LABEL.csv"))
    measures = {column.removesuffix("_mean") for column in TABLE_COLUMNS if column.endswith("_mean")}
    assert measures <= described
    assert {column for column in TABLE_COLUMNS if not re.search("_(mean|sd|lo|hi)$", column)} <= described


def test_the_comparisons_are_described(guide):
    assert set(COMPARISON_COLUMNS) <= names(part(guide, "tables/comparisons.csv"))


def test_the_record_is_described(guide, study_template):
    record = json.loads((study_template / "study.json").read_text())
    described = names(part(guide, "study.json"))
    flow = record["flow"]
    summary = flow["acquisition"]
    parts = (flow, flow["excluded"][0], summary, summary["measures"], summary["measures"]["liver_suv"])
    for keys in (record, record["methods"][0], record["cohort"], record["failures"][0], *parts):
        assert set(keys) <= described


def test_a_result_is_described(guide, study_template):
    result = json.loads((study_template / "predictions" / "proposed" / "P000" / "result.json").read_text())
    described = names(part(guide, "result.json of a study"))
    assert set(result) <= described
    assert set(Lesion.__dataclass_fields__) <= described


def test_the_figures_are_described(guide, study):
    render_report(study)
    assert {path.stem for path in (study / "figures").iterdir()} <= names(guide)


def test_the_annotation_budget_is_described(guide):
    assert set(BUDGET_COLUMNS) <= names(part(guide, "tables/annotation_budget.csv"))


def test_confidence_is_described(guide):
    assert set(CONFIDENCE_COLUMNS) <= names(part(guide, "tables/confidence.csv"))
    assert set(TRUST_COLUMNS) <= names(part(guide, "tables/risk_coverage.csv"))
    model_file = GUIDE.read_text("utf-8").split("\n## confidence.json\n")[1].split("\n## ")[0]
    described = names(model_file)
    assert {field.name for cls in (Calibration, Scaling) for field in fields(cls)} <= described
    assert {FOUND, NAMED} <= described
