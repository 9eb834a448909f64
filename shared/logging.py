"""Logging: one line a record, to standard error, with the job that it belongs to."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from shared.settings import Settings

_job: ContextVar[str] = ContextVar("job", default="-")

# They tell of every message, and upkeep alone sends one every ten seconds.
_CHATTY: Final = ("celery.app.trace", "celery.beat", "celery.worker.strategy")

FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s [%(job)s] %(message)s"


def configure(settings: Settings) -> None:
    """Set logging up for this process; a second call changes nothing but the level."""
    root = logging.getLogger()
    root.setLevel(settings.log_level.upper())
    if not any(isinstance(handler, _Handler) for handler in root.handlers):
        handler = _Handler(sys.stderr)
        handler.setFormatter(logging.Formatter(FORMAT))
        handler.addFilter(_add_job)
        root.addHandler(handler)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


@contextmanager
def job_context(job_id: str) -> Iterator[None]:
    """Let every line logged inside carry the job's id."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # generic only in the stubs
    """Marks the handler that is Toile's own."""


def _add_job(record: logging.LogRecord) -> bool:
    record.job = _job.get()
    return True
