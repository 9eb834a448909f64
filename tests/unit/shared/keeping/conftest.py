import shutil
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path

import pytest
from sqlalchemy import URL

from shared.artifacts import ArtifactStore, open_store
from shared.keeping.checked import CheckedStore
from shared.keeping.opening import open_checked
from shared.keeping.verifying import Verifier
from shared.records import Records, migrate
from shared.settings import Settings
from tests.fixtures.shop import Shop, fill_shop


def fill(settings: Settings) -> Shop:
    """Make a site with everything in it, all of its hashes written down."""
    with closing(Records(settings.database)) as records:
        migrate.upgrade(records)
        made = fill_shop(records, open_store(settings), "shop")
        adopting = Verifier(records, open_store(settings), adopt=True)
        assert list(adopting.findings()) == []
    return made


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Shop]:
    """A home with a shop in an SQLite file; made once, for each test copies it."""
    home = tmp_path_factory.mktemp("kept") / "home"
    return home, fill(Settings(home=home))


@pytest.fixture
def shop(settings: Settings, database: URL | None, filled: tuple[Path, Shop]) -> Shop:
    if database is not None:
        return fill(settings)
    shutil.copytree(filled[0], settings.home, dirs_exist_ok=True)
    return deepcopy(filled[1])


@pytest.fixture
def records(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Records]:
    """A database with a shop in it, where the test has one."""
    if "shop" in request.fixturenames:
        request.getfixturevalue("shop")
    opened = Records(settings.database)
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def store(settings: Settings, records: Records) -> CheckedStore:
    """The store as the processes use it."""
    return open_checked(settings, records)


@pytest.fixture
def inner(settings: Settings) -> ArtifactStore:
    """The same bytes, compared with nothing."""
    return open_store(settings)
