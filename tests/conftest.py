"""Fixtures that more than one kind of test needs."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import URL

from shared.artifacts.local import LocalArtifacts
from shared.records import Records, migrate
from shared.settings import Settings
from tests.fixtures.homes import runtime_of
from tests.fixtures.postgres import ON_BOTH, new_database, running_postgres
from tests.fixtures.valkey import running_valkey
from worker.runtime import DRAINING, Runtime


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make fuzz` say how many requests it wants."""
    parser.addoption("--cases", type=int, help="Requests that test_contract.py makes.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests on both databases that are marked so and use one."""
    marked = metafunc.definition.get_closest_marker(ON_BOTH.name) is not None
    if marked and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """One server for the whole run; each test gets a database of its own through `database`."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the newest tables; each test copies it, rather than migrate its own."""
    file = tmp_path_factory.mktemp("migrated") / "toile.sqlite3"
    _migrate(URL.create("sqlite", database=str(file)))
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres: URL) -> Iterator[URL]:
    """The same on the PostgreSQL server."""
    with new_database(postgres) as url:
        _migrate(url)
        yield url


def _migrate(url: URL) -> None:
    with closing(Records(url)) as opened:
        migrate.upgrade(opened)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[URL | None]:
    """Where the rows are: None for SQLite in the test's own folder, which is usual.

    Tests that are to hold on PostgreSQL too are marked with `ON_BOTH`.
    """
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
        return
    like = request.getfixturevalue("migrated_postgres")
    with new_database(request.getfixturevalue("postgres"), like=like) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, valkey_url: str, database: URL | None) -> Settings:
    address = None if database is None else database.render_as_string(hide_password=False)
    return Settings(
        home=tmp_path / "var",
        database_url=None if address is None else SecretStr(address),
        redis_url=valkey_url,
        lease_seconds=2,
        heartbeat_seconds=0.2,
        retry_delay_seconds=0.01,
        max_attempts=3,
    )


@pytest.fixture
def records(settings: Settings, migrated: Path) -> Iterator[Records]:
    if settings.database_url is None:
        settings.home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated, str(settings.database.database))
    opened = Records(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def runtime(
    settings: Settings, records: Records, redis: Redis, tmp_path: Path
) -> Iterator[Runtime]:
    DRAINING.clear()
    yield runtime_of(settings, records, LocalArtifacts(tmp_path / "artifacts"), redis)
    DRAINING.clear()
