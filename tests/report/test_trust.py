from dataclasses import replace

import pandas as pd
import pytest

from pointpet.report.study_folder import read_study
from pointpet.report.trust import COLUMNS, mean_confidence, risk_curves, trust_rows, trust_sentence


@pytest.fixture(scope="module")
def found(study_template):
    return read_study(study_template)


def test_rows_and_sentence_hold_the_tables_figures(found):
    rows = trust_rows(found)
    assert [row[:2] for row in rows[:3]] == [
        ("Proposed", "all classes"), ("Proposed", "lung"), ("Proposed", "oesophagus"),
    ]  # fmt: skip
    assert all(len(row) == len(COLUMNS) for row in rows)
    first = found.optional("risk_coverage").iloc[0]
    assert rows[0][3:5] == (f"{first['area']:.2f}", f"{first['random']:.2f}")
    assert f"is {first['area']:.2f} instead of {first['random']:.2f}" in trust_sentence(found, "proposed")


def test_the_figure_names_the_methods_with_a_confidence(found):
    svg = risk_curves(found).svg
    assert "Proposed" in svg
    assert "CAMs alone" in svg
    assert "SUV 2.5" not in svg


def test_a_case_has_its_confidence(found):
    row = found.optional("confidence").iloc[0]
    assert mean_confidence(found, row["method"], row["case_id"]) == pytest.approx(row["confidence"])
    assert mean_confidence(found, "suv25", row["case_id"]) is None


def test_a_study_without_confidence_has_none_of_it(found):
    bare = replace(found, optional_tables={})
    assert trust_rows(bare) == []
    assert trust_sentence(bare, "proposed") == ""
    assert risk_curves(bare) is None


def test_nothing_failed_is_said(found):
    table = found.optional("risk_coverage").assign(failures=0)
    perfect = replace(found, optional_tables={"risk_coverage": pd.DataFrame(table)})
    assert trust_sentence(perfect, "proposed").endswith("; nothing failed.")
