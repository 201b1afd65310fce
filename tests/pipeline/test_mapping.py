import os

import pytest

from pointpet.core import Case
from pointpet.pipeline.mapping import attempt, default_workers, map_tasks


@pytest.mark.parametrize("workers", [1, 2])
def test_one_failure_leaves_the_others_untouched(workers):
    """Building a case fails for a bad id as foreseen, and for a number as a defect would."""
    reports = []
    tasks = map_tasks(Case, ["A", "../x", "B", 5], workers=workers, report=lambda *args: reports.append(args))
    found = {item: (result, error) for item, result, error in tasks}
    assert found["A"][0].case_id == "A"
    assert found["B"][0].case_id == "B"
    assert found["A"][1] is None
    assert found["../x"][1].code == "PP-COHORT-ID"
    assert "got '../x'" in str(found["../x"][1])
    assert found[5][1].code == "PP-INTERNAL"
    assert "TypeError" in str(found[5][1])
    assert reports[-1][:2] == (4, 4)


@pytest.mark.parametrize("workers", [1, 2, "tcp://127.0.0.1:1"])
def test_no_task_needs_nobody(workers):
    assert list(map_tasks(Case, [], workers=workers)) == []


def test_a_defect_is_raised_where_a_developer_asks_for_it(monkeypatch):
    monkeypatch.setenv("POINTPET_TRACEBACK", "1")
    with pytest.raises(TypeError):
        attempt(Case, 5)


def test_never_more_processes_than_tasks():
    assert default_workers(1) == 1
    assert default_workers(1000) >= 1
    pids = {result for _, result, _ in map_tasks(_pid, [1, 2], workers=50)}
    assert len(pids) == 2


def _pid(_: int) -> int:
    return os.getpid()
