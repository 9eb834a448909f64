"""Quotas in the transaction that writes the jobs, and what the jobs' ends count."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from shared.errors import QuotaExceededError, StorageFullError
from shared.jobs import lifecycle
from shared.jobs.ends import LeaseLostError
from shared.jobs.quotas import Quotas
from shared.jobs.submit import Asked, Terms, submit, submit_all
from shared.queue.sender import Sender
from shared.records import Records, designs, limits, usage
from shared.records.usage import Used
from shared.schemas.jobs import Budget, DesignSpec, JobRecord, JobState, Reason, TrainingSpec
from shared.schemas.usage import MICRO, Measure
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_release, a_site

pytestmark = ON_BOTH

LEASE = timedelta(seconds=60)


@pytest.fixture
def sender(settings: Settings, redis: Redis) -> Sender:
    redis.ping()
    return Sender.from_settings(settings)


@pytest.fixture
def site(records: Records) -> str:
    return a_site(records)


@pytest.fixture
def release(records: Records, site: str) -> str:
    return a_release(records, site).id


def quotas(settings: Settings, **own: Any) -> Quotas:
    return Quotas(limits.resolved(settings, limits.OwnLimits(**own)))


def a_design(release: str, *, count: int = 1, seed: int = 0) -> Asked:
    spec = DesignSpec(
        release_id=release, count=count, condition={}, seed=seed, size=32, format="png"
    )
    return Asked(spec, Terms(repeatable=True))


def a_training(*, minutes: float) -> TrainingSpec:
    return TrainingSpec(
        catalog_id="cat_of_no_matter", catalog_version=1, model="m", size=32,
        budget=Budget(minutes=minutes), seed=0, attributes=(),
    )  # fmt: skip


def used(records: Records, site: str, measure: Measure) -> int:
    with records.reading() as tx:
        return usage.sum_of(tx, site, measure, since=tx.now.date().replace(day=1))


def test_the_days_images_are_counted_and_the_next_one_is_refused(
    records: Records, sender: Sender, settings: Settings, site: str, release: str
) -> None:
    admit = quotas(settings, designs_a_day=10).admit
    submit_all(records, sender, site, [a_design(release, count=8)], admit=admit)
    with pytest.raises(QuotaExceededError) as refused:
        submit_all(records, sender, site, [a_design(release, count=3, seed=1)], admit=admit)
    assert refused.value.details["quota"] == "designs_a_day"
    assert (refused.value.details["used"], refused.value.details["limit"]) == (8, 10)
    assert 0 < refused.value.details["retry_after"] <= 86_400
    submit_all(records, sender, site, [a_design(release, count=2, seed=2)], admit=admit)
    assert used(records, site, Measure.ASKED) == 10, "what was refused is not counted"


def test_the_answer_to_an_equal_request_costs_nothing_more(
    records: Records, sender: Sender, settings: Settings, site: str, release: str
) -> None:
    admit = quotas(settings, designs_a_day=4).admit
    first = submit_all(records, sender, site, [a_design(release, count=4)], admit=admit)
    again = submit_all(records, sender, site, [a_design(release, count=4)], admit=admit)
    assert first[0].id == again[0].id


def test_of_many_at_once_only_as_many_pass_as_there_is_room_for(
    records: Records, sender: Sender, settings: Settings, site: str, release: str
) -> None:
    admit = quotas(settings, designs_a_day=5).admit
    told: list[str] = []

    def ask(seed: int) -> None:
        try:
            submit_all(records, sender, site, [a_design(release, seed=seed)], admit=admit)
            told.append("taken")
        except QuotaExceededError:
            told.append("refused")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (told.count("taken"), told.count("refused")) == (5, 7)


def test_many_trainings_at_once_do_not_pass_where_one_may(
    records: Records, sender: Sender, settings: Settings, site: str
) -> None:
    admit = quotas(settings, training_minutes_a_month=10).admit
    spec = a_training(minutes=6)
    told: list[str] = []

    def ask() -> None:
        try:
            submit(records, sender, site, spec, admit=admit)
            told.append("taken")
        except QuotaExceededError as error:
            told.append(str(error.details["quota"]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["taken", *["training_minutes_a_month"] * 3]


def test_a_cancelled_design_job_gives_its_images_back_once(
    records: Records, sender: Sender, settings: Settings, site: str, release: str
) -> None:
    admit = quotas(settings, designs_a_day=10).admit
    (job,) = submit_all(records, sender, site, [a_design(release, count=4)], admit=admit)
    for _ in range(2):
        with records.transaction() as tx:
            lifecycle.request_cancel(tx, job.id, site_id=site)
    assert used(records, site, Measure.ASKED) == 0


def test_more_is_never_given_back_than_was_counted(
    records: Records, sender: Sender, site: str, release: str
) -> None:
    (job,) = submit_all(records, sender, site, [a_design(release, count=4)])
    with records.transaction() as tx:
        usage.reserve(tx, site, 1)
        lifecycle.request_cancel(tx, job.id, site_id=site)
    assert used(records, site, Measure.ASKED) == 0


def test_other_jobs_that_wait_are_limited_by_themselves(
    records: Records, sender: Sender, settings: Settings, site: str, release: str
) -> None:
    admit = quotas(settings, queued_others=2).admit  # the release's own ingest waits already
    spec = a_training(minutes=1)
    submit(records, sender, site, spec, admit=admit)
    with pytest.raises(QuotaExceededError, match="may have 2"):
        submit(records, sender, site, spec, admit=admit)
    submit_all(records, sender, site, [a_design(release)], admit=admit)


def test_a_site_that_keeps_too_much_may_add_nothing(
    records: Records, sender: Sender, settings: Settings, site: str, release: str
) -> None:
    (job,) = submit_all(records, sender, site, [a_design(release)])
    with records.transaction() as tx:
        lifecycle.request_cancel(tx, job.id, site_id=site)
        designs.publish(tx, [a_row(job, release, length=700)])
        assert usage.storage(tx, site) == 700
    admit = quotas(settings, storage_bytes=700).admit
    with pytest.raises(StorageFullError) as refused:
        submit(records, sender, site, a_training(minutes=1), admit=admit)
    assert refused.value.details == {"quota": "storage_bytes", "used": 700, "limit": 700}
    roomy = quotas(settings, storage_bytes=701).admit
    submit(records, sender, site, a_training(minutes=1), admit=roomy)


def a_row(job: JobRecord, release: str, *, length: int) -> dict[str, Any]:
    return {
        "id": f"des_{job.id.removeprefix('job_')}", "site_id": job.site_id, "job_id": job.id,
        "release_id": release, "position": 0, "seed": 0, "condition": {}, "size": 32,
        "format": "png", "artifact": "designs/x", "start": 0, "length": length, "sha256": "0" * 64,
        "frames": 1,
    }  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 30, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def claim(records: Records, job: JobRecord) -> JobRecord:
    with records.transaction() as tx:
        taken = lifecycle.claim(tx, job.id, worker="w", lease=LEASE, max_attempts=9)
    assert taken is not None
    return taken


def test_a_training_costs_what_its_attempts_took_and_lost_ones_nothing(
    records: Records, sender: Sender, site: str
) -> None:
    clock = Clock()
    timed = Records(records.engine.url, clock=clock)
    job = submit(timed, sender, site, a_training(minutes=9))
    held = claim(timed, job)
    clock.now += timedelta(seconds=100)  # drained after 100 s, past midnight
    with timed.transaction() as tx:
        lifecycle.put_back(tx, held, reason=Reason.DRAINED, delay=timedelta(0))
    held = claim(timed, job)
    clock.now += timedelta(seconds=500)  # its worker dies
    with timed.transaction() as tx:
        lifecycle.put_back(tx, held, reason=Reason.LOST_WORKER, delay=timedelta(0))
    held = claim(timed, job)
    clock.now += timedelta(seconds=20.5)
    with timed.transaction() as tx:
        lifecycle.finish(tx, held, JobState.SUCCEEDED, result={})
        (day,) = usage.by_day(tx, site, first=clock.now.date(), last=clock.now.date())
    assert day.training_minutes == pytest.approx(120.5 / 60)
    assert str(day.day) == "2026-03-31", "on the day on which it ended"
    with timed.transaction() as tx, pytest.raises(LeaseLostError):
        lifecycle.finish(tx, held, JobState.SUCCEEDED, result={})
    with timed.reading() as tx:
        took = usage.sum_of(tx, site, Measure.TRAINING, since=clock.now.date())
    assert took == 120.5 * MICRO
    timed.close()


def test_minutes_that_were_used_leave_less_room(
    records: Records, sender: Sender, settings: Settings, site: str
) -> None:
    with records.transaction() as tx:
        usage.add(tx, [Used(site, Measure.TRAINING, 8 * 60 * MICRO)])
    admit = quotas(settings, training_minutes_a_month=10).admit
    with pytest.raises(QuotaExceededError) as refused:
        submit(records, sender, site, a_training(minutes=3), admit=admit)
    assert refused.value.details["used"] == 8
    assert 0 < refused.value.details["retry_after"] <= 31 * 86_400
    submit(records, sender, site, a_training(minutes=2), admit=admit)


def test_usage_is_added_up_by_day_and_measure(records: Records, site: str) -> None:
    for _ in range(3):
        with records.transaction() as tx:
            usage.add(
                tx,
                [
                    Used(site, Measure.DESIGNS, 2),
                    Used(site, Measure.DEVICE, 1_500_000),
                    Used(site, Measure.DESIGNS, 1),
                ],
            )
            today = tx.now.date()
    with records.reading() as tx:
        (day,) = usage.by_day(tx, site, first=today, last=today)
        assert usage.by_day(tx, site, first=today, last=today - timedelta(days=1)) == []
    assert (day.designs, day.device_seconds, day.storage_bytes) == (9, 4.5, None)


def test_measured_storage_is_the_days_last_one(records: Records, site: str) -> None:
    for size in (5, 3):
        with records.transaction() as tx:
            usage.write_storage(tx, site, size)
    with records.reading() as tx:
        assert usage.stored(tx, site) == 3
