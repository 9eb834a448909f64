"""The front over a real database, a real store and a real Valkey."""

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from redis import Redis

from shared.artifacts import ArtifactStore
from shared.artifacts.local import LocalArtifacts
from shared.queue.presence import Presence
from shared.records import Records, migrate
from shared.settings import Settings
from tests.fixtures.shop import OFFER, Shop, fill_shop, open_shop
from web.app import Application, create_app
from web.runtime import EXTENSION


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Shop]:
    """A home with one site that has everything; made once, for each test copies it."""
    home = tmp_path_factory.mktemp("filled")
    settings = Settings(home=home)
    records = Records(settings.database)
    migrate.upgrade(records)
    shop = fill_shop(records, LocalArtifacts(home / "artifacts"), "shop")
    records.close()
    return home, shop


@pytest.fixture
def records(settings: Settings, filled: tuple[Path, Shop]) -> Iterator[Records]:
    """A database that the test may change, with one site in it."""
    shutil.copytree(filled[0], settings.home)
    opened = Records(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    assert settings.artifact_folder is not None
    return LocalArtifacts(settings.artifact_folder)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder that catalogs may be read from."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def app(
    settings: Settings, records: Records, store: ArtifactStore, redis: Redis, pictures: Path
) -> Iterator[Application]:
    Presence(redis, seconds=600).announce("generate@test", OFFER)
    changes = {"import_roots": (pictures,), "upload_limit": 200_000, "body_limit": 50_000}
    made = create_app(settings.model_copy(update=changes), records=records, store=store)
    yield made
    made.extensions[EXTENSION].close()


def client_of(app: Application, secret: str) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return client


@pytest.fixture
def shop(filled: tuple[Path, Shop]) -> Shop:
    """The site with everything in it."""
    return deepcopy(filled[1])


@pytest.fixture
def client(app: Application, shop: Shop) -> FlaskClient:
    return client_of(app, shop.secret)


@pytest.fixture
def rival(app: Application, records: Records) -> FlaskClient:
    """Another site, with a good key of its own."""
    return client_of(app, open_shop(records, "rival").secret)


@pytest.fixture
def nobody(app: Application) -> FlaskClient:
    """A caller without a key."""
    return app.test_client()
