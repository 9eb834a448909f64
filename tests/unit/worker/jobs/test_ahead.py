"""Claiming ahead of the device."""

import threading
import time
from collections.abc import Sequence

from shared.records import Records
from shared.schemas.jobs import JobRecord
from tests.fixtures.rows import a_design_job, a_release, a_site
from worker.jobs.ahead import Ahead

RELEASE = "rel_1"


class Claims:
    """Gives one job a claim, each claim taking as long as it is told, and says when it began."""

    def __init__(self, job: JobRecord, *, seconds: float = 0.0) -> None:
        self.job = job
        self.seconds = seconds
        self.times: list[float] = []
        self.called = threading.Event()

    def __call__(self) -> Sequence[JobRecord]:
        self.times.append(time.monotonic())
        self.called.set()
        time.sleep(self.seconds)
        return [self.job]


class Waits:
    """A publisher that is behind until it is asked to catch up."""

    def __init__(self, *, behind: bool = False) -> None:
        self.behind = behind
        self.caught_up = 0

    def is_behind(self) -> bool:
        return self.behind

    def catch_up(self) -> None:
        self.caught_up += 1
        self.behind = False


def a_job(records: Records) -> JobRecord:
    site = a_site(records)
    return a_design_job(records, site, a_release(records, site).id)


def test_the_first_batches_are_claimed_when_the_device_is_free(records: Records) -> None:
    claims = Claims(a_job(records))
    with Ahead(claims, Waits()) as ahead:
        assert ahead.take() == [claims.job]
        ahead.begin(RELEASE)  # how long a pass takes is not known yet
        assert not ahead.has_more
        ahead.passed(RELEASE, 1.0)


def test_the_next_batch_is_claimed_late_in_a_pass(records: Records) -> None:
    claims = Claims(a_job(records), seconds=0.01)
    with Ahead(claims, Waits()) as ahead:
        ahead.take()
        ahead.passed(RELEASE, 0.4)
        began = time.monotonic()
        ahead.begin(RELEASE)
        assert ahead.has_more
        assert ahead.take() == [claims.job]
    assert claims.times[1] - began > 0.2
    assert len(claims.times) == 2


def test_a_pass_that_ends_sooner_than_usual_waits_for_nothing(records: Records) -> None:
    claims = Claims(a_job(records))
    with Ahead(claims, Waits()) as ahead:
        ahead.take()
        ahead.passed(RELEASE, 60.0)
        claims.called.clear()
        ahead.begin(RELEASE)
        ahead.passed(RELEASE, 0.01)
        assert claims.called.wait(10)
        assert ahead.take() == [claims.job]


def test_nothing_is_claimed_ahead_while_made_batches_wait(records: Records) -> None:
    claims = Claims(a_job(records))
    publisher = Waits()
    with Ahead(claims, publisher) as ahead:
        ahead.take()
        ahead.passed(RELEASE, 0.01)
        publisher.behind = True
        ahead.begin(RELEASE)
        time.sleep(0.1)
        assert len(claims.times) == 1


def test_nothing_is_claimed_at_all_before_the_publisher_has_caught_up(records: Records) -> None:
    publisher = Waits(behind=True)
    found: list[bool] = []

    def claim() -> Sequence[JobRecord]:
        found.append(publisher.behind)
        return [job]

    job = a_job(records)
    with Ahead(claim, publisher) as ahead:
        assert ahead.take() == [job]
    assert found == [False]
    assert publisher.caught_up == 1


def test_where_nothing_was_left_ahead_it_is_looked_for_again() -> None:
    looked: list[int] = []

    def claim() -> Sequence[JobRecord]:
        looked.append(1)
        return []

    with Ahead(claim, Waits()) as ahead:
        assert list(ahead.take()) == []
    assert looked == [1]
