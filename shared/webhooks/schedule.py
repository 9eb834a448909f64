"""When a failed delivery is tried again, when a webhook is spared, and when it is disabled.

A delivery is tried for a day:

| try | after the one before | after the event |
|-----|----------------------|-----------------|
| 1   | at once              | 0               |
| 2   | 5 s                  | 5 s             |
| 3   | 30 s                 | 35 s            |
| 4   | 2 min                | 3 min           |
| 5   | 10 min               | 13 min          |
| 6   | 30 min               | 43 min          |
| 7   | 1 h                  | 1 h 43 min      |
| 8   | 2 h                  | 3 h 43 min      |
| 9   | 4 h                  | 7 h 43 min      |
| 10  | 8 h                  | 15 h 43 min     |
| 11  | 8 h                  | 24 h: the last  |

Each pause is up to a tenth longer or shorter, so that what failed together does not come back
together.
"""

from datetime import datetime, timedelta
from typing import Final

from shared.records.deliveries import Taken, Tried
from shared.schemas.webhooks import DeliveryAttempt, DeliveryState, DisabledReason
from shared.webhooks.sending import Answer

PAUSES: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800)
)
JITTER: Final = 0.1

SPARED_FROM: Final = 5
"""Failures in a row, of whatever deliveries, after which a webhook is left alone for a while."""

FIRST_SPARING: Final = timedelta(seconds=10)
LONGEST_SPARING: Final = timedelta(minutes=10)

MOST_ASKED: Final = timedelta(hours=1)
"""The longest `Retry-After` that is heeded."""

DISABLED_AFTER: Final = timedelta(days=5)
LEAST_FAILURES: Final = 10
"""Of a webhook that is told little, two failures a week apart say nothing."""

_OK: Final = range(200, 300)
_GONE: Final = 410
_LATER: Final = frozenset({429, 503})


def at_once(failures: int) -> int:
    """Return how many tries may run at once at a webhook that failed so often in a row."""
    return 4 if failures < SPARED_FROM else 1


def judge(taken: Taken, answer: Answer, *, began: datetime, now: datetime, chance: float) -> Tried:
    """Return what follows from a try.

    Args:
        taken: what was tried.
        answer: what came of it.
        began: when it was sent.
        now: the time.
        chance: a random number from 0 to 1.
    """
    attempt = DeliveryAttempt(
        number=taken.attempts,
        at=began,
        seconds=round(answer.seconds, 3),
        status=answer.status,
        error=answer.error,
        answer=answer.text,
    )
    if answer.status in _OK and answer.error is None:
        return Tried(attempt=attempt, state=DeliveryState.DELIVERED)
    asked = _asked(answer)
    spare = max(_sparing(taken.failures + 1), asked)
    pause = max(_pause(taken.step, chance), asked)
    is_last = now >= taken.ends_at
    return Tried(
        attempt=attempt,
        state=DeliveryState.FAILED if is_last else DeliveryState.PENDING,
        pause=None if is_last else pause,
        is_theirs=answer.is_theirs,
        spare=spare or None,
        disable=_disabling(taken, answer, now),
    )


def _pause(step: int, chance: float) -> timedelta:
    return PAUSES[min(step, len(PAUSES) - 1)] * (1 + JITTER * (2 * chance - 1))


def _sparing(failures: int) -> timedelta:
    if failures < SPARED_FROM:
        return timedelta(0)
    doublings = min(failures - SPARED_FROM, 16)
    return min(FIRST_SPARING * (1 << doublings), LONGEST_SPARING)


def _asked(answer: Answer) -> timedelta:
    if answer.status not in _LATER or answer.retry_after is None:
        return timedelta(0)
    return min(timedelta(seconds=answer.retry_after), MOST_ASKED)


def _disabling(taken: Taken, answer: Answer, now: datetime) -> DisabledReason | None:
    if answer.status == _GONE:
        return DisabledReason.GONE
    if not answer.is_theirs or taken.failing_since is None:
        return None
    is_long = now - taken.failing_since >= DISABLED_AFTER
    return DisabledReason.FAILING if is_long and taken.failures + 1 >= LEAST_FAILURES else None
