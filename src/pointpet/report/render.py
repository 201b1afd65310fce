"""From a study's folder to one HTML file that needs nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pointpet._version import __version__
from pointpet.io.artefacts import write_text
from pointpet.report import failures, headline, outcome_tables, result_tables
from pointpet.report.annotation_budget import COLUMNS as BUDGET_COLUMNS
from pointpet.report.annotation_budget import budget_curves, budget_rows
from pointpet.report.cohort_flow import cohort_flow
from pointpet.report.facts import study_facts
from pointpet.report.figures import draw_figures
from pointpet.report.gallery import build_gallery
from pointpet.report.latex import latex_tables
from pointpet.report.methods_text import methods_paragraphs
from pointpet.report.model_facts import forest_use, gained_by, uses_of_clicks
from pointpet.report.outcome_figures import draw_outcome_figures
from pointpet.report.published import REFERENCE, published_rows
from pointpet.report.reporting_checklists import NOT_PROVIDED, fill_checklists
from pointpet.report.study_folder import Study, read_study
from pointpet.report.trust import COLUMNS as TRUST_COLUMNS
from pointpet.report.trust import risk_curves, trust_rows, trust_sentence
from pointpet.report.wording import MODEL_TITLES, endpoint_title, method_title, number

REPORT_NAME = "report.html"


def render_report(study: Path) -> Path:
    """Write STUDY/report.html, figures/*.svg and tables/table_LABEL.tex from the study's tables, records and pictures.

    Returns:
        The report's path.

    Raises:
        OutputError: the study lacks a file or a column, or the report cannot be written.
    """
    found = read_study(study)
    figures = [*draw_figures(found), *draw_outcome_figures(found)]
    figures += [figure for figure in (budget_curves(found), risk_curves(found)) if figure is not None]
    for figure in figures:
        write_text(study / "figures" / f"{figure.name}.svg", figure.svg)
    for name, text in latex_tables(found).items():
        write_text(study / "tables" / name, text)
    environment = Environment(
        loader=PackageLoader("pointpet.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        **_context(found), figures={figure.name: figure.inline for figure in figures}
    )
    write_text(study / REPORT_NAME, page)
    return study / REPORT_NAME


def _context(study: Study) -> dict[str, Any]:
    record = study.record
    return {
        **_paper_context(study),
        **_outcome_context(study),
        "record": record,
        "version": record.get("pointpet_version", __version__),
        "is_phantom": headline.is_phantom(study),
        "title": record["cohort"].get("name") or "cohort",
        "what_was_done": headline.what_was_done(study),
        "answers": headline.answer_sentences(study),
        "headlines": headline.class_headlines(study),
        "reference": headline.phrase(headline.reference_method(study)),
        "gained_by": gained_by(study),
        "uses_of_clicks": uses_of_clicks(study),
        "has_forest": forest_use(study) is not None,
        "labels": list(study.labels),
        "method_titles": [method_title(name) for name in study.methods],
        "best_auc": [
            (endpoint_title(name), number(value)) for name, value in (record["cohort"].get("best_auc") or {}).items()
        ],
        "folds": _fold_counts(study),
        "flow": cohort_flow(record),
        "main_tables": {label: result_tables.main_rows(study, label) for label in study.labels},
        "has_published": {label: bool(published_rows(label)) for label in study.labels},
        "published_reference": REFERENCE,
        "is_flat": headline.is_flat(study),
        "measure_columns": result_tables.measure_columns(study),
        "measure_tables": {label: result_tables.measure_rows(study, label) for label in study.labels},
        "comparisons": result_tables.comparison_tables(study),
        "comparison_columns": list(result_tables.COMPARISON_COLUMNS),
        "budget": budget_rows(study),
        "budget_columns": list(BUDGET_COLUMNS),
        "annotation_costs": record.get("config", {}).get("annotation_budget", {}),
        "failed_cases": failures.failure_rows(study),
        "failure_columns": list(failures.COLUMNS),
        "failed_dice": failures.FAILED_DICE,
        "trust": trust_rows(study),
        "trust_columns": list(TRUST_COLUMNS),
        "trust_sentence": trust_sentence(study, headline.reference_method(study)),
        "localisation": result_tables.localisation_rows(study),
        "classifiers": result_tables.classifier_rows(study),
        "flags": result_tables.flag_rows(study),
        "training": result_tables.training_rows(study),
        "gallery": build_gallery(study),
        "settings": json.dumps(record.get("config", {}), indent=2, ensure_ascii=False),
        "failures": record.get("failures", []),
        "left_out": record.get("methods_left_out", []),
        "lesion_free": record.get("lesion_free", []),
    }


def _outcome_context(study: Study) -> dict[str, Any]:
    """What is predicted from the masks, and survival."""
    return {
        "has_outcome": {label: result_tables.has_outcome(study, label) for label in study.labels},
        "predicts_outcomes": any(result_tables.has_outcome(study, label) for label in study.labels),
        "endpoints": outcome_tables.endpoint_sections(study),
        "outcome_model": MODEL_TITLES.get(study.record.get("outcome", {}).get("model", ""), ""),
        "endpoint_columns": list(outcome_tables.ENDPOINT_COLUMNS),
        "difference_columns": list(outcome_tables.DIFFERENCE_COLUMNS),
        "has_reference_masks": outcome_tables.has_reference_masks(study),
        "is_alive_asked": any(question["endpoint"] == "survival3y" for question in _questions(study)),
        "model_columns": list(outcome_tables.MODEL_COLUMNS),
        "site_columns": list(outcome_tables.SITE_COLUMNS),
        "survival_columns": list(outcome_tables.SURVIVAL_COLUMNS),
        "survival": outcome_tables.survival_rows(study),
        "survival_reasons": outcome_tables.survival_reasons(study),
        "table_endpoints": {label: result_tables.shown_endpoint(study, label) for label in study.labels},
    }


def _paper_context(study: Study) -> dict[str, Any]:
    """What authors take over: methods, references, checklists."""
    facts = study_facts(study)
    paragraphs, references = methods_paragraphs(facts)
    return {
        "methods_text": paragraphs,
        "references": references,
        "checklists": fill_checklists(facts),
        "not_provided": NOT_PROVIDED,
    }


def _questions(study: Study) -> list[dict[str, Any]]:
    return study.record.get("outcome", {}).get("questions", [])


def _fold_counts(study: Study) -> list[tuple[str, ...]]:
    """Fold, then its cases of each class, then all its cases."""
    labels = dict(zip(study.segmentation["case_id"], study.segmentation["label"], strict=True))
    labels |= dict(zip(study.classification["case_id"], study.classification["truth"], strict=True))
    rows = []
    for fold, cases in study.folds.groupby("fold"):
        names = [labels.get(case_id) for case_id in cases["case_id"]]
        rows.append((str(fold), *(str(names.count(label)) for label in study.labels), str(len(names))))
    return rows
