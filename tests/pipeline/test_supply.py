"""How items are handed out: one by one until it is known how long one takes, then as much as fits."""

import pytest

from pointpet.pipeline.supply import FEWEST, MOST_TOGETHER, Supply


def sizes(given: Supply) -> list[int]:
    return [len(batch) for batch in given.batches()]


def paced(seconds: float, items: int = 10_000, workers: int = 2) -> Supply:
    """A supply that knows how long an item takes, with nothing under way."""
    given = Supply(range(items))
    given.workers = workers
    for _ in sizes(given):
        given.ended(1, seconds)
    return given


@pytest.mark.parametrize(("workers", "batches"), [(0, FEWEST), (2, FEWEST), (10, 40)])
def test_at_first_items_go_one_by_one(workers, batches):
    given = Supply(range(500))
    given.workers = workers
    assert sizes(given) == [1] * batches


def test_a_few_items_are_a_few_batches():
    assert sizes(Supply(range(3))) == [1] * 3


@pytest.mark.parametrize(("seconds", "together"), [(0.001, MOST_TOGETHER), (0.19, 5), (0.6, 1), (60.0, 1)])
def test_then_as_many_as_make_one_second(seconds, together):
    assert sizes(paced(seconds)) == [together] * FEWEST


def test_the_pace_follows_the_latest():
    given = paced(0.01)
    for _ in range(20):
        given.ended(16, 16 * 2.0)
    assert set(sizes(given)) == {1}


def test_workers_that_join_are_given_work_and_those_that_leave_none():
    given = Supply(range(10_000))
    assert len(sizes(given)) == FEWEST
    given.workers = 30
    assert len(sizes(given)) == 4 * 30 - FEWEST
    given.workers = 2
    for _ in range(4 * 30 - FEWEST):
        given.ended(1, 9.0)
        assert sizes(given) == []
    given.ended(1, 9.0)
    assert sizes(given) == [1]


def test_all_goes_out_once():
    given, seen = Supply(range(1003)), []
    waiting = list(given.batches())
    while waiting:
        assert len(waiting) <= FEWEST
        batch = waiting.pop(0)
        seen += batch
        given.ended(len(batch), 0.001 * len(batch))
        waiting += given.batches()
    assert seen == list(range(1003))


def test_towards_the_end_no_worker_idles_while_another_has_several():
    given = sizes(paced(0.001, items=100, workers=4))
    assert given == sorted(given, reverse=True)
    assert given[0] > 8
    assert max(given[-4:]) <= 2


def test_what_is_lost_makes_room_and_says_nothing_of_the_pace():
    given = Supply(range(100))
    assert sizes(given) == [1] * FEWEST
    given.ended(1, None)
    assert sizes(given) == [1]
