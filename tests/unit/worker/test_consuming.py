"""Whether a worker still takes what waits: judged from glimpses, with a clock of the test's own."""

from shared.queue.presence import Doing, Taking
from worker.consuming import Glimpse, Watch

BUSY = (Doing(task="train", subject="job_1", seconds=1),)


def looks(watch: Watch, *seen: tuple[float, Glimpse, int | None]) -> list[bool]:
    return [watch.look(one, now=now, waiting=waiting) is not None for now, one, waiting in seen]


def test_messages_that_wait_while_a_worker_is_idle_and_takes_none_are_its_end() -> None:
    watch = Watch(limit=10)
    seen = [(now, Glimpse(at=now, accepted=3), 2) for now in (0.0, 5.0, 10.0, 16.0)]
    assert looks(watch, *seen) == [False, False, False, True]


def test_a_worker_in_a_long_training_is_well_however_much_waits() -> None:
    watch = Watch(limit=10)
    seen = [(now, Glimpse(at=now, accepted=3, doing=BUSY), 50) for now in range(0, 10_000, 5)]
    assert not any(looks(watch, *seen))


def test_a_worker_that_takes_its_part_of_a_queue_that_is_never_empty_is_well() -> None:
    watch = Watch(limit=10)
    seen = [(now, Glimpse(at=now, accepted=int(now // 8)), 500) for now in range(0, 200, 5)]
    assert not any(looks(watch, *seen))


def test_an_empty_queue_in_between_begins_the_count_anew() -> None:
    watch = Watch(limit=10)
    waiting = [3, 3, 0, 3, 3]
    seen = [(5.0 * n, Glimpse(at=5.0 * n), each) for n, each in enumerate(waiting)]
    assert not any(looks(watch, *seen))


def test_a_drained_worker_leaves_what_waits_and_is_well() -> None:
    watch = Watch(limit=10)
    seen = [(now, Glimpse(at=now, taking=Taking.DRAINED), 9) for now in range(0, 100, 5)]
    assert not any(looks(watch, *seen))


def test_a_loop_that_turns_no_more_is_the_end_even_with_work_in_hand() -> None:
    watch = Watch(limit=10)
    stuck = Glimpse(at=1.0, doing=BUSY)
    assert looks(watch, (2.0, stuck, 0), (9.0, stuck, 0), (13.0, stuck, 0)) == [False, False, True]


def test_time_without_redis_does_not_count() -> None:
    watch = Watch(limit=10)
    stuck = Glimpse(at=0.0)
    seen = [(1.0, stuck, 4), (5.0, stuck, None), (100.0, stuck, 4), (105.0, stuck, 4)]
    assert not any(looks(watch, *seen))
    assert looks(watch, (111.0, stuck, 4)) == [True]
