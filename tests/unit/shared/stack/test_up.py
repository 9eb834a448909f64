import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import ConfigurationError, QueueUnavailableError
from shared.settings import Settings
from shared.stack.lock import AlreadyRunningError
from shared.stack.up import address, free_port, running, up

ROOT = Path(__file__).resolve().parents[4]

DRIVER = """
import json, os, sys
from pathlib import Path
from shared.settings import load_settings
from shared.stack.up import up

up(load_settings(), procfile=Path("Procfile"), output=sys.stderr,
   on_ready=lambda url: print(json.dumps({"url": url}), flush=True))
"""
SERVER = (
    'web: mkdir -p site && touch site/healthz && exec python -m http.server --bind "$TOILE_HOST" '
    '--directory site "$TOILE_PORT"\n'
)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_another_program_has_is_told_before_anything_starts(
    tmp_path: Path, taken: int
) -> None:
    with pytest.raises(ConfigurationError, match=f"Port {taken} of 127.0.0.1 is taken"):
        up(Settings(home=tmp_path / "home", port=taken))
    assert not (tmp_path / "home").exists()


def test_port_0_takes_a_free_one() -> None:
    port = free_port("127.0.0.1", 0)
    assert free_port("127.0.0.1", port) == port


def test_an_address_that_is_not_this_machines_is_told() -> None:
    with pytest.raises(ConfigurationError, match="cannot listen"):
        free_port("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104 - an example
        ("::1", "http://[::1]:8000"),
    ],
)
def test_the_address_is_one_that_a_browser_can_open(host: str, url: str) -> None:
    assert address(Settings(host=host)) == url


def test_a_redis_that_does_not_answer_is_told_before_anything_starts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port=0, redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(QueueUnavailableError, match="TOILE_REDIS_URL does not answer"):
        up(settings)


def test_a_whole_stack_comes_up_says_where_refuses_a_second_and_stops(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "Procfile").write_text(SERVER)
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "TOILE_HOME": str(home),
        "TOILE_PORT": "0",
    }
    with (tmp_path / "log").open("wb") as log:
        stack = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    with stack:
        try:
            assert stack.stdout is not None
            said = stack.stdout.readline()
            assert said, (tmp_path / "log").read_text()
            found = running(Settings(home=home))
            assert found is not None
            assert found.url == json.loads(said)["url"]
            with pytest.raises(AlreadyRunningError, match=found.url):
                up(Settings(home=home, port=0))
        finally:
            stack.send_signal(signal.SIGTERM)
        assert stack.wait(30) == 0, (tmp_path / "log").read_text()
    assert running(Settings(home=home)) is None
    assert (home / "toile.sqlite3").exists()
