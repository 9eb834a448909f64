"""Fixtures that more than one kind of test needs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from shared.artifacts.local import LocalArtifacts
from shared.queue.pace import Paces
from shared.queue.sender import Sender
from shared.queue.status import StatusBoard
from shared.records import Records, migrate
from shared.settings import Settings
from tests.fixtures.valkey import running_valkey
from worker.runtime import DRAINING, Runtime


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """One server for the whole run; each test gets it empty through `redis`."""
    with running_valkey() as url:
        yield url


@pytest.fixture
def redis(valkey_url: str) -> Iterator[Redis]:
    with Redis.from_url(valkey_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def settings(tmp_path: Path, valkey_url: str) -> Settings:
    return Settings(
        home=tmp_path / "var",
        redis_url=valkey_url,
        lease_seconds=2,
        heartbeat_seconds=0.2,
        retry_delay_seconds=0.01,
        max_attempts=3,
    )


@pytest.fixture
def records(settings: Settings) -> Iterator[Records]:
    opened = Records(settings.database)
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def runtime(
    settings: Settings, records: Records, redis: Redis, tmp_path: Path
) -> Iterator[Runtime]:
    DRAINING.clear()
    yield Runtime(
        settings=settings,
        records=records,
        store=LocalArtifacts(tmp_path / "artifacts"),
        sender=Sender.from_settings(settings),
        board=StatusBoard(redis),
        paces=Paces(redis),
        redis=redis,
        worker="tester:1",
    )
    DRAINING.clear()
