"""Ratios, goals and the command."""

import json
import os
import subprocess
import sys

import pytest

from pointpet.bench.rows import COMPARISONS, MEMORY_GOAL_MB, judged, measure, table_rows

BY_NAME = {comparison.name: comparison for comparison in COMPARISONS}


def test_higher_is_better_where_the_peer_stands_above() -> None:
    row = judged(BY_NAME["mips_vs_monai"], 0.01, 1.5, 100)
    assert row["ratio"] == pytest.approx(150)
    assert row["met"]
    assert not judged(BY_NAME["mips_vs_monai"], 0.02, 1.5, 100)["met"]


def test_lower_is_better_where_we_stand_above() -> None:
    row = judged(BY_NAME["prepare_vs_floor"], 0.12, 0.2, 100)
    assert row["ratio"] == pytest.approx(0.6)
    assert row["met"]
    assert not judged(BY_NAME["prepare_vs_floor"], 0.3, 0.2, 100)["met"]


def test_a_goal_of_time_or_memory_counts_too() -> None:
    predict = BY_NAME["predict_vs_unet3d"]
    assert judged(predict, 0.9, 900, MEMORY_GOAL_MB)["met"]
    assert not judged(predict, 1.1, 900, MEMORY_GOAL_MB)["met"]
    assert not judged(predict, 0.9, 900, MEMORY_GOAL_MB + 1)["met"]


def test_a_row_has_what_the_contract_names(material, small) -> None:
    row = measure(BY_NAME["prepare_vs_floor"], material, small)
    assert {"name", "ratio", "median_s", "peer_s", "rss_mb"} <= row.keys()
    assert row["ratio"] == pytest.approx(row["median_s"] / row["peer_s"])
    assert row["runs"] == 2
    shown = table_rows([row])[0]
    assert shown["name"] == "prepare_vs_floor"
    assert shown["goal"] == "<= 1.1"


@pytest.mark.slow
def test_the_command_measures_all_rows_in_one_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pointpet", "bench", "--quick", "--json"],
        capture_output=True,
        text=True,
        env=os.environ,
        check=True,
    )
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == list(BY_NAME)
    for row in rows:
        assert row["ratio"] > 0
        assert row["rss_mb"] > 0
