"""Waiting for jobs to end."""

import threading
import time
from datetime import timedelta

from shared.jobs import lifecycle
from shared.records import Records
from shared.schemas.jobs import JobRecord
from tests.fixtures.rows import a_design_job, a_release, a_site
from web.endings import Endings


def a_job(records: Records) -> JobRecord:
    site = a_site(records)
    return a_design_job(records, site, a_release(records, site).id)


def test_all_who_wait_for_a_job_are_woken_when_it_is_over(records: Records) -> None:
    job, endings = a_job(records), Endings(records)
    waiters = [threading.Thread(target=endings.wait, args=(job.id, 30)) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    time.sleep(0.05)
    assert all(waiter.is_alive() for waiter in waiters)
    with records.transaction() as tx:
        lifecycle.request_cancel(tx, job.id, site_id=job.site_id)
    for waiter in waiters:
        waiter.join(10)
    assert not any(waiter.is_alive() for waiter in waiters)


def test_a_wait_ends_with_its_time_and_leaves_no_thread(records: Records) -> None:
    job, endings = a_job(records), Endings(records)
    with records.transaction() as tx:
        lifecycle.claim(tx, job.id, worker="w", lease=timedelta(60), max_attempts=3)
    endings.wait(job.id, 0.03)
    deadline = time.monotonic() + 10
    while any(thread.name == "endings" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_job_that_is_over_is_not_waited_for(records: Records) -> None:
    job, endings = a_job(records), Endings(records)
    with records.transaction() as tx:
        lifecycle.request_cancel(tx, job.id, site_id=job.site_id)
    began = time.monotonic()
    endings.wait(job.id, 60)
    assert time.monotonic() - began < 30
