"""`toile webhooks` against a made-up server."""

from typing import Any

from tests.fixtures.api import FakeApi, listing
from tests.fixtures.toile import Toile

AT = "2026-11-26T12:00:00Z"
WEBHOOK: dict[str, Any] = {
    "id": "hook_1", "address": "https://shop.example/", "events": ["job.failed"],
    "description": "", "created_at": AT, "disabled": None, "failing_since": None, "failures": 0,
    "paused_until": None, "secret_made_at": AT, "old_secret_until": None,
    "url": "/v1/webhooks/hook_1",
}  # fmt: skip
DELIVERY: dict[str, Any] = {
    "id": "dlv_1", "webhook_id": "hook_1", "event_id": "evt_1", "type": "job.failed",
    "subject": "job_1", "state": "pending", "attempts": 2, "created_at": AT, "due_at": AT,
    "ends_at": AT, "settled_at": None, "url": "/v1/webhooks/deliveries/dlv_1",
    "last_attempt": {
        "number": 2, "at": AT, "seconds": 0.25, "status": 500, "error": None, "answer": "no",
    },
}  # fmt: skip
DETAIL = {**DELIVERY, "payload": {"type": "job.failed"}, "log": []}


def test_a_webhook_is_added_and_its_secret_is_all_that_is_printed(
    toile: Toile, api: FakeApi
) -> None:
    api["POST /v1/webhooks"] = (201, {**WEBHOOK, "secret": "whsec_x"})
    ran = toile("webhooks", "add", "https://shop.example/", "--event", "job.failed")
    assert (ran.code, ran.out) == (0, "whsec_x\n"), ran.err
    assert "not shown again" in ran.err
    assert api.bodies("POST /v1/webhooks") == [
        {"address": "https://shop.example/", "events": ["job.failed"], "description": ""}
    ]
    assert toile("webhooks", "add", "https://shop.example/", "--event", "job.exploded").code == 2


def test_the_list_says_which_are_in_trouble(toile: Toile, api: FakeApi) -> None:
    gone = {"at": AT, "reason": "gone", "message": "It answered 410 Gone: it wants no more."}
    api["GET /v1/webhooks"] = listing(
        WEBHOOK, {**WEBHOOK, "failing_since": AT}, {**WEBHOOK, "disabled": gone, "events": None}
    )
    told = toile("webhooks", "list").out
    for words in ("well", "failing since", "disabled (gone)", "job.failed", "all"):
        assert words in told
    api["GET /v1/webhooks"] = listing()
    assert "toile webhooks add" in toile("webhooks", "list").out


def test_a_webhook_is_changed_rested_taken_up_and_removed(toile: Toile, api: FakeApi) -> None:
    api["PATCH /v1/webhooks/hook_1"] = (200, {**WEBHOOK, "events": None})
    api["DELETE /v1/webhooks/hook_1"] = (204, b"")
    assert "all events" in toile("webhooks", "change", "hook_1", "--all-events").out
    assert toile("webhooks", "disable", "hook_1").code == 0
    assert "replay" in toile("webhooks", "enable", "hook_1").out
    assert api.bodies("PATCH /v1/webhooks/hook_1") == [
        {"events": None}, {"enabled": False}, {"enabled": True},
    ]  # fmt: skip
    assert "Removed" in toile("webhooks", "remove", "hook_1").out


def test_a_secret_is_rotated(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/webhooks/hook_1/rotate"] = (200, {**WEBHOOK, "secret": "whsec_y"})
    assert toile("webhooks", "rotate", "hook_1", "--overlap-hours", "2").out == "whsec_y\n"
    assert api.bodies("POST /v1/webhooks/hook_1/rotate") == [{"overlap_hours": 2.0}]


def test_a_test_is_sent_and_the_log_tells_how_it_went(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/webhooks/hook_1/test"] = (202, DETAIL)
    api["GET /v1/webhooks/hook_1/deliveries"] = listing(DELIVERY)
    api["GET /v1/webhooks/deliveries/dlv_1"] = (200, DETAIL)
    assert "toile webhooks show dlv_1" in toile("webhooks", "test", "hook_1").out
    told = toile("webhooks", "log", "hook_1", "--state", "pending").out
    assert "500 in 250 ms" in told
    assert "state=pending" in api.sent[-1].path
    assert '"type": "job.failed"' in toile("webhooks", "show", "dlv_1").out


def test_one_delivery_or_all_that_failed_are_sent_again(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/webhooks/deliveries/dlv_1/replay"] = (202, DELIVERY)
    api["POST /v1/webhooks/hook_1/replay"] = (202, {"deliveries": 3})
    assert "evt_1" in toile("webhooks", "replay", "dlv_1").out
    assert "3 events" in toile("webhooks", "replay", "hook_1", "--since", "2026-11-26").out
    assert api.bodies("POST /v1/webhooks/hook_1/replay") == [{"since": "2026-11-26T00:00:00+00:00"}]
