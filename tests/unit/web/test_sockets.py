"""Open streams over sockets: what goes out, and who is dropped."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from web import sockets as module
from web.sockets import Sockets
from web.streams import Place, Stream


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    yield ours, theirs
    theirs.close()


def stream_of(text: str = "{}") -> Stream:
    stream = Stream("job_x", Place(), lambda: True)
    stream.put("state", text, Place("1-0", "running-1"))
    return stream


def read_all(theirs: socket.socket) -> bytes:
    text = b""
    while part := theirs.recv(65_536):
        text += part
    return text


def test_a_stream_goes_out_in_chunks_and_ends_as_http_wants(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    stream, done = stream_of(), threading.Event()
    Sockets().adopt(ours, stream, chunked=True, done=done.set)
    first = theirs.recv(65_536)
    size, rest = first.split(b"\r\n", 1)
    assert rest[: int(size, 16)].startswith(b"retry: ")
    stream.put("end", "{}", Place("1-0", "succeeded-1"))
    stream.end()
    assert read_all(theirs).endswith(b"\r\n0\r\n\r\n")
    assert done.wait(2)


def test_a_client_that_leaves_is_noticed_at_once(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    done = threading.Event()
    Sockets().adopt(ours, stream_of(), chunked=False, done=done.set)
    theirs.recv(1)
    theirs.close()
    assert done.wait(2)


def test_a_client_that_takes_nothing_is_dropped_and_holds_nobody_up(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STALLED_SECONDS", 0.3)
    ours, _ = pair
    sockets, done = Sockets(), threading.Event()
    slow = stream_of("x" * 5_000_000)
    sockets.adopt(ours, slow, chunked=True, done=done.set)
    other_ours, other_theirs = socket.socketpair()
    other_theirs.settimeout(1)
    sockets.adopt(other_ours, stream_of(), chunked=False, done=lambda: None)
    began = time.monotonic()
    assert other_theirs.recv(10)
    assert time.monotonic() - began < 0.5
    assert done.wait(5)
    other_theirs.close()


def test_a_silent_stream_is_kept_alive_by_comments(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.1)
    ours, theirs = pair
    Sockets().adopt(ours, stream_of(), chunked=False, done=lambda: None)
    text = b""
    while b"\n: " not in text:
        text += theirs.recv(1000)
    assert text.endswith(b"\n\n")


def test_what_a_client_says_meanwhile_is_not_listened_to(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    stream = stream_of()
    Sockets().adopt(ours, stream, chunked=False, done=lambda: None)
    theirs.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
    time.sleep(0.1)
    stream.end()
    assert b"HTTP" not in read_all(theirs)
