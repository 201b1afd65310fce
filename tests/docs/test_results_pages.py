"""What the overview of the results claims stands on the pages that it names."""

import re
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "docs" / "results"
ROWS = re.findall(
    r"^\| (?P<question>[^|]+) \| [^|]* \| (?P<measured>[^|]+) \| \[[^]]+\]\((?P<page>[^)]+)\) \|$",
    (RESULTS / "accuracy.md").read_text("utf-8"),
    flags=re.MULTILINE,
)


def test_the_overview_has_rows():
    assert len(ROWS) >= 8


@pytest.mark.parametrize(("question", "measured", "page"), ROWS)
def test_each_figure_stands_on_its_page(question, measured, page):
    figures = re.findall(r"[−+]?\d+(?:\.\d+)?(?: %)?", measured)
    assert figures, f"{question} claims nothing"
    content = (RESULTS / page).read_text("utf-8")
    missing = [figure for figure in figures if not re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.]\d)", content)]
    assert not missing, f"{page} does not say {missing}"
