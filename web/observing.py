"""What is noted of every request, whichever way it goes: its id, its time, its span."""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Histogram

from shared import ids, logging, tracing
from shared.logging import Context
from shared.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

REQUEST_ID: Final = "toile.request_id"
ROUTE: Final = "toile.route"

_OTHER: Final = "(none)"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SENT_ID: Final = re.compile(r"[A-Za-z0-9_.-]{8,64}")
_ARGUMENT: Final = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")
# Asked again and again by programs; a trace of each would bury the others.
_UNTRACED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)

Environ = dict[str, Any]
Wsgi = Callable[[Environ, "StartResponse"], Iterable[bytes]]


class Requests:
    """Times of this process' requests. Each front has its own; Prometheus adds them up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._times = Histogram(
            "toile_http_request_seconds",
            "From a request to the beginning of its answer.",
            ("route", "method", "status"),
            buckets=_BOUNDS,
            registry=registry,
        )
        self._known: dict[tuple[str, str, str], Histogram] = {}

    def note(self, route: str, method: str, status: str, seconds: float) -> None:
        """Note a request that was answered."""
        key = route, method if method in _METHODS else _OTHER, status
        times = self._known.get(key)
        if times is None:
            times = self._known[key] = self._times.labels(*key)
        times.observe(seconds)


class Observed:
    """A WSGI application around all others.

    Args:
        usual: answers.
        settings: whether a request's own id is trusted.
        requests: where times go.
    """

    def __init__(self, usual: Wsgi, settings: Settings, requests: Requests) -> None:
        self._usual = usual
        self._trusts = settings.trust_request_id
        self._requests = requests

    def __call__(self, environ: Environ, start: "StartResponse") -> Iterable[bytes]:
        """Answer, and note how."""
        began = time.perf_counter()
        environ[REQUEST_ID] = self._id_of(environ)
        noted = ["000"]

        def noting(status: str, headers: Any, exc_info: Any = None) -> Any:
            noted[0] = status[:3]
            return start(status, headers, exc_info) if exc_info else start(status, headers)

        logging.enter(Context(request=environ[REQUEST_ID]))
        if tracing.is_on() and environ["PATH_INFO"] not in _UNTRACED:
            answer = self._traced(environ, noting, noted)
        else:
            answer = self._usual(environ, noting)
        taken = time.perf_counter() - began
        route = environ.get(ROUTE, _OTHER)
        self._requests.note(route, environ["REQUEST_METHOD"], noted[0], taken)
        return answer

    def _id_of(self, environ: Environ) -> str:
        sent = environ.get("HTTP_X_REQUEST_ID") if self._trusts else None
        return sent if sent and _SENT_ID.fullmatch(sent) else secrets.token_hex(8)

    def _traced(
        self, environ: Environ, noting: Callable[..., Any], noted: list[str]
    ) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        known = method if method in _METHODS else _OTHER
        parent = tracing.accepted(environ.get("HTTP_TRACEPARENT"))
        told = {"http.request.method": known, "toile.request": environ[REQUEST_ID]}
        with tracing.span("request", parent=parent, is_request=True, told=told) as more:
            trace = tracing.trace_of(tracing.current())
            logging.enter(Context(request=environ[REQUEST_ID], trace=trace))
            try:
                return self._usual(environ, noting)
            finally:
                more["http.route"] = environ.get(ROUTE, _OTHER)
                more["http.response.status_code"] = int(noted[0])


def shown(rule: str | None, arguments: Mapping[str, Any]) -> str:
    """Return what the log says was asked for: the route with Toile's own ids, and nobody's words.

    A shopper's reference, a name, or a secret that somebody put into an address is not logged.
    """
    if rule is None:
        return _OTHER

    def value(found: re.Match[str]) -> str:
        given = str(arguments.get(found[1], ""))
        return given if ids.PATTERN.fullmatch(given) else f"<{found[1]}>"

    return _ARGUMENT.sub(value, rule)
