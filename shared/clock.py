"""The time, read in one place so that tests and replays can pass their own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(tz=UTC)  # noqa: TID251 - the one place that may
