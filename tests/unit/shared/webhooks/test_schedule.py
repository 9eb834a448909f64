from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.records.deliveries import Taken
from shared.schemas.webhooks import KEEP_TRYING, DeliveryState, DisabledReason
from shared.webhooks.schedule import (
    DISABLED_AFTER,
    JITTER,
    LEAST_FAILURES,
    LONGEST_SPARING,
    MOST_ASKED,
    PAUSES,
    at_once,
    judge,
)
from shared.webhooks.sending import Answer

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def taken(**changes: Any) -> Taken:
    values: dict[str, Any] = {
        "id": "dlv_1", "webhook_id": "hook_1", "event_id": "evt_1", "payload": "{}", "attempts": 1,
        "step": 0, "ends_at": NOW + KEEP_TRYING, "address": "https://shop.example",
        "salts": ("00",), "key_mark": "", "failures": 0, "failing_since": None, **changes,
    }  # fmt: skip
    return Taken(**values)


def judged(answer: Answer, chance: float = 0.5, **changes: Any) -> Any:
    return judge(taken(**changes), answer, began=NOW, now=NOW, chance=chance)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    told = judged(Answer(0.1, status))
    assert (told.state, told.pause, told.disable) == (DeliveryState.DELIVERED, None, None)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 500, 502])
def test_whatever_else_is_tried_again(status: int) -> None:
    told = judged(Answer(0.1, status))
    assert told.state is DeliveryState.PENDING
    assert told.pause == PAUSES[0]
    assert told.disable is None


def test_the_pauses_grow_and_fill_a_day() -> None:
    assert list(PAUSES) == sorted(PAUSES)
    assert KEEP_TRYING - HOUR < sum(PAUSES, timedelta()) <= KEEP_TRYING
    pauses = [judged(Answer(0.1, 500), step=step).pause for step in range(12)]
    assert pauses[:10] == list(PAUSES)
    assert pauses[10:] == [PAUSES[-1]] * 2


def test_each_pause_is_up_to_a_tenth_longer_or_shorter() -> None:
    first, last = (judged(Answer(0.1, 500), chance=chance, step=5).pause for chance in (0, 1))
    assert first == PAUSES[5] * (1 - JITTER)
    assert last == PAUSES[5] * (1 + JITTER)


def test_the_last_try_is_at_the_end_of_the_day() -> None:
    assert judged(Answer(0.1, 500), ends_at=NOW).state is DeliveryState.FAILED
    assert judged(Answer(0.1, 500), ends_at=NOW + HOUR).state is DeliveryState.PENDING


def test_410_disables_at_once() -> None:
    assert judged(Answer(0.1, 410)).disable is DisabledReason.GONE


@pytest.mark.parametrize(("status", "heeded"), [(429, 120), (503, 120), (500, 0)])
def test_retry_after_is_heeded_where_it_belongs(status: int, heeded: float) -> None:
    told = judged(Answer(0.1, status, retry_after=120.0))
    asked = timedelta(seconds=heeded)
    assert told.pause == (asked or PAUSES[0])
    assert told.spare == (asked or None)


def test_nobody_is_spared_for_longer_than_an_hour_because_they_asked() -> None:
    assert judged(Answer(0.1, 503, retry_after=10**6)).spare == MOST_ASKED


def test_a_webhook_that_keeps_failing_is_spared_for_longer_and_longer() -> None:
    spared = [judged(Answer(0.1, None, "no"), failures=failures).spare for failures in range(12)]
    assert spared[:4] == [None] * 4
    assert spared[4:7] == [timedelta(seconds=one) for one in (10, 20, 40)]
    assert spared[-1] == LONGEST_SPARING
    assert (at_once(0), at_once(4), at_once(5)) == (4, 4, 1)


def test_one_that_failed_for_days_is_disabled_and_one_that_is_told_little_is_not() -> None:
    long: dict[str, Any] = {"failing_since": NOW - DISABLED_AFTER, "failures": LEAST_FAILURES - 1}
    assert judged(Answer(0.1, 500), **long).disable is DisabledReason.FAILING
    assert judged(Answer(0.1, 500), **{**long, "failures": 2}).disable is None
    assert judged(Answer(0.1, 500), **{**long, "failing_since": NOW - HOUR}).disable is None


def test_our_own_faults_are_not_held_against_the_receiver() -> None:
    long: dict[str, Any] = {"failing_since": NOW - DISABLED_AFTER, "failures": LEAST_FAILURES}
    told = judged(Answer(0, error="another key", is_theirs=False), **long)
    assert (told.is_theirs, told.disable, told.state) == (False, None, DeliveryState.PENDING)
