"""A real prefork worker: a hung child is replaced, and an emptied Redis is filled again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from shared.jobs.submit import enqueue, send
from shared.queue.names import Queue
from shared.records import catalogs, jobs
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.jobs import IngestSpec, JobRecord, JobState, PathSource
from tests.fixtures.rows import a_site
from tests.fixtures.stack import Stack, migrated_stack
from worker.runtime import Runtime, open_runtime

UPKEEP_SECONDS = 2


@pytest.fixture
def stack(tmp_path: Path, valkey_url: str, redis: Redis) -> Iterator[Stack]:  # noqa: ARG001 - empties Redis
    """A stack without beat: who asks for upkeep is the worker itself."""
    with migrated_stack(
        tmp_path, valkey_url, stall_seconds=4, lease_seconds=4, heartbeat_seconds=0.5,
        retry_delay_seconds=0.01, upkeep_seconds=UPKEEP_SECONDS,
    ) as stack:  # fmt: skip
        yield stack


@pytest.fixture
def runtime(stack: Stack) -> Iterator[Runtime]:
    opened = open_runtime(stack.settings)
    yield opened
    opened.records.close()


def ingests(runtime: Runtime, *paths: str) -> list[JobRecord]:
    site = a_site(runtime.records)
    with runtime.records.transaction() as tx:
        made = catalogs.create(tx, site, CatalogRequest(name="summer"))
        specs = [IngestSpec(catalog_id=made.id, source=PathSource(path=one)) for one in paths]
        queued = [enqueue(tx, site, spec) for spec in specs]
    send(runtime.records, runtime.sender, queued)
    return queued


def done(runtime: Runtime, asked: list[JobRecord]) -> list[JobRecord]:
    with runtime.records.reading() as tx:
        rows = [jobs.get(tx, one.id) for one in asked]
    return [one for one in rows if one.state is JobState.SUCCEEDED]


def wait_for(
    runtime: Runtime, stack: Stack, asked: list[JobRecord], count: int, *, seconds: float
) -> float:
    """Return after how long so many of some jobs have succeeded."""
    began = time.monotonic()
    while len(done(runtime, asked)) < count:
        assert time.monotonic() - began < seconds, stack.log("chores")
        time.sleep(0.1)
    return time.monotonic() - began


def test_a_hung_child_is_replaced_and_its_job_made_by_another(
    runtime: Runtime, stack: Stack
) -> None:
    hung, *others = ingests(runtime, "/hang", "/well", "/well")
    stack.start("chores", app="tests.fixtures.slow_chores")
    wait_for(runtime, stack, [hung, *others], 3, seconds=100)
    (row,) = done(runtime, [hung])
    assert (row.attempts, row.result) == (2, {"attempts": 2})
    with runtime.records.reading() as tx:
        first, second = jobs.attempts_at(tx, hung.id)
    assert (first.outcome, second.outcome) == ("stalled", "succeeded")
    assert "in _ingest" in (stack.folder / "chores.log").read_text()


def test_when_redis_is_emptied_all_that_was_queued_is_made_soon(
    runtime: Runtime, stack: Stack, redis: Redis
) -> None:
    stack.start("chores", app="tests.fixtures.slow_chores")
    stack.wait_for_workers("chores", seconds=100)
    asked = ingests(runtime, *["/well"] * 30)
    wait_for(runtime, stack, asked, 2, seconds=60)
    redis.flushall()
    assert redis.llen(Queue.CHORES) == 0
    time.sleep(1.5)  # what was in hand is through
    left = len(asked) - len(done(runtime, asked))
    assert left > 5, "nothing was lost, so nothing is shown"
    assert wait_for(runtime, stack, asked, len(asked) - left + 1, seconds=60) < 15
    wait_for(runtime, stack, asked, len(asked), seconds=60)
    with runtime.records.reading() as tx:
        assert all(len(jobs.attempts_at(tx, one.id)) == 1 for one in asked)
