"""Workers as real processes: drained from afar, grown too large, and stuck."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from shared.jobs import lifecycle
from shared.queue.app import create_app
from shared.queue.drains import Drains
from shared.queue.presence import Heard, Presence, Taking
from shared.queue.pulse import Pulse
from shared.queue.sender import Sender
from shared.records import Records, designs, jobs
from shared.schemas.jobs import JobRecord, JobState
from tests.fixtures.odd import HUNGRY, SLOW
from tests.fixtures.rows import a_design_job, a_release, a_site
from tests.fixtures.stack import Stack, migrated_stack
from worker.announcing import STUCK

pytestmark = pytest.mark.timeout(180)

ODD = "tests.fixtures.odd_worker"
MEMORY = 700 * 2**20
LEASE = 30


class House:
    """A stack with one odd generation worker, seen from outside."""

    def __init__(self, stack: Stack, records: Records, redis: Redis) -> None:
        self.stack, self.records = stack, records
        self.presence = Presence(redis, seconds=stack.settings.worker_grace_seconds)
        self.drains = Drains(redis)
        self.site = a_site(records)
        self.release = a_release(records, self.site).id
        self.sender = Sender.from_settings(stack.settings)

    def start(self) -> None:
        self.stack.start("generate", app=ODD)
        self.stack.wait_for_workers("generate")

    def ask(self, *seeds: int) -> list[JobRecord]:
        made = [a_design_job(self.records, self.site, self.release, seed=seed) for seed in seeds]
        self.sender.hint_release(self.release, again=True)
        return made

    def now(self, job: JobRecord) -> JobRecord:
        with self.records.reading() as tx:
            return jobs.get(tx, job.id)

    def wait(self, holds: Callable[[], Any], *, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.stack.log("generate")
            time.sleep(0.05)

    def is_over(self, job: JobRecord) -> bool:
        return self.now(job).state.is_final

    def pictures(self, job: JobRecord) -> int:
        with self.records.reading() as tx:
            return len(designs.of_job(tx, job.id))

    def worker(self) -> Heard | None:
        return next(iter(self.presence.everyone()), None)

    def taking(self) -> Taking | None:
        found = self.worker()
        return None if found is None else found.offer.taking


@pytest.fixture
def house(tmp_path: Path, valkey_url: str, redis: Redis) -> Iterator[House]:
    settings = {
        "worker_memory": MEMORY, "consumer_seconds": 4, "lease_seconds": LEASE,
        "heartbeat_seconds": 1, "log_level": "info",
    }  # fmt: skip
    with (
        migrated_stack(tmp_path, valkey_url, **settings) as stack,
        closing(Records(stack.settings.database)) as records,
    ):
        yield House(stack, records, redis)


def test_a_worker_drains_from_afar_stays_drained_and_works_again(
    house: House, redis: Redis
) -> None:
    house.start()
    (slow,) = house.ask(SLOW)
    house.wait(lambda: house.now(slow).state is JobState.RUNNING)
    worker = house.worker()
    assert worker is not None
    house.drains.ask([worker.name])
    house.wait(lambda: house.taking() is Taking.DRAINED)
    assert house.now(slow).state is JobState.SUCCEEDED, "what was in hand is finished"

    (late,) = house.ask(1)
    redis.client_kill_filter(_type="normal", skipme=True)  # Celery connects anew
    time.sleep(2)
    assert house.now(late).state is JobState.QUEUED
    house.stack.kill("generate")
    house.start()  # as a supervisor would
    house.wait(lambda: house.taking() is Taking.DRAINED)
    time.sleep(1)
    assert house.now(late).state is JobState.QUEUED

    redis.client_kill_filter(_type="normal", skipme=True)
    house.drains.undo([worker.name])
    house.wait(lambda: house.is_over(late))
    assert house.now(late).state is JobState.SUCCEEDED
    assert house.taking() is Taking.WORK


def test_what_takes_too_much_memory_ends_alone_and_its_neighbours_are_made(house: House) -> None:
    neighbours = house.ask(*range(5))
    (hungry,) = house.ask(HUNGRY)
    house.start()
    house.wait(lambda: all(map(house.is_over, (*neighbours, hungry))), seconds=120)
    ended = house.now(hungry)
    assert (ended.state, ended.reason, ended.attempts) == (JobState.FAILED, "out_of_memory", 2)
    assert ended.error is not None
    assert ended.error["details"]["used_bytes"] > ended.error["details"]["limit_bytes"] == MEMORY
    assert "700 MiB" in ended.error["message"]
    for job in neighbours:
        assert house.now(job).state is JobState.SUCCEEDED
        assert house.pictures(job) == 1
        assert house.now(job).attempts <= 2
    assert house.stack.processes["generate"].poll() is None, "the worker itself goes on"


def test_a_child_that_dies_gives_its_job_back_before_the_lease_is_over(house: House) -> None:
    house.start()
    (job,) = house.ask(SLOW)
    house.wait(lambda: house.now(job).state is JobState.RUNNING)
    os.kill(int(str(house.now(job).owner).rpartition(":")[2]), signal.SIGKILL)
    house.wait(lambda: house.now(job).state is JobState.QUEUED, seconds=LEASE)
    assert house.now(job).reason == "lost_worker"
    time.sleep(house.stack.settings.retry_delay_seconds)
    house.sender.hint_release(house.release, again=True)  # as upkeep does
    house.wait(lambda: house.is_over(job))
    assert (house.now(job).state, house.now(job).attempts) == (JobState.SUCCEEDED, 2)


def test_a_member_of_a_running_batch_is_cancelled_at_once_and_alone(house: House) -> None:
    house.start()
    kept, gone = house.ask(SLOW, SLOW + 1)
    house.wait(lambda: house.now(gone).state is JobState.RUNNING)
    began = time.monotonic()
    with house.records.transaction() as tx:
        answer = lifecycle.request_cancel(tx, gone.id, site_id=house.site)
    assert answer.state is JobState.CANCELLED
    assert time.monotonic() - began < 1
    house.wait(lambda: house.is_over(kept))
    assert (house.now(kept).state, house.pictures(kept)) == (JobState.SUCCEEDED, 1)
    assert (house.now(gone).state, house.pictures(gone)) == (JobState.CANCELLED, 0)


def test_a_worker_whose_consumer_stopped_ends_so_that_it_is_started_again(house: House) -> None:
    house.start()
    worker = house.worker()
    assert worker is not None
    assert Pulse(house.stack.settings, worker.name).age() is not None
    for queue in worker.offer.queues:
        control = create_app(house.stack.settings).control
        assert control.cancel_consumer(queue, reply=True, timeout=10, limit=1)
    (waits,) = house.ask(1)
    process = house.stack.processes["generate"]
    house.wait(lambda: process.poll() is not None, seconds=30)
    assert process.returncode == STUCK
    assert "no longer takes work" in house.stack.log("generate")
    assert house.now(waits).state is JobState.QUEUED
    house.stack.processes.pop("generate")
    house.start()
    house.wait(lambda: house.is_over(waits))
    assert json.dumps(house.now(waits).result)
