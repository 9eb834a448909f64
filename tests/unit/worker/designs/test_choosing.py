from datetime import UTC, datetime, timedelta

from shared.records.waiting import Group
from worker.designs.choosing import HEAD_START, by_turn

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def group(
    release: str, *, priority: int = 1, waited: float, served: float | None = None, site: str = "a"
) -> Group:
    return Group(
        release_id=release,
        priority=priority,
        site_id=site,
        since=NOW - timedelta(seconds=waited),
        weight=1,
        deficit=0,
        served_at=None if served is None else NOW - timedelta(seconds=served),
    )


def test_the_longest_waiting_release_comes_first() -> None:
    assert by_turn([group("new", waited=1), group("old", waited=9)], ()) == ["old", "new"]


def test_a_release_in_memory_goes_before_one_that_waited_a_little_longer() -> None:
    little = HEAD_START.total_seconds() / 2
    waiting = [group("cold", waited=5 + little), group("warm", waited=5)]
    assert by_turn(waiting, {"warm"})[0] == "warm"


def test_a_release_in_memory_does_not_keep_another_waiting_for_long() -> None:
    long = HEAD_START.total_seconds() * 2
    waiting = [group("cold", waited=5 + long), group("warm", waited=5)]
    assert by_turn(waiting, {"warm"})[0] == "cold"


def test_an_urgent_job_goes_before_all_that_waited_longer() -> None:
    waiting = [group("bulk", priority=2, waited=900), group("urgent", priority=0, waited=0.1)]
    assert by_turn(waiting, {"bulk"})[0] == "urgent"


def test_a_release_with_an_urgent_job_among_others_is_urgent() -> None:
    waiting = [
        group("mixed", priority=2, waited=900),
        group("mixed", priority=0, waited=1, site="b"),
        group("other", priority=1, waited=500),
    ]
    assert by_turn(waiting, ()) == ["mixed", "other"]


def test_a_queue_that_never_empties_does_not_hold_the_others_up() -> None:
    waiting = [group("flood", waited=900, served=0.5), group("small", waited=3)]
    assert by_turn(waiting, ())[0] == "small"
