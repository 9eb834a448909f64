"""The outbox: an event is written with what it tells of, once, or not at all."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, event, func, select

from shared.errors import ConflictError, NotFoundError
from shared.jobs import ends, lifecycle, moves, recovery
from shared.jobs.submit import Terms, enqueue
from shared.records import (
    Records,
    alerts,
    deliveries,
    jobs,
    migrate,
    shoppers,
    webhooks,
)
from shared.records.deliveries import Taken, Tried
from shared.records.tables import DeliveryAttemptRow, DeliveryRow
from shared.records.webhooks import Salts
from shared.schemas.alerts import Standing
from shared.schemas.jobs import DesignSpec, JobRecord, JobState, Reason
from shared.schemas.webhooks import (
    KEEP_TRYING,
    MOST_WEBHOOKS,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    DisabledReason,
    EventType,
    Webhook,
)
from shared.webhooks.schedule import at_once
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_design_job, a_release, a_site, an_ingest_job

pytestmark = ON_BOTH

LEASE = timedelta(seconds=30)
SALTS = Salts(salt="5a" * 32, key_mark="k")


class Clock:
    """A time that moves only when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 26, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **much: float) -> None:
        self.now += timedelta(**much)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables; made once, for each test copies it."""
    path = tmp_path_factory.mktemp("migrated") / "t.sqlite3"
    opened = Records(URL.create("sqlite", database=str(path)))
    migrate.upgrade(opened)
    opened.close()
    return path


@pytest.fixture
def records(
    tmp_path: Path, clock: Clock, database: URL | None, migrated: Path
) -> Iterator[Records]:
    copy = Path(shutil.copy(migrated, tmp_path))
    opened = Records(database or URL.create("sqlite", database=str(copy)), clock=clock)
    if database is not None:
        migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def site(records: Records) -> str:
    return a_site(records)


def hook(records: Records, site: str, *events: EventType) -> Webhook:
    with records.transaction() as tx:
        return webhooks.create(
            tx, site, address="https://shop.example/", events=events or None, description="",
            salts=SALTS,
        )  # fmt: skip


def sent(records: Records, webhook: Webhook) -> list[Delivery]:
    with records.reading() as tx:
        return list(deliveries.page(tx, webhook, limit=200).items)


def payloads(records: Records, site: str, webhook: Webhook) -> list[dict[str, Any]]:
    with records.reading() as tx:
        found = deliveries.page(tx, webhook, limit=200).items
        return [deliveries.get(tx, site, one.id).payload for one in reversed(found)]


def held(records: Records, job: JobRecord) -> JobRecord:
    with records.transaction() as tx:
        found = lifecycle.claim(tx, job.id, worker="w", lease=LEASE, max_attempts=3)
    assert found is not None
    return found


def take(records: Records, room: int = 16) -> list[Taken]:
    with records.transaction() as tx:
        return deliveries.claim(tx, room=room, lease=LEASE, at_once=at_once)


def settle(
    records: Records, taken: Taken, state: DeliveryState, status: int = 500, **more: Any
) -> Webhook | None:
    with records.transaction() as tx:
        attempt = DeliveryAttempt(
            number=taken.attempts, at=tx.now, seconds=0.1, status=status, error=None, answer=""
        )
        pause = timedelta(seconds=5) if state is DeliveryState.PENDING else None
        return deliveries.settle(
            tx, taken, Tried(attempt=attempt, state=state, pause=pause, **more)
        )


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (JobState.SUCCEEDED, EventType.JOB_SUCCEEDED),
        (JobState.FAILED, EventType.JOB_FAILED),
        (JobState.CANCELLED, EventType.JOB_CANCELLED),
    ],
)
def test_each_end_of_a_job_is_told_once(
    records: Records, site: str, state: JobState, told: EventType, clock: Clock
) -> None:
    webhook = hook(records, site)
    job = held(records, an_ingest_job(records, site))
    with records.transaction() as tx:
        lifecycle.finish(tx, job, state, reason="because")
    with pytest.raises(ends.LeaseLostError), records.transaction() as tx:
        lifecycle.finish(tx, job, state)
    (one,) = sent(records, webhook)
    assert (one.type, one.subject, one.state) == (told, job.id, DeliveryState.PENDING)
    (payload,) = payloads(records, site, webhook)
    assert payload == {
        "type": told.value,
        "timestamp": clock.now.isoformat().replace("+00:00", "Z"),
        "version": 1,
        "data": {
            "id": job.id, "kind": "ingest", "state": state.value, "reason": "because",
            "release_id": None, "shopper": None,
            "created_at": job.created_at.isoformat().replace("+00:00", "Z"),
            "finished_at": clock.now.isoformat().replace("+00:00", "Z"),
            "url": f"/v1/jobs/{job.id}",
        },
    }  # fmt: skip


class BrokeError(Exception):
    pass


def test_an_end_that_is_rolled_back_tells_nothing(records: Records, site: str) -> None:
    webhook = hook(records, site)
    job = held(records, an_ingest_job(records, site))

    def end_and_break() -> None:
        with records.transaction() as tx:
            lifecycle.finish(tx, job, JobState.SUCCEEDED)
            raise BrokeError

    with pytest.raises(BrokeError):
        end_and_break()
    assert sent(records, webhook) == []
    with records.reading() as tx:
        assert jobs.get(tx, job.id).state is JobState.RUNNING


def test_whoever_sends_is_told_after_the_commit_and_only_of_events(
    records: Records, site: str
) -> None:
    told: list[int] = []
    webhook = hook(records, site, EventType.JOB_CANCELLED)

    def look() -> None:
        told.append(len(sent(records, webhook)))

    records.on_announced = look
    job = an_ingest_job(records, site)
    other = held(records, an_ingest_job(records, site, catalog="other"))
    with records.transaction() as tx:
        lifecycle.finish(tx, other, JobState.SUCCEEDED)
    assert told == []
    with records.transaction() as tx:
        lifecycle.request_cancel(tx, job.id, site_id=site)
        assert told == []
    assert told == [1]


def test_a_queued_job_that_is_cancelled_is_told_and_a_running_one_when_it_stops(
    records: Records, site: str
) -> None:
    webhook = hook(records, site)
    queued = an_ingest_job(records, site)
    running = held(records, an_ingest_job(records, site, catalog="other"))
    for _ in range(2):
        with records.transaction() as tx:
            for job in (queued, running):
                lifecycle.request_cancel(tx, job.id, site_id=site)
    assert [one.subject for one in sent(records, webhook)] == [queued.id]
    with records.transaction() as tx:
        lifecycle.finish(tx, running, JobState.CANCELLED, reason=Reason.CANCELLED_BY_CALLER)
    assert {one.subject for one in sent(records, webhook)} == {queued.id, running.id}


def test_what_upkeep_ends_is_told(records: Records, site: str, clock: Clock) -> None:
    webhook = hook(records, site)
    job = held(records, an_ingest_job(records, site))
    spec = DesignSpec(
        release_id=a_release(records, site).id, count=1, condition={}, seed=1, size=32, format="png"
    )
    with records.transaction() as tx:
        late = enqueue(tx, site, spec, terms=Terms(expires_in=5))
    clock.pass_by(hours=1)
    with records.transaction() as tx:
        for is_first in (True, False):
            ended = recovery.recover(tx, job, max_attempts=1, first_delay=timedelta(0))
            assert (ended is not None) is is_first
        assert lifecycle.expire(tx, most=10) == 1
    told = [one.subject for one in sent(records, webhook) if one.type is EventType.JOB_FAILED]
    assert sorted(told) == sorted([job.id, late.id])


def batch(records: Records, site: str, size: int) -> list[JobRecord]:
    release = a_release(records, site).id
    for seed in range(size):
        a_design_job(records, site, release, seed=seed)
    with records.transaction() as tx:
        return lifecycle.claim_designs(
            tx, release, worker="w", lease=LEASE, max_attempts=3, most_images=size
        )


def statements(records: Records, ended: list[JobRecord]) -> list[str]:
    found: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    event.listen(records.engine, "before_cursor_execute", note)
    try:
        with records.transaction() as tx:
            lifecycle.finish_all(tx, [(job, {}) for job in ended])
    finally:
        event.remove(records.engine, "before_cursor_execute", note)
    return [one for one in found if "webhooks" in one or "deliveries" in one]


def test_a_batch_costs_one_query_and_one_statement_more_where_somebody_listens(
    records: Records, site: str
) -> None:
    made = batch(records, site, 64)
    assert len(statements(records, made[:32])) == 1
    webhook = hook(records, site)
    assert len(statements(records, made[32:])) == 2
    told = sent(records, webhook)
    assert {one.subject for one in told} == {job.id for job in made[32:]}
    assert len({one.event_id for one in told}) == 32


def test_the_members_of_a_batch_that_are_lost_are_not_told(records: Records, site: str) -> None:
    first, second = batch(records, site, 2)
    webhook = hook(records, site)
    with records.transaction() as tx:
        ends.cancelled(tx, first, moves.WITHDRAW)
        lifecycle.finish_all(tx, [(first, {}), (second, {})])
    assert [one.subject for one in sent(records, webhook)] == [second.id]


def test_only_whoever_wants_an_event_gets_it_and_all_under_one_id(
    records: Records, site: str
) -> None:
    rival = hook(records, a_site(records, "rival"))
    every, wanted = hook(records, site), hook(records, site, EventType.JOB_SUCCEEDED)
    other = hook(records, site, EventType.REPORT_PUBLISHED)
    resting = hook(records, site)
    with records.transaction() as tx:
        webhooks.disable(tx, resting.id, DisabledReason.CALLER)
    some_events(records, site, 1)
    (one,), (two,) = sent(records, every), sent(records, wanted)
    assert one.event_id == two.event_id
    assert one.id != two.id
    assert [sent(records, each) for each in (rival, other, resting)] == [[], [], []]


def test_releases_reports_and_trends_are_told(records: Records, site: str) -> None:
    from shared.records import reports

    webhook = hook(records, site)
    release = a_release(records, site)
    standing = Standing(
        attribute="colour", value="green", segment=None, kind="rising", was="stable", change=0.4,
        q_value=0.01, garments=60,
    )  # fmt: skip
    with records.transaction() as tx:
        report = reports.publish(
            tx,
            {
                "id": "rep_1", "site_id": site, "job_id": "job_1", "catalog_id": None,
                "data_fingerprint": "f", "summary": {}, "files": {}, "moodboards": None,
            },
        )  # fmt: skip
        alerts.create(
            tx, site, catalog_id=None, attribute=None, value=None, segment=None,
            kinds=("rising", "declining"),
        )  # fmt: skip
        falling = standing.model_copy(update={"value": "navy", "kind": "declining"})
        fired = alerts.settle(tx, site, None, report.id, [standing, falling])
    told = {one["type"]: one["data"] for one in payloads(records, site, webhook)}
    assert told["release.published"] == {
        "id": release.id, "number": 1, "model_id": release.model_id, "model": "dresses",
        "job_id": release.job_id, "url": release.url, "card_url": release.card_url,
    }  # fmt: skip
    assert told["report.published"]["url"] == "/v1/trend-reports/rep_1"
    assert (told["trend.rising"]["value"], told["trend.falling"]["value"]) == ("green", "navy")
    assert {told["trend.rising"]["id"], told["trend.falling"]["id"]} == {one.id for one in fired}


def test_a_shopper_is_told_of_by_the_sites_own_reference_and_forgotten_with_all_events(
    records: Records, site: str, tmp_path: Path
) -> None:
    from shared.artifacts.local import LocalArtifacts
    from shared.shoppers.erasing import erase

    webhook = hook(records, site)
    release = a_release(records, site).id
    spec = DesignSpec(release_id=release, count=1, condition={}, seed=1, size=32, format="png")
    with records.transaction() as tx:
        shopper = shoppers.ensure(tx, site, "c-1042")
        done, waiting = (
            enqueue(tx, site, spec.model_copy(update={"seed": seed}),
                    terms=Terms(shopper_id=shopper.id))
            for seed in (1, 2)
        )  # fmt: skip
    job = held(records, done)
    with records.transaction() as tx:
        lifecycle.finish_all(tx, [(job, {})])
    taken = [one for one in take(records) if "c-1042" in one.payload]
    settle(records, taken[0], DeliveryState.PENDING)
    told = [one for one in payloads(records, site, webhook) if one["type"] == "job.succeeded"]
    assert [one["data"]["shopper"] for one in told] == ["c-1042"]
    assert shopper.id not in json.dumps(told)
    receipt = erase(records, LocalArtifacts(tmp_path / "store"), site, "c-1042")
    assert receipt.removed["deliveries"] == 1
    left = payloads(records, site, webhook)
    assert [one["type"] for one in left] == ["release.published"]
    assert waiting.id not in json.dumps(left)
    with records.reading() as tx:
        count = select(func.count()).select_from(DeliveryAttemptRow)
        assert tx.session.execute(count).scalar_one() == 0


def some_events(records: Records, site: str, count: int) -> None:
    for number in range(count):
        job = held(records, an_ingest_job(records, site, catalog=f"{site} {number}"))
        with records.transaction() as tx:
            lifecycle.finish(tx, job, JobState.SUCCEEDED)


def test_what_is_taken_is_nobody_elses_until_the_lease_is_over(
    records: Records, site: str, clock: Clock
) -> None:
    hook(records, site)
    some_events(records, site, 1)
    (first,) = take(records)
    assert take(records) == []
    clock.pass_by(seconds=31)
    (second,) = take(records)
    assert (second.id, second.event_id, second.payload) == (first.id, first.event_id, first.payload)
    assert settle(records, first, DeliveryState.FAILED) is None
    with records.reading() as tx:
        assert deliveries.get(tx, site, first.id).state is DeliveryState.PENDING
    settle(records, second, DeliveryState.DELIVERED, status=204)
    with records.reading() as tx:
        detail = deliveries.get(tx, site, first.id)
    assert (detail.state, detail.attempts, detail.due_at) == (DeliveryState.DELIVERED, 2, None)
    assert [one.number for one in detail.log] == [2]
    assert take(records) == []


def test_each_webhook_has_few_tries_at_once_and_all_have_their_turn(
    records: Records, site: str
) -> None:
    first, second = hook(records, site), hook(records, site)
    some_events(records, site, 6)
    taken = take(records, room=16)
    assert [sum(one.webhook_id == each.id for one in taken) for each in (first, second)] == [4, 4]
    assert take(records) == []  # those that run count
    settle(records, taken[0], DeliveryState.DELIVERED)
    (more,) = take(records)
    assert more.webhook_id == taken[0].webhook_id


def test_whoever_was_served_longest_ago_comes_first(
    records: Records, site: str, clock: Clock
) -> None:
    hooks = [hook(records, site) for _ in range(3)]
    some_events(records, site, 3)
    served = []
    for _ in range(3):
        taken = take(records, room=1)
        served += [one.webhook_id for one in taken]
        clock.pass_by(seconds=1)
    assert sorted(served) == sorted(one.id for one in hooks)


def test_a_failure_waits_for_its_pause_and_a_spared_webhook_for_its_own(
    records: Records, site: str, clock: Clock
) -> None:
    webhook = hook(records, site)
    some_events(records, site, 2)
    first, _second = take(records)
    settle(records, first, DeliveryState.PENDING, spare=timedelta(seconds=60))
    clock.pass_by(seconds=40)
    assert take(records) == []
    clock.pass_by(seconds=21)
    assert len(take(records)) == 2
    with records.reading() as tx:
        found = webhooks.get(tx, site, webhook.id)
    assert found.failures == 1
    assert found.failing_since is not None


def test_a_success_ends_the_count_of_failures(records: Records, site: str, clock: Clock) -> None:
    webhook = hook(records, site)
    some_events(records, site, 1)
    settle(records, take(records)[0], DeliveryState.PENDING)
    clock.pass_by(seconds=6)
    settle(records, take(records)[0], DeliveryState.DELIVERED, status=200)
    with records.reading() as tx:
        found = webhooks.get(tx, site, webhook.id)
    assert (found.failures, found.failing_since, found.paused_until) == (0, None, None)


def test_our_own_faults_are_not_counted(records: Records, site: str) -> None:
    webhook = hook(records, site)
    some_events(records, site, 1)
    settle(records, take(records)[0], DeliveryState.PENDING, is_theirs=False)
    with records.reading() as tx:
        assert webhooks.get(tx, site, webhook.id).failures == 0


def test_a_webhook_that_is_disabled_gets_nothing_and_the_others_are_told(
    records: Records, site: str, clock: Clock
) -> None:
    dead, watching = hook(records, site), hook(records, site, EventType.WEBHOOK_DISABLED)
    some_events(records, site, 3)
    taken = take(records)
    disabled = settle(records, taken[0], DeliveryState.PENDING, disable=DisabledReason.FAILING)
    assert disabled is not None
    assert disabled.disabled is not None
    assert disabled.disabled.reason is DisabledReason.FAILING
    assert {one.state for one in sent(records, dead)} == {DeliveryState.FAILED}
    (told,) = payloads(records, site, watching)
    assert told["type"] == "webhook.disabled"
    assert told["data"]["id"] == dead.id
    assert settle(records, taken[1], DeliveryState.PENDING) is None
    clock.pass_by(days=1)
    assert {one.webhook_id for one in take(records)} == {watching.id}
    later = an_ingest_job(records, site, catalog="later")
    with records.transaction() as tx:
        lifecycle.request_cancel(tx, later.id, site_id=site)
        assert [one.id for one in webhooks.troubled(tx, site)] == [dead.id]
        enabled = webhooks.enable(tx, site, dead.id)
    assert (enabled.disabled, enabled.failures, enabled.failing_since) == (None, 0, None)
    assert len(sent(records, dead)) == 3


def test_what_failed_is_replayed_under_its_own_id_for_another_day(
    records: Records, site: str, clock: Clock
) -> None:
    webhook = hook(records, site)
    some_events(records, site, 1)
    (taken,) = take(records)
    settle(records, taken, DeliveryState.FAILED)
    clock.pass_by(days=2)
    with records.transaction() as tx:
        again = deliveries.replay(tx, site, taken.id)
    assert (again.state, again.event_id) == (DeliveryState.PENDING, taken.event_id)
    assert again.ends_at == clock.now + KEEP_TRYING
    (second,) = take(records)
    assert (second.step, second.attempts, second.payload) == (0, 2, taken.payload)
    settle(records, second, DeliveryState.DELIVERED, status=200)
    with records.transaction() as tx:

        def again_since(since: datetime, state: str) -> int:
            return deliveries.replay_since(tx, site, webhook.id, since=since, states=(state,))

        early = clock.now - timedelta(days=3)
        assert again_since(clock.now, "delivered") == 0
        assert again_since(early, "failed") == 0
        assert again_since(early, "delivered") == 1
        webhooks.disable(tx, webhook.id, DisabledReason.CALLER)
    with pytest.raises(ConflictError, match="disabled"), records.transaction() as tx:
        deliveries.replay(tx, site, taken.id)


def test_what_is_still_pending_after_its_day_is_given_up_and_old_logs_go(
    records: Records, site: str, clock: Clock
) -> None:
    hook(records, site)
    some_events(records, site, 2)
    clock.pass_by(hours=24.5)
    with records.transaction() as tx:
        assert deliveries.expire(tx) == 0  # the last try may come a little late
        assert deliveries.is_due(tx)
    clock.pass_by(hours=1)
    with records.transaction() as tx:
        assert deliveries.expire(tx) == 2
        assert not deliveries.is_due(tx)
        assert deliveries.forget(tx, before=clock.now - timedelta(days=30), most=10) == 0
        assert deliveries.forget(tx, before=clock.now, most=1) == 1
        assert deliveries.forget(tx, before=clock.now, most=10) == 1


def test_a_rotation_signs_with_both_until_the_overlap_is_over(
    records: Records, site: str, clock: Clock
) -> None:
    webhook = hook(records, site)
    some_events(records, site, 3)
    assert take(records, room=1)[0].salts == (SALTS.salt,)
    new = Salts(salt="6b" * 32, key_mark="k")
    with records.transaction() as tx:
        changed = webhooks.rotate(tx, site, webhook.id, salts=new, overlap_seconds=60)
    assert changed.old_secret_until == clock.now + timedelta(seconds=60)
    assert take(records, room=1)[0].salts == (new.salt, SALTS.salt)
    clock.pass_by(seconds=61)
    assert take(records, room=1)[0].salts == (new.salt,)
    with records.transaction() as tx:
        found = webhooks.get(tx, site, webhook.id)
        assert found.old_secret_until is None
        foreign = Salts(salt="7c" * 32, key_mark="another key")
        changed = webhooks.rotate(tx, site, webhook.id, salts=foreign, overlap_seconds=60)
    assert changed.old_secret_until is None


def test_a_removed_webhook_takes_its_log_along(records: Records, site: str) -> None:
    webhook = hook(records, site)
    some_events(records, site, 1)
    (taken,) = take(records)
    settle(records, taken, DeliveryState.PENDING)
    with records.transaction() as tx:
        webhooks.remove(tx, site, webhook.id)
        for table in (DeliveryRow, DeliveryAttemptRow):
            count = select(func.count()).select_from(table)
            assert tx.session.execute(count).scalar_one() == 0
    assert settle(records, taken, DeliveryState.DELIVERED) is None
    with pytest.raises(NotFoundError), records.reading() as tx:
        webhooks.get(tx, site, webhook.id)


def test_a_site_has_not_more_webhooks_than_it_may(records: Records, site: str) -> None:
    for _ in range(MOST_WEBHOOKS):
        hook(records, site)
    with pytest.raises(ConflictError, match="16"):
        hook(records, site)


def test_going_back_before_webhooks_leaves_the_rest(records: Records, site: str) -> None:
    hook(records, site)
    some_events(records, site, 1)
    migrate.downgrade(records, "0009")
    migrate.upgrade(records)
    with records.reading() as tx:
        assert list(webhooks.page(tx, site).items) == []
        assert len(jobs.page(tx, site).items) == 1
