"""A thread that answered waits for a connection that asks again, unless it is needed elsewhere."""

import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]  # it ships no types
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from web.gunicorn import Worker

THREADS = 8
KEEPALIVE = 30


@dataclass
class Connection:
    """What a worker knows of a connection; `here` is the caller's end."""

    here: socket.socket
    sock: socket.socket
    timeout: float | None
    read_ahead: bytes = b""
    answered: int = 0
    parser: Any = field(init=False)

    def __post_init__(self) -> None:
        buf = io.BytesIO(self.read_ahead)
        self.parser = SimpleNamespace(unreader=SimpleNamespace(buf=buf))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that answers each request by taking one byte."""

    def handle(_self: ThreadWorker, conn: Connection) -> bool:
        conn.sock.recv(1)
        conn.answered += 1
        return True

    monkeypatch.setattr(ThreadWorker, "handle", handle)
    cfg = Config()
    cfg.set("threads", THREADS)
    cfg.set("keepalive", KEEPALIVE)
    made = Worker(1, os.getpid(), [], None, 1, cfg, None)
    made.tpool = SimpleNamespace(
        submit=lambda *_: SimpleNamespace(add_done_callback=lambda _called: None)
    )
    yield made
    made.tmp.close()


@pytest.fixture
def connected() -> Iterator[Callable[..., Connection]]:
    opened: list[socket.socket] = []

    def connect(requests: int, *, idle: float | None = 0.0, read_ahead: bytes = b"") -> Connection:
        """Connect a caller who has sent requests, `idle` seconds after the last answer."""
        here, there = socket.socketpair()
        opened.extend((here, there))
        here.send(bytes(requests))
        timeout = None if idle is None else time.monotonic() - idle + KEEPALIVE
        return Connection(here, there, timeout, read_ahead)

    yield connect
    for one in opened:
        one.close()


def asked(worker: Worker, connection: Connection) -> int:
    """Return how many requests one turn of a thread answers."""
    worker.enqueue_req(connection)
    assert worker.handle(connection) is True
    return connection.answered


def test_a_connection_that_asks_again_at_once_keeps_its_thread(
    worker: Worker, connected: Callable[..., Connection]
) -> None:
    assert asked(worker, connected(3)) == 3
    assert worker._taken == 0


def test_one_that_was_still_or_is_new_gives_it_back(
    worker: Worker, connected: Callable[..., Connection]
) -> None:
    assert asked(worker, connected(3, idle=5.0)) == 1
    assert asked(worker, connected(3, idle=None)) == 1


def test_nobody_waits_while_others_need_the_threads(
    worker: Worker, connected: Callable[..., Connection]
) -> None:
    for _ in range(THREADS * 3 // 4):
        worker.enqueue_req(connected(1))
    assert asked(worker, connected(3)) == 1


def test_nobody_waits_where_the_process_is_to_end(
    worker: Worker, connected: Callable[..., Connection]
) -> None:
    worker.alive = False
    assert asked(worker, connected(3)) == 1


def test_what_was_read_ahead_goes_the_usual_way(
    worker: Worker, connected: Callable[..., Connection]
) -> None:
    assert asked(worker, connected(3, read_ahead=b"GET")) == 1


def test_a_request_that_fails_is_counted_out(
    worker: Worker, connected: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: ThreadWorker, _conn: Connection) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(ThreadWorker, "handle", fail)
    one = connected(1)
    worker.enqueue_req(one)
    with pytest.raises(RuntimeError, match="broken"):
        worker.handle(one)
    assert worker._taken == 0
