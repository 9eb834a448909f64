"""Console tokens let in the right ones, for as long as they are fresh."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared import console
from shared.errors import UnauthorizedError
from shared.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var")


def test_a_token_gives_back_the_key_that_it_was_made_for(settings: Settings) -> None:
    token = console.console_token(settings, "key_1")
    assert console.read_console_token(settings, token) == "key_1"
    session = console.session_token(settings, "key_1")
    assert console.read_session_token(settings, session) == "key_1"


def test_a_link_is_good_for_five_minutes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = console.console_token(settings, "key_1")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + console.LINK_SECONDS - 2)
    assert console.read_console_token(settings, token) == "key_1"
    monkeypatch.setattr(time, "time", lambda: now + console.LINK_SECONDS + 2)
    with pytest.raises(UnauthorizedError, match="toile console"):
        console.read_console_token(settings, token)


def test_a_link_is_not_a_session_nor_a_session_a_link(settings: Settings) -> None:
    with pytest.raises(UnauthorizedError):
        console.read_session_token(settings, console.console_token(settings, "key_1"))
    with pytest.raises(UnauthorizedError):
        console.read_console_token(settings, console.session_token(settings, "key_1"))


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "\x00", "é", "x" * 10_000])
def test_a_token_that_was_not_signed_here_is_refused(settings: Settings, token: str) -> None:
    with pytest.raises(UnauthorizedError):
        console.read_console_token(settings, token)


def test_the_secret_is_made_once_and_only_its_owner_reads_it(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(console.signing_key, [settings] * 32))
    assert len(secrets) == 1
    (path,) = settings.home.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text()) > 40


def test_a_secret_that_is_set_is_used_and_none_is_made(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, secret_key=SecretStr("s3cret"))
    assert console.signing_key(settings) == "s3cret"
    assert list(tmp_path.iterdir()) == []
