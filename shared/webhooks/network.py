"""Connecting to checked addresses alone, and to nothing for longer than was said.

httpcore asks its network backend for each connection. Ours looks the host up, checks every address,
and connects to one that was checked: between the check and the connection nothing is looked up
again, so it does not matter what the name says a moment later. TLS still proves the name.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from functools import cache
from types import TracebackType
from typing import Final, Self

import httpcore

from shared.webhooks.addresses import (
    AddressRefusedError,
    Ip,
    Network,
    Place,
    Resolve,
    reachable,
)

_LEAST_SECONDS: Final = 0.05


class Deadline:
    """Cuts a connection when the time is over, whatever it is doing: also in a TLS handshake.

    A timeout for each read is not enough: a receiver that sends a byte a second never meets it.
    """

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def left(self) -> float:
        """Return how many seconds are left, never quite none: 0 means something else to sockets."""
        return max(self.ends - time.monotonic(), _LEAST_SECONDS)

    def watch(self, connection: socket.socket) -> None:
        """Cut this connection at the end."""
        with self._lock:
            # A copy of the descriptor, for TLS takes the socket's own away from it.
            self._socket = socket.socket(fileno=os.dup(connection.fileno()))

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return


class Pinned(httpcore.NetworkBackend):
    """Connects to the checked addresses of one place."""

    def __init__(
        self, place: Place, networks: Sequence[Network], *, resolve: Resolve, deadline: Deadline
    ) -> None:
        self._place = place
        self._networks = networks
        self._resolve = resolve
        self._deadline = deadline
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that answers.

        Raises:
            AddressRefusedError: one of them is not allowed, or it is another host.
            httpcore.ConnectError: none answers.
        """
        place, left = self._place, self._deadline.left
        if (host, port) != (place.host, place.port):
            raise AddressRefusedError(f"{host}:{port} was not what was asked for.")
        found = reachable(place, self._networks, resolve=self._resolve, seconds=left())
        last: Exception = httpcore.ConnectError("no address")
        for number, address in enumerate(found):
            share = left() / (len(found) - number)  # or a dead first one would take all the time
            seconds = share if timeout is None else min(timeout, share)
            try:
                stream = self._system.connect_tcp(
                    str(address), port, seconds, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
                continue
            return self._watched(stream, address)
        raise last

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Refuse: no webhook goes to a file."""
        raise AddressRefusedError(f"{path} is no address of the internet.")

    def _watched(self, stream: httpcore.NetworkStream, address: Ip) -> httpcore.NetworkStream:
        connection: socket.socket = stream.get_extra_info("socket")
        self._deadline.watch(connection)
        own, other = connection.getsockname()[0], connection.getpeername()[0]
        is_allowed = any(
            one.version == address.version and address in one for one in self._networks
        )
        if own == other and not is_allowed:
            # A machine reaches its own public address from inside its firewall.
            stream.close()
            raise AddressRefusedError(
                f"The webhook's host {self._place.host} is at {other}, which is this server itself."
            )
        return stream


@cache  # reading all authorities takes tens of milliseconds, and rounds are many
def trust() -> ssl.SSLContext:
    """Return what proves a receiver's name: the usual authorities, or those of SSL_CERT_FILE."""
    import httpx

    return httpx.create_ssl_context()
