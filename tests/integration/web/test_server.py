"""The front as it really runs: gunicorn, threads and sockets."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from redis import Redis

from shared.queue.presence import Presence
from shared.records import Records
from shared.settings import Settings
from tests.fixtures.shop import OFFER, Shop, running, training_spec

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(
    settings: Settings, records: Records, redis: Redis, valkey_url: str, tmp_path: Path
) -> Iterator[str]:
    Presence(redis, seconds=600).announce("generate@test", OFFER)
    records.close()
    port = free_port()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "TOILE_HOME": str(settings.home),
        "TOILE_REDIS_URL": valkey_url,
        "TOILE_PORT": str(port),
        "TOILE_UPLOAD_LIMIT": "200000",
        "TOILE_WEB_THREADS": "8",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:web.gunicorn", "web.wsgi:app"]
    log = tmp_path / "web.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_up(url, process, log)
            yield url
        finally:
            process.terminate()
            assert process.wait(30) == 0, log.read_text()


def wait_until_up(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if httpx.get(f"{url}/healthz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


@pytest.fixture
def client(server: str, shop: Shop) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {shop.secret}"}
    with httpx.Client(base_url=server, headers=headers, timeout=30) as opened:
        yield opened


def test_an_upload_without_a_length_is_cut_at_the_limit(
    client: httpx.Client, server: str, settings: Settings
) -> None:
    def body(size: int) -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="archive"; filename="a.zip"\r\n\r\n'
        for _ in range(size // 1000):
            yield bytes(1000)
        yield b"\r\n--b--\r\n"

    place = "/v1/catalogs/summer/garments"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    taken = client.post(place, content=body(150_000), headers=headers)
    assert taken.status_code == 202, taken.text
    refused = client.post(place, content=body(400_000), headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (413, "too_large")
    # On a connection of its own: the server closes one whose body it did not read to its end.
    assert httpx.get(f"{server}/healthz").status_code == httpx.codes.OK
    assert list((settings.home / "incoming").glob("*")) == []


def test_submits_find_a_thread_while_many_wait(
    client: httpx.Client, records: Records, shop: Shop
) -> None:
    with records.transaction() as tx:
        job = running(tx, shop, training_spec(shop))
    with ThreadPoolExecutor(20) as pool:
        waits = [pool.submit(client.get, f"/v1/jobs/{job.id}?wait=3") for _ in range(20)]
        time.sleep(0.3)
        began = time.monotonic()
        answer = client.post("/v1/design-jobs", json={"model": "default"})
        taken = time.monotonic() - began
        assert {wait.result().status_code for wait in waits} == {200}
    assert answer.status_code == 202
    assert taken < 2


def test_two_at_once_with_one_key_make_one_job(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "at-once"}

    def ask(_number: int) -> str:
        answer = client.post("/v1/design-jobs", json={"model": "default"}, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1


def test_the_server_leaves_nothing_in_the_home_folder(server: str, tmp_path: Path) -> None:
    # No worker runs here.
    assert httpx.get(f"{server}/readyz").json()["status"] == "degraded"
    assert {entry.name for entry in os.scandir(tmp_path)} <= {"var", "web.log", "pictures"}


def test_busy_connections_are_all_answered_and_leave_threads_to_others(
    client: httpx.Client, server: str, shop: Shop
) -> None:
    job = f"/v1/jobs/{next(iter(shop.jobs.values()))}"
    told = client.get(job).json()
    over = threading.Event()

    def poll(_number: int) -> int:
        asked = 0
        with httpx.Client(base_url=server, headers=client.headers) as own:
            while not over.is_set():
                assert own.get(job).json() == told
                asked += 1
        return asked

    with ThreadPoolExecutor(12) as pool:
        polling = [pool.submit(poll, number) for number in range(12)]
        others = [httpx.get(f"{server}/healthz").status_code for _ in range(10)]
        over.set()
        assert all(one.result() > 1 for one in polling)
    assert others == [200] * 10
    # The pause is longer than a thread waits: the connection is with the main loop again.
    time.sleep(0.1)
    assert client.get(job).json() == told


def test_requests_that_are_sent_together_are_answered_in_order(
    server: str, client: httpx.Client, shop: Shop
) -> None:
    jobs = [*shop.jobs.values()][:2]
    head = f"Host: toile\r\nAuthorization: {client.headers['Authorization']}\r\n"
    sent = "".join(f"GET /v1/jobs/{one} HTTP/1.1\r\n{head}\r\n" for one in jobs * 4)
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), 10) as caller:
        caller.sendall(sent.encode())
        found = b""
        while found.count(b"HTTP/1.1 200 OK") < len(jobs * 4):
            found += caller.recv(65536)
    places = [found.index(f'"url":"/v1/jobs/{one}"'.encode()) for one in jobs]
    assert places == sorted(places)
