"""Sending requests: again when a connection breaks or the server is away, never twice in effect."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import httpx

from shared.client.failures import UnreachableError, error_of

# What says "later": too many requests, a proxy without its server, a server without its database.
_LATER: Final = frozenset({429, 502, 503, 507})
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 8.0
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Part:
    """A file to upload; it is opened anew for every try."""

    name: str
    path: Path
    filename: str


@dataclass(frozen=True)
class Request:
    """One request, which can be sent again unchanged."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    form: dict[str, str] = field(default_factory=dict)
    file: Part | None = None
    seconds: float = _ANSWER_SECONDS
    headers: dict[str, str] = field(default_factory=dict)


class Http:
    """A connection to one server.

    Args:
        url: the server's address.
        key: the API key.
        patience: seconds to go on trying while a server that has answered before is away.
        first_patience: the same for a server that has never answered.
        transport: what carries the requests; tests pass their own.
        sleep: how to wait; tests pass their own.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        patience: float = 60,
        first_patience: float = 2,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=url, headers=headers, transport=transport)
        self._url = url
        self._patience = patience
        self._first_patience = first_patience
        self._sleep = sleep
        self._clock = clock
        self._reached = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(self, request: Request) -> httpx.Response:
        """Send a request and return its answer, read whole.

        Raises:
            ApiError: the server refused.
            UnreachableError: nothing answered, however often it was tried.
        """
        return self._persist(request, whole=True)

    @contextmanager
    def stream(self, request: Request) -> Iterator[httpx.Response]:
        """Send a request; yield its answer before its body is read.

        Raises:
            ApiError: the server refused.
            UnreachableError: nothing answered, or the connection broke within the body.
        """
        response = self._persist(request, whole=False)
        try:
            yield response
        except httpx.TransportError as error:
            raise self._give_up(error) from error
        finally:
            response.close()

    @contextmanager
    def once(self, request: Request) -> Iterator[httpx.Response]:
        """Send a request once, whatever comes of it; yield its answer before its body is read.

        Raises:
            ApiError: the server refused, were it only for now.
            UnreachableError: nothing answered, or the connection broke within the body.
        """
        outcome = self._try(request, {}, whole=False)
        if not isinstance(outcome, httpx.Response) or outcome.is_error:
            raise self._give_up(outcome)
        try:
            yield outcome
        except httpx.TransportError as error:
            raise self._give_up(error) from error
        finally:
            outcome.close()

    def _persist(self, request: Request, *, whole: bool) -> httpx.Response:
        headers = {}
        if request.method == "POST":
            # One key for all tries: the server makes one job of them, whichever came through.
            headers["Idempotency-Key"] = secrets.token_hex(16)
        started, pause = self._clock(), _FIRST_PAUSE
        while True:
            outcome = self._try(request, headers, whole=whole)
            wait = pause
            if isinstance(outcome, httpx.Response):
                if not outcome.is_error:
                    return outcome
                if outcome.status_code not in _LATER:
                    raise error_of(outcome)
                wait = _retry_after(outcome) or pause
            if self._clock() + wait > started + self._limit():
                raise self._give_up(outcome)
            self._sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _try(
        self, request: Request, headers: dict[str, str], *, whole: bool
    ) -> httpx.Response | httpx.TransportError:
        try:
            if request.file is None:
                response = self._client.send(self._built(request, headers), stream=True)
            else:
                with request.file.path.open("rb") as file:
                    files = {request.file.name: (request.file.filename, file)}
                    built = self._built(request, headers, files=files)
                    response = self._client.send(built, stream=True)
            if whole or response.is_error:
                response.read()
        except httpx.TransportError as error:
            return error
        self._reached = True
        return response

    def _built(
        self, request: Request, headers: dict[str, str], *, files: Any = None
    ) -> httpx.Request:
        return self._client.build_request(
            request.method,
            request.path,
            params={name: value for name, value in request.query.items() if value is not None},
            json=request.json,
            data=request.form or None,
            files=files,
            headers={**headers, **request.headers},
            timeout=httpx.Timeout(request.seconds, connect=_CONNECT_SECONDS),
        )

    def _limit(self) -> float:
        return self._patience if self._reached else self._first_patience

    def _give_up(self, outcome: httpx.Response | httpx.TransportError) -> Exception:
        if isinstance(outcome, httpx.Response):
            return error_of(outcome)
        cause = str(outcome) or type(outcome).__name__
        return UnreachableError(
            f"Nothing answers at {self._url} ({cause}). Is it running? "
            "Start it with `toile up`, or set TOILE_URL to where it is.",
            url=self._url,
        )


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):  # absent, or a date, which no Toile sends
        return None
