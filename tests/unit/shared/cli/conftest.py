from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shared.cli import main
from shared.records import Records, migrate
from shared.settings import Settings, load_settings
from tests.fixtures.api import FakeApi, fake_api
from tests.fixtures.toile import Ran, Toile


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and no settings from outside."""
    for name in ("TOILE_URL", "TOILE_API_KEY", "TOILE_REDIS_URL", "TOILE_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TOILE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def toile(capsys: pytest.CaptureFixture[str]) -> Toile:
    def run(*arguments: Any) -> Ran:
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def own(home: Path) -> Settings:  # noqa: ARG001 - it sets TOILE_HOME
    return load_settings()


@pytest.fixture
def tables(own: Settings) -> None:
    with closing(Records(own.database)) as records:
        migrate.upgrade(records)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    with fake_api() as server:
        monkeypatch.setenv("TOILE_URL", server.url)
        monkeypatch.setenv("TOILE_API_KEY", "toile_key")
        yield server
