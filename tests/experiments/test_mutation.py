"""The mutation score counts what it says."""

from collections import Counter

import pytest

pytest.importorskip("mutmut")


def test_a_score_counts_what_was_noticed_and_nothing_else(experiment):
    mutation = experiment("mutation")
    counts = Counter({"killed": 70, "timeout": 8, "segfault": 2, "survived": 15, "no tests": 4, "suspicious": 1})
    score = mutation.Score("core", 500, counts, ())
    assert (score.tried, score.noticed) == (100, 80)
    # Wilson's interval of 80 of 100: 0.711 to 0.867.
    assert mutation.row_of(score) == ["`core`", "500", "100", "80", "4", "80 % (71 to 87)"]


def test_the_copy_holds_the_code_and_the_tests_of_one_package(experiment, tmp_path):
    mutation = experiment("mutation")
    mutation.copy_tree("project", tmp_path / "p")
    assert (tmp_path / "p" / "src" / "pointpet" / "learn" / "train.py").is_file()
    assert sorted(path.name for path in (tmp_path / "p" / "tests").iterdir()) == ["conftest.py", "project"]
    assert 'only_mutate = ["src/pointpet/project/*"]' in (tmp_path / "p" / "pyproject.toml").read_text()
