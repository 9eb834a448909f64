"""Logging: one line a record, to standard error, with the request and the job it belongs to.

A line is text for people or JSON for programs (`TOILE_LOG_FORMAT`). Neither can be forged: what
comes from outside is escaped, so that it neither begins a line nor steers a terminal. What looks
like a secret is masked, though nothing is meant to log one.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from shared.settings import Settings

# They tell of every message, and upkeep alone sends one every ten seconds.
_CHATTY: Final = ("celery.app.trace", "celery.beat", "celery.worker.strategy")

# Steering characters of terminals (C0, C1), line breaks that only some programs know, and marks
# that let text run backwards. A tab is none of them, but would shift columns.
_UNSAFE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_SECRETS: Final = (
    # Keys, session tokens and webhook secrets of Toile itself; their first letters name them.
    (re.compile(r"\b(toile_(?:pub_|session_)?[\w-]{4}|whsec_[\w+/=]{4})[\w.+/=-]{16,}"), r"\1***"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), r"\1***@"),
    (
        re.compile(r"\b(token|key|signature|secret|password|sig)=[^&\s\"']+", re.IGNORECASE),
        r"\1=***",
    ),
)
_HINTS: Final = re.compile("toile_|whsec_|earer|asic|BEARER|BASIC|://|=")
"""A line without any of these holds none of the above; looking for them is much cheaper."""

# What every record has; whatever else it has was given by `extra`.
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_ENCODER: Final = json.JSONEncoder(default=str)


@dataclass(frozen=True)
class Context:
    """To what the lines belong that are logged now; empty where to nothing.

    Attributes:
        request: id of the HTTP request that is answered, or that asked for the job.
        job: the job that is worked at.
        site: whose it is.
        trace: the trace that it is part of, where traces are kept.
    """

    request: str = ""
    job: str = ""
    site: str = ""
    trace: str = ""


_NOTHING: Final = Context()
_context: ContextVar[Context] = ContextVar("context", default=_NOTHING)


def configure(settings: Settings, *, process: str = "") -> None:
    """Set logging up for this process; a second call changes nothing but the level.

    Args:
        settings: the level and the format.
        process: what the lines say of who speaks, such as `generate@host`.
    """
    root = logging.getLogger()
    root.setLevel(settings.log_level.upper())
    if not any(isinstance(handler, _Handler) for handler in root.handlers):
        handler = _Handler(sys.stderr)
        is_json = settings.log_format == "json" or (
            settings.log_format == "auto" and not sys.stderr.isatty()
        )
        handler.setFormatter(JsonLines(process) if is_json else TextLines())
        root.addHandler(handler)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def context() -> Context:
    """Return to what the lines belong that are logged now."""
    return _context.get()


def enter(told: Context) -> None:
    """Let every line from now on belong to a request; the next one in this thread replaces it."""
    _context.set(told)


def note_site(site_id: str) -> None:
    """Say whose request it is, as soon as that is known."""
    told = _context.get()
    _context.set(Context(told.request, told.job, site_id, told.trace))


@contextmanager
def job_context(
    job_id: str, *, site: str = "", request: str | None = None, trace: str = ""
) -> Iterator[None]:
    """Let every line logged inside carry the job's id, and those of its site and request."""
    token = _context.set(Context(request=request or "", job=job_id, site=site, trace=trace))
    try:
        yield
    finally:
        _context.reset(token)


def safe(text: str) -> str:
    """Return text in which no character steers a terminal or begins a line."""
    return _UNSAFE.sub(_escaped, text)


def masked(text: str) -> str:
    """Return text without what looks like a secret."""
    if _HINTS.search(text):
        for pattern, mask in _SECRETS:
            text = pattern.sub(mask, text)
    return text


class TextLines(logging.Formatter):
    """Lines for people: time, level, who speaks, to what it belongs, and the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and an indented one for each of a traceback's."""
        told = _context.get()
        place = " ".join(part for part in (told.job, told.request) if part) or "-"
        time = self.formatTime(record)
        message = safe(masked(record.getMessage()))
        line = f"{time} {record.levelname:<7} {record.name} [{place}] {message}"
        return "\n".join([line, *(f"    | {safe(one)}" for one in _trace_of(self, record))])


class JsonLines(logging.Formatter):
    """Lines for programs: one JSON object each, in ASCII."""

    def __init__(self, process: str = "") -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        told = _context.get()
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage()),
            "request": told.request, "job": told.job, "site": told.site, "trace": told.trace,
            "worker": self._process, "pid": record.process,
        }  # fmt: skip
        for name, value in vars(record).items():
            if name not in _USUAL and name not in found:
                found[name] = masked(value) if isinstance(value, str) else value
        trace = _trace_of(self, record)
        if trace:
            found["traceback"] = "\n".join(trace)
        return _ENCODER.encode({name: value for name, value in found.items() if value != ""})


def _trace_of(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return [masked(line) for part in parts for line in part.split("\n")]


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # generic only in the stubs
    """Marks the handler that is Toile's own."""
