"""The task that sends webhooks, over real rows, a real Redis, and a shop's server beside them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis
from standardwebhooks import Webhook as Verifier

from shared.jobs import lifecycle
from shared.queue.sender import WEBHOOKS_HINT
from shared.records import deliveries, webhooks
from shared.records.tables import DeliveryRow, WebhookRow
from shared.schemas.jobs import JobState
from shared.schemas.webhooks import (
    DeliveryDetail,
    DeliveryState,
    DisabledReason,
    EventType,
    Webhook,
)
from shared.webhooks.addresses import networks_of
from shared.webhooks.schedule import SPARED_FROM
from shared.webhooks.sending import Post
from shared.webhooks.signing import new_salts, secret_of
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.receiver import Call, Receiver, Reply, receiver
from tests.fixtures.rows import a_site, an_ingest_job
from worker.jobs.webhooks import send_due
from worker.runtime import Runtime

HERE = ("127.0.0.0/8",)


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


def post(seconds: float = 2) -> Post:
    return Post(networks_of(HERE), seconds=seconds)


def add(
    runtime: Runtime, site: str, address: str, events: Sequence[EventType] | None = None
) -> tuple[Webhook, str]:
    """Return a webhook and its secret."""
    salts = new_salts(runtime.settings)
    with runtime.records.transaction() as tx:
        made = webhooks.create(
            tx, site, address=address, events=events, description="", salts=salts
        )
    return made, secret_of(runtime.settings, salts)


def happen(runtime: Runtime, site: str, count: int = 1) -> list[str]:
    """Let jobs end; returns their ids."""
    ended = []
    for number in range(count):
        job = an_ingest_job(runtime.records, site, catalog=f"{time.monotonic_ns()} {number}")
        with runtime.records.transaction() as tx:
            ended.append(lifecycle.request_cancel(tx, job.id, site_id=site).id)
    return ended


def log(runtime: Runtime, site: str, webhook: Webhook) -> list[DeliveryDetail]:
    with runtime.records.reading() as tx:
        found = deliveries.page(tx, webhook, limit=200).items
        return [deliveries.get(tx, site, one.id) for one in found]


def hurry(runtime: Runtime) -> None:
    """Let all pauses be over."""
    with runtime.records.transaction() as tx:
        tx.session.query(DeliveryRow).filter(DeliveryRow.due_at.is_not(None)).update(
            {"due_at": tx.now}
        )
        tx.session.query(WebhookRow).update({"paused_until": None})


@ON_BOTH
def test_an_event_is_delivered_once_signed_as_the_shops_library_wants_it(
    runtime: Runtime, site: str, shop: Receiver
) -> None:
    webhook, secret = add(runtime, site, shop.address)
    (job,) = happen(runtime, site)
    assert send_due(runtime, post=post()) == 1
    assert send_due(runtime, post=post()) == 0
    (call,) = shop.calls
    event = call.verified(secret)
    assert (event["type"], event["data"]["id"]) == ("job.cancelled", job)
    assert call.path == "/hooks?shop=1"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["host"] == f"127.0.0.1:{shop.port}"
    assert call.headers["user-agent"].startswith("Toile-Webhooks/")
    (one,) = log(runtime, site, webhook)
    assert (one.state, one.event_id, one.attempts) == (DeliveryState.DELIVERED, call.event_id, 1)
    assert one.log[0].status == 204
    assert one.payload == event


def test_a_failure_is_tried_again_with_the_same_id_body_and_a_new_time(
    runtime: Runtime, site: str, shop: Receiver
) -> None:
    webhook, secret = add(runtime, site, shop.address)
    happen(runtime, site)
    answers = [Reply(500, {}, b"the shop sleeps"), Reply(302, {"Location": "/"}), Reply(200)]
    shop.answering = lambda _call: answers[len(shop.calls) - 1]
    send_due(runtime, post=post())
    (one,) = log(runtime, site, webhook)
    assert (one.state, one.log[0].status, one.log[0].answer) == (
        DeliveryState.PENDING,
        500,
        "the shop sleeps",
    )
    assert one.due_at is not None
    assert timedelta(seconds=4) < one.due_at - one.log[0].at < timedelta(seconds=7)
    assert send_due(runtime, post=post()) == 0
    for _ in range(2):
        hurry(runtime)
        send_due(runtime, post=post())
    (one,) = log(runtime, site, webhook)
    assert (one.state, [each.status for each in one.log]) == (
        DeliveryState.DELIVERED,
        [500, 302, 200],
    )
    assert len({(call.event_id, call.body) for call in shop.calls}) == 1
    for call in shop.calls:
        call.verified(secret)


def test_retry_after_spares_the_webhook_and_nobody_else(
    runtime: Runtime, site: str, shop: Receiver
) -> None:
    webhook, _ = add(runtime, site, shop.address)
    shop.answering = lambda _call: Reply(429, {"Retry-After": "600"})
    happen(runtime, site)
    send_due(runtime, post=post())
    happen(runtime, site)
    assert send_due(runtime, post=post()) == 0
    with runtime.records.reading() as tx:
        found = webhooks.get(tx, site, webhook.id)
        assert found.paused_until is not None
        assert found.paused_until > tx.now + timedelta(minutes=9)
    with receiver() as other:
        add(runtime, site, other.address)
        happen(runtime, site)
        assert send_due(runtime, post=post()) == 1


def test_410_disables_at_once_and_the_sites_other_webhooks_are_told(
    runtime: Runtime, site: str, shop: Receiver
) -> None:
    gone, _ = add(runtime, site, shop.address, [EventType.JOB_CANCELLED])
    with receiver() as other:
        add(runtime, site, other.address, [EventType.WEBHOOK_DISABLED])
        shop.answering = lambda _call: Reply(410)
        happen(runtime, site)
        send_due(runtime, post=post())
        send_due(runtime, post=post())
        (told,) = other.calls
    assert b'"webhook.disabled"' in told.body
    assert gone.id.encode() in told.body
    with runtime.records.reading() as tx:
        found = webhooks.get(tx, site, gone.id)
    assert found.disabled is not None
    assert found.disabled.reason is DisabledReason.GONE
    happen(runtime, site)
    assert send_due(runtime, post=post()) == 0
    assert len(shop.calls) == 1


def test_one_that_fails_for_days_is_disabled(runtime: Runtime, site: str, shop: Receiver) -> None:
    webhook, _ = add(runtime, site, shop.address)
    shop.answering = lambda _call: Reply(500)
    happen(runtime, site)
    with runtime.records.transaction() as tx:
        row = tx.session.get_one(WebhookRow, webhook.id)
        row.failures, row.failing_since = 40, tx.now - timedelta(days=6)
    send_due(runtime, post=post())
    with runtime.records.reading() as tx:
        found = webhooks.get(tx, site, webhook.id)
    assert found.disabled is not None
    assert found.disabled.reason is DisabledReason.FAILING
    assert [one.state for one in log(runtime, site, webhook)] == [DeliveryState.FAILED]


def test_after_a_rotation_both_secrets_sign(runtime: Runtime, site: str, shop: Receiver) -> None:
    webhook, old = add(runtime, site, shop.address)
    salts = new_salts(runtime.settings)
    with runtime.records.transaction() as tx:
        webhooks.rotate(tx, site, webhook.id, salts=salts, overlap_seconds=3600)
    new = secret_of(runtime.settings, salts)
    happen(runtime, site)
    send_due(runtime, post=post())
    (call,) = shop.calls
    assert len(call.headers["webhook-signature"].split(" ")) == 2
    assert call.verified(old) == call.verified(new)


def test_what_was_delivered_is_replayed_under_its_own_id(
    runtime: Runtime, site: str, shop: Receiver
) -> None:
    webhook, secret = add(runtime, site, shop.address)
    happen(runtime, site)
    send_due(runtime, post=post())
    (one,) = log(runtime, site, webhook)
    with runtime.records.transaction() as tx:
        deliveries.replay(tx, site, one.id)
    send_due(runtime, post=post())
    first, second = shop.calls
    assert (first.event_id, first.body) == (second.event_id, second.body)
    second.verified(secret)


def test_a_host_with_another_key_signs_nothing_and_says_what_to_do(
    runtime: Runtime, site: str, shop: Receiver
) -> None:
    webhook, _ = add(runtime, site, shop.address)
    happen(runtime, site)
    elsewhere = runtime.settings.model_copy(update={"home": runtime.settings.home / "elsewhere"})
    send_due(replace(runtime, settings=elsewhere), post=post())
    assert shop.calls == []
    (one,) = log(runtime, site, webhook)
    assert one.state is DeliveryState.PENDING
    assert "TOILE_SECRET_KEY" in str(one.log[0].error)
    with runtime.records.reading() as tx:
        assert webhooks.get(tx, site, webhook.id).failures == 0


def until(seen: Callable[[], bool], seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def test_a_slow_and_a_dead_webhook_keep_nobody_waiting(runtime: Runtime, site: str) -> None:
    over = threading.Event()

    def sleep(_call: Call) -> Reply:
        over.wait(20)
        return Reply()

    with receiver(sleep) as slow, receiver() as quick:
        add(runtime, site, slow.address)
        add(runtime, site, "http://127.0.0.1:1024/nobody")
        add(runtime, site, quick.address)
        happen(runtime, site, 12)
        thread = threading.Thread(target=send_due, args=(runtime,), kwargs={"post": post(10)})
        began = time.monotonic()
        thread.start()
        try:
            until(lambda: len(quick.calls) == 12)
            assert len(slow.calls) <= 4
            happen(runtime, site, 1)  # what is new while slow ones are under way is seen too
            until(lambda: len(quick.calls) == 13)
            assert time.monotonic() - began < 5
        finally:
            over.set()
            thread.join()


def test_a_dead_webhook_is_asked_less_and_less(runtime: Runtime, site: str, shop: Receiver) -> None:
    shop.answering = lambda _call: Reply(503)
    webhook, _ = add(runtime, site, shop.address)
    happen(runtime, site, 20)
    send_due(runtime, post=post())
    assert len(shop.calls) <= SPARED_FROM + 3  # what was under way when it was enough
    with runtime.records.reading() as tx:
        found = webhooks.get(tx, site, webhook.id)
        assert found.paused_until is not None
        assert found.paused_until > tx.now + timedelta(seconds=5)
    before = len(shop.calls)
    with runtime.records.transaction() as tx:
        tx.session.query(WebhookRow).update({"paused_until": None})
    send_due(runtime, post=post())
    assert len(shop.calls) == before + 1


@ON_BOTH
def test_two_who_send_at_once_send_each_event_once(runtime: Runtime, site: str) -> None:
    with receiver() as shop:
        add(runtime, site, shop.address)
        happen(runtime, site, 30)
        # Without a Redis that keeps them apart, only the claims do.
        alone = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.1)
        apart = replace(runtime, redis=alone)
        threads = [
            threading.Thread(target=send_due, args=(apart,), kwargs={"post": post()})
            for _ in range(3)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(shop.calls) == 30
        assert len({call.event_id for call in shop.calls}) == 30


def test_a_second_goes_home_and_the_first_takes_what_came_meanwhile(
    runtime: Runtime, site: str, redis: Redis, shop: Receiver
) -> None:
    add(runtime, site, shop.address)
    happen(runtime, site)
    redis.set("toile:webhooks:sending", "another", ex=30)
    assert send_due(runtime, post=post()) == 0
    assert redis.get("toile:webhooks:sending") == b"another"
    redis.delete("toile:webhooks:sending")
    assert send_due(runtime, post=post()) == 1
    assert redis.exists("toile:webhooks:sending") == 0


def test_an_event_hints_at_once_and_only_once(runtime: Runtime, site: str, redis: Redis) -> None:
    runtime.records.on_announced = runtime.sender.hint_webhooks
    happen(runtime, site)
    assert redis.exists(WEBHOOKS_HINT) == 0
    assert redis.llen("chores") == 0
    add(runtime, site, "https://shop.example/")
    happen(runtime, site, 3)
    assert redis.llen("chores") == 1
    assert redis.exists(WEBHOOKS_HINT) == 1


DELIVERER = """
import sys
from shared.settings import load_settings
from worker.runtime import open_runtime
from worker.jobs.webhooks import send_due
send_due(open_runtime(load_settings()))
"""


def test_a_worker_killed_on_the_way_loses_no_event(runtime: Runtime, site: str) -> None:
    over = threading.Event()

    def hang(_call: Call) -> Reply:
        over.wait(20)
        return Reply()

    with receiver(hang) as shop:
        webhook, secret = add(runtime, site, shop.address)
        happen(runtime, site)
        settings = runtime.settings
        names = {"home": str(settings.home), "webhook_networks": ",".join(HERE)}
        for name in ("redis_url", "database_url"):
            value = getattr(settings, name)
            names |= {} if value is None else {name: value.get_secret_value()}
        own = {f"TOILE_{name.upper()}": value for name, value in names.items()}
        with subprocess.Popen(
            [sys.executable, "-c", DELIVERER],
            env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path), **own},
        ) as worker:
            until(lambda: len(shop.calls) == 1, seconds=60)
            worker.send_signal(signal.SIGKILL)
        over.set()
        shop.answering = lambda _call: Reply()
        (one,) = log(runtime, site, webhook)
        assert (one.state, one.attempts, one.log) == (DeliveryState.PENDING, 1, ())
        runtime.redis.flushall()  # its lock would go by itself, later
        assert send_due(runtime, post=post()) == 0
        with runtime.records.transaction() as tx:  # the lease runs out
            tx.session.query(DeliveryRow).update({"leased_until": tx.now - timedelta(seconds=1)})
        assert send_due(runtime, post=post()) == 1
        first, second = shop.calls
        assert (first.event_id, first.body) == (second.event_id, second.body)
        Verifier(secret).verify(second.body, second.headers)
        (one,) = log(runtime, site, webhook)
        assert (one.state, one.attempts) == (DeliveryState.DELIVERED, 2)


def test_a_job_ends_whatever_becomes_of_its_webhooks(runtime: Runtime, site: str) -> None:
    add(runtime, site, "https://127.0.0.1/refused")
    runtime.records.on_announced = replace_with_dead_redis(runtime)
    job = an_ingest_job(runtime.records, site)
    with runtime.records.transaction() as tx:
        held = lifecycle.claim(tx, job.id, worker="w", lease=timedelta(seconds=9), max_attempts=3)
    assert held is not None
    with runtime.records.transaction() as tx:
        assert lifecycle.finish(tx, held, JobState.SUCCEEDED).state is JobState.SUCCEEDED


def replace_with_dead_redis(runtime: Runtime) -> Callable[[], None]:
    from pydantic import SecretStr

    from shared.queue.sender import Sender

    dead = runtime.settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    return Sender.from_settings(dead).hint_webhooks
