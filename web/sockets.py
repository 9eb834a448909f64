"""Open event streams, all served by one thread: their sockets wait in a selector, not in threads.

A server with threads holds one for each open answer. So once the head of a stream has gone out, its
connection is taken from the server (see `web.gunicorn`), and what comes later is written here,
without ever waiting for a client: one that does not read is dropped after a while.
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from web.streams import HEARTBEAT, HEARTBEAT_SECONDS, Stream

LOG: Final = logging.getLogger(__name__)

_STALLED_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 1.0
_READ_BYTES: Final = 4096


@dataclass(eq=False)
class _Line:
    """A client's connection with what it has not taken yet."""

    socket: socket.socket
    stream: Stream
    chunked: bool
    done: Callable[[], None]
    waiting: bytearray = field(default_factory=bytearray)
    wrote_at: float = 0.0
    is_ending: bool = False

    def add(self, data: bytes) -> None:
        """Add bytes of the stream, framed as HTTP/1.1 wants them."""
        self.waiting += b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data

    def add_end(self) -> None:
        """Add what tells the client that the answer is whole."""
        self.is_ending = True
        if self.chunked:
            self.waiting += b"0\r\n\r\n"


class Sockets:
    """The thread that serves open streams; it lives from the first one on."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._new: list[_Line] = []
        self._woken: set[_Line] = set()
        self._lines: set[_Line] = set()
        self._selector = selectors.DefaultSelector()
        self._ear, self._bell = os.pipe()
        os.set_blocking(self._ear, False)
        os.set_blocking(self._bell, False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None

    def adopt(
        self, connection: socket.socket, stream: Stream, *, chunked: bool, done: Callable[[], None]
    ) -> None:
        """Serve a stream over a connection whose head was sent, and close it in the end.

        Args:
            connection: a plain TCP or Unix socket that nobody else uses any more.
            stream: what to send.
            chunked: whether the head promised chunks.
            done: called once, when the connection is closed, from the serving thread.
        """
        connection.setblocking(False)
        line = _Line(connection, stream, chunked, done, wrote_at=self._now())
        with self._lock:
            self._new.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sockets", daemon=True)
                self._thread.start()
        stream.wake = lambda: self._wake(line)
        stream.wake()

    def _wake(self, line: _Line) -> None:
        with self._lock:
            is_first = not self._woken
            self._woken.add(line)
        if is_first:
            with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
                os.write(self._bell, b"!")

    def _run(self) -> None:
        next_look = self._now() + _LOOK_SECONDS
        while True:
            events = self._selector.select(max(0.0, next_look - self._now()))
            try:
                for key, mask in events:
                    if key.fd == self._ear:
                        self._take_bell()
                    else:
                        self._on_socket(key.data, mask)
                self._serve_woken()
                if self._now() >= next_look:
                    next_look = self._now() + _LOOK_SECONDS
                    self._look_after()
            except Exception:
                # Without this thread every stream would stand still for good.
                LOG.exception("A stream broke")
                time.sleep(_LOOK_SECONDS)

    def _take_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._ear, _READ_BYTES)

    def _serve_woken(self) -> None:
        with self._lock:
            new, self._new = self._new, []
            woken, self._woken = self._woken, set()
        for line in new:
            self._lines.add(line)
            self._selector.register(line.socket, selectors.EVENT_READ, line)
        for line in woken & self._lines:
            self._serve(line)

    def _serve(self, line: _Line) -> None:
        is_over = line.stream.is_over
        if taken := line.stream.take():
            line.add(taken)
        if is_over and not line.is_ending:
            line.add_end()
        self._write(line)

    def _on_socket(self, line: _Line, mask: int) -> None:
        if line in self._lines and mask & selectors.EVENT_READ and self._has_left(line):
            self._drop(line)
        elif line in self._lines and mask & selectors.EVENT_WRITE:
            self._write(line)

    def _has_left(self, line: _Line) -> bool:
        try:
            return not line.socket.recv(_READ_BYTES)  # what it says is not listened to
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _write(self, line: _Line) -> None:
        try:
            while line.waiting:
                sent = line.socket.send(line.waiting)
                del line.waiting[:sent]
                line.wrote_at = self._now()
        except BlockingIOError:
            self._selector.modify(line.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, line)
        except OSError:
            self._drop(line)
        else:
            if line.is_ending:
                self._drop(line)
            else:
                self._selector.modify(line.socket, selectors.EVENT_READ, line)

    def _look_after(self) -> None:
        """Drop who takes nothing; tell those who heard nothing that the server is there."""
        now = self._now()
        for line in list(self._lines):
            silent = now - line.wrote_at
            if line.waiting and silent > _STALLED_SECONDS:
                LOG.info("A stream of %s is dropped: its reader takes nothing", line.stream.job_id)
                self._drop(line)
            elif not line.waiting and silent > HEARTBEAT_SECONDS:
                line.add(HEARTBEAT)
                self._write(line)

    def _drop(self, line: _Line) -> None:
        self._lines.discard(line)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(line.socket)
        with contextlib.suppress(OSError):
            line.socket.shutdown(socket.SHUT_RDWR)
        line.socket.close()
        line.done()
