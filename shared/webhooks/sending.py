"""Sending one request to a webhook: no redirects, no proxies, and an end to everything."""

import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final

import httpcore

from shared.webhooks.addresses import (
    AddressRefusedError,
    Network,
    Resolve,
    place_of,
    system_resolve,
)
from shared.webhooks.network import Deadline, Pinned, trust

SECONDS: Final = 10.0
"""For everything together: looking the name up, connecting, sending, and the answer."""

_READ: Final = 4 * 1024
_KEPT: Final = 1024
_SLOWEST: Final = 30 * 86_400.0


@dataclass(frozen=True)
class Answer:
    """What came of one try.

    Attributes:
        seconds: how long it took.
        status: HTTP status, or None where there was no answer.
        error: why it does not count, or None where the status says it all.
        text: the beginning of the answer's body, at most 1 KiB, without control characters.
        retry_after: seconds to wait, where the receiver asked for it.
        is_theirs: whether a failure says something of the receiver.
    """

    seconds: float
    status: int | None = None
    error: str | None = None
    text: str = ""
    retry_after: float | None = None
    is_theirs: bool = True


class Post:
    """Sends webhooks.

    Args:
        networks: where they may go besides the public internet.
        resolve: looks names up; tests pass their own.
        tls: proves receivers' names; the usual authorities where None.
        seconds: for one try.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        *,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._networks = networks
        self._resolve = resolve
        self._tls = tls or trust()
        self._seconds = seconds

    def send(self, address: str, headers: Mapping[str, str], payload: str) -> Answer:
        """POST a body once and return what came of it; raises nothing that a receiver can cause."""
        began = time.monotonic()
        with Deadline(self._seconds) as deadline:
            try:
                status, text, retry_after = self._exchange(address, headers, payload, deadline)
            except (AddressRefusedError, httpcore.TimeoutException, httpcore.NetworkError,
                    httpcore.ProtocolError, ssl.SSLError, OSError) as error:  # fmt: skip
                told = self._told(error, is_over=deadline.is_over)
                return Answer(time.monotonic() - began, error=told)
        return Answer(time.monotonic() - began, status, None, text, retry_after)

    def _exchange(
        self, address: str, headers: Mapping[str, str], payload: str, deadline: Deadline
    ) -> tuple[int, str, float | None]:
        place = place_of(address)
        body = payload.encode()
        sent = {
            "Host": place.authority, "Content-Type": "application/json",
            "Content-Length": str(len(body)), "Accept": "*/*", "Accept-Encoding": "identity",
            "User-Agent": f"Toile-Webhooks/{version('toile')}", "Connection": "close", **headers,
        }  # fmt: skip
        where = httpcore.URL(
            scheme=place.scheme.encode(),
            host=place.host.encode(),
            port=place.port,
            target=place.target.encode(),
        )
        backend = Pinned(place, self._networks, resolve=self._resolve, deadline=deadline)
        times = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        with (
            httpcore.ConnectionPool(
                ssl_context=self._tls, network_backend=backend, max_connections=1, http2=False
            ) as pool,
            pool.stream(
                "POST", where, headers=list(sent.items()), content=body,
                extensions={"timeout": times},
            ) as response,
        ):  # fmt: skip
            return response.status, _beginning(response), _retry_after(response)

    def _told(self, error: Exception, *, is_over: bool) -> str:
        if isinstance(error, AddressRefusedError):
            return error.message
        if is_over or isinstance(error, httpcore.TimeoutException):
            return f"There was no answer within {self._seconds:g} s."
        why = str(error) or type(error).__name__
        if isinstance(error, httpcore.ConnectError | ssl.SSLError):
            return f"No connection: {_clean(why)[:300]}"
        return f"The connection broke before there was an answer: {_clean(why)[:300]}"


def _beginning(response: httpcore.Response) -> str:
    """Return what an answer's body begins with. It decides nothing, so it may break off."""
    read = b""
    try:
        for chunk in response.iter_stream():
            read += chunk
            if len(read) >= _READ:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError):
        pass
    return _clean(read[:_KEPT].decode("utf-8", "replace"))


def _clean(text: str) -> str:
    """Return text that every database and terminal takes: NUL and its like are left out."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text
    )


def _retry_after(response: httpcore.Response) -> float | None:
    """Return how many seconds a receiver wants to be spared: a number, or a date (RFC 9110)."""
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            written = value.decode("latin-1").strip()
            break
    else:
        return None
    try:
        if written.isdigit():
            return min(float(written), _SLOWEST)
        until = parsedate_to_datetime(written)
    except (ValueError, OverflowError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((aware - datetime.fromtimestamp(time.time(), UTC)).total_seconds(), 0), _SLOWEST)
