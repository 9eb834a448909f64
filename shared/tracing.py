"""Traces (OpenTelemetry): one from an HTTP request to the design that came of it.

Off unless an endpoint is set; then nothing of OpenTelemetry is imported, and every function here
does nothing. A job's row keeps the W3C `traceparent` of the request that asked for it, so that
whichever attempt ends it, on whichever host, belongs to the same trace.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from shared.errors import ConfigurationError
from shared.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

Told = Mapping[str, str | int | float | bool]

_PARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_PATH: Final = "/v1/traces"
_FLUSH_MILLISECONDS: Final = 5_000

# One a process, as logging is: spans are begun in functions that are handed nothing.
_providers: Final[list["TracerProvider"]] = []


def configure(settings: Settings, *, service: str, exporter: "SpanExporter | None" = None) -> None:
    """Begin to keep traces, where an endpoint is set; a second call changes nothing.

    Call it in the process that works: the thread that sends spans does not survive a fork.

    Args:
        settings: where they go.
        service: who speaks, such as `toile-web`.
        exporter: sends spans elsewhere; for tests.

    Raises:
        ConfigurationError: an endpoint is set and the extra `otel` is not installed.
    """
    if _providers or (settings.otlp_endpoint is None and exporter is None):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(
            "An endpoint for traces is set, and OpenTelemetry is not installed. Install Toile's "
            "extra `otel`, or unset TOILE_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_ENDPOINT."
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    sender = exporter or OTLPSpanExporter(endpoint=_address(str(settings.otlp_endpoint)))
    provider.add_span_processor(BatchSpanProcessor(sender))
    _providers.append(provider)


def is_on() -> bool:
    """Return whether traces are kept."""
    return bool(_providers)


def flush() -> None:
    """Send what is kept; a process that is about to end calls it."""
    for provider in _providers:
        provider.force_flush(_FLUSH_MILLISECONDS)


def close() -> None:
    """Send what is kept, and keep traces no more."""
    while _providers:
        _providers.pop().shutdown()


def current() -> str | None:
    """Return the `traceparent` of the span that is open here, or None."""
    if not _providers:
        return None
    from opentelemetry import trace

    return _written(trace.get_current_span().get_span_context())


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    links: Sequence[str | None] = (),
    is_request: bool = False,
    told: Told | None = None,
) -> Iterator[dict[str, str | int | float | bool]]:
    """Open a span around a block; what it raises marks the span as failed.

    Args:
        name: what is done.
        parent: `traceparent` of what it is part of; the span that is open here where None.
        links: `traceparent`s of what it has to do with besides.
        is_request: whether it answers somebody outside.
        told: what is known of it already.

    Yields:
        What is to be told of it once it ends; the block adds to it.
    """
    more: dict[str, str | int | float | bool] = {}
    if not _providers:
        yield more
        return
    from opentelemetry.trace import SpanKind

    kind = SpanKind.SERVER if is_request else SpanKind.INTERNAL
    tracer = _providers[0].get_tracer("toile")
    with tracer.start_as_current_span(
        name, context=_context_of(parent), kind=kind, attributes=told, links=_links(links)
    ) as opened:
        try:
            yield more
        finally:
            opened.set_attributes(more)


def record(
    name: str,
    *,
    parent: str | None,
    began: float,
    ended: float,
    links: Sequence[str | None] = (),
    error: str = "",
    told: Told | None = None,
) -> str | None:
    """Tell of something that is over, as the members of a batch are: all at once.

    Args:
        name: what was done.
        parent: `traceparent` of what it was part of; without one nothing is told.
        began: when it began, Unix time.
        ended: when it was over.
        links: `traceparent`s of what it had to do with besides.
        error: why it failed.
        told: what is known of it.

    Returns:
        Its own `traceparent`, for its parts.
    """
    if not _providers or parent is None:
        return None
    from opentelemetry.trace import Status, StatusCode

    opened = _providers[0].get_tracer("toile").start_span(
        name, context=_context_of(parent), attributes=told, links=_links(links),
        start_time=int(began * 1e9),
    )  # fmt: skip
    if error:
        opened.set_status(Status(StatusCode.ERROR, error))
    opened.end(int(ended * 1e9))
    return _written(opened.get_span_context())


def accepted(header: str | None) -> str | None:
    """Return a `traceparent` header if it is well formed, or None."""
    return header if header is not None and _PARENT.fullmatch(header) else None


def trace_of(parent: str | None) -> str:
    """Return the trace that a `traceparent` names; empty where there is none."""
    found = None if parent is None else _PARENT.fullmatch(parent)
    return "" if found is None else found[1]


def _address(endpoint: str) -> str:
    return endpoint if endpoint.endswith(_PATH) else f"{endpoint.rstrip('/')}{_PATH}"


def _span_context(parent: str | None) -> Any:
    found = None if parent is None else _PARENT.fullmatch(parent)
    if found is None:
        return None
    from opentelemetry.trace import SpanContext, TraceFlags

    trace, span_id, flags = (int(part, 16) for part in found.groups())
    return SpanContext(trace, span_id, is_remote=True, trace_flags=TraceFlags(flags))


def _context_of(parent: str | None) -> Any:
    """Return in what a span stands; None means where it is opened."""
    told = _span_context(parent)
    if told is None:
        return None
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(told))


def _links(parents: Sequence[str | None]) -> list[Any]:
    from opentelemetry.trace import Link

    return [Link(told) for told in map(_span_context, parents) if told is not None]


def _written(told: Any) -> str | None:
    if not told.is_valid:
        return None
    return f"00-{told.trace_id:032x}-{told.span_id:016x}-{int(told.trace_flags):02x}"
