"""The outcome tables' schema in the guide is what the stage writes."""

import re
from pathlib import Path

import pytest

from pointpet.pipeline import outcome_tables

GUIDE = Path(__file__).parents[2] / "docs" / "file-formats.md"


def described(title: str) -> set[str]:
    part = GUIDE.read_text("utf-8").split("\n### tables/outcome.csv\n")[1].split("\n## ")[0]
    if title == "outcome.csv":
        part = part.split("| Further table |")[0]
    else:
        part = next(line for line in part.splitlines() if line.startswith(f"| `{title}`"))
    return set(re.findall(r"`([^`]+)`", part))


KEY = {"method", "label", "endpoint"}


@pytest.mark.parametrize(
    ("title", "columns", "known"),
    [
        ("outcome.csv", outcome_tables.OUTCOME_COLUMNS, set()),
        ("outcome_models.csv", outcome_tables.MODEL_COLUMNS, KEY | {"events"}),
        ("outcome_folds.csv", outcome_tables.FOLD_COLUMNS, KEY | {"model"}),
        ("outcome_sites.csv", outcome_tables.SITE_COLUMNS, KEY),
        ("survival.csv", outcome_tables.SURVIVAL_COLUMNS, set()),
        ("survival_groups.csv", outcome_tables.RISK_COLUMNS, KEY),
    ],
)
def test_every_column_is_described(title, columns, known):
    named = described(title)
    # Measures stand in the class tables' section; the limits of an interval are named by their endings.
    measures = {f"{name}_{part}" for name in outcome_tables.OUTCOME_MEASURES for part in ("mean", "sd", "lo", "hi")}
    endings = {f"{name}{end}" for name in ("concordance", "hazard_ratio") for end in named if end.startswith("_")}
    assert set(columns) - known - named - measures - endings == set()
