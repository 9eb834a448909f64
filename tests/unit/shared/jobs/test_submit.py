import pytest
from pydantic import SecretStr
from redis import Redis

from shared.errors import IdempotencyMismatchError
from shared.jobs.submit import fingerprint_of, submit
from shared.queue.names import Queue
from shared.queue.sender import Sender, hint_key
from shared.records import Records, catalogs, jobs
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.jobs import DesignSpec, IngestSpec, JobKind, JobState, PathSource
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_release, a_site

pytestmark = ON_BOTH


@pytest.fixture
def sender(settings: Settings, redis: Redis) -> Sender:
    redis.ping()
    return Sender.from_settings(settings)


@pytest.fixture
def away(settings: Settings) -> Sender:
    """A sender whose Redis does not answer."""
    gone = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    return Sender.from_settings(gone)


def ingest_spec(records: Records, site_id: str) -> IngestSpec:
    with records.transaction() as tx:
        made = catalogs.create(tx, site_id, CatalogRequest(name="summer"))
    return IngestSpec(catalog_id=made.id, source=PathSource(path="/pictures"))


def test_a_submitted_job_is_a_row_and_then_a_message(
    records: Records, sender: Sender, redis: Redis
) -> None:
    site_id = a_site(records)
    job = submit(records, sender, site_id, ingest_spec(records, site_id))
    with records.reading() as tx:
        row = jobs.get(tx, job.id)
    assert row.state is JobState.QUEUED
    assert row.sent_at is not None
    assert redis.llen(Queue.CHORES) == 1


def test_with_redis_away_the_row_is_kept_unsent(records: Records, away: Sender) -> None:
    site_id = a_site(records)
    job = submit(records, away, site_id, ingest_spec(records, site_id))
    with records.reading() as tx:
        assert jobs.get(tx, job.id).sent_at is None
        assert [one.id for one in jobs.waiting(tx, [JobKind.INGEST], most=9)] == [job.id]


def test_the_same_key_and_body_give_the_same_job(records: Records, sender: Sender) -> None:
    site_id = a_site(records)
    spec = ingest_spec(records, site_id)
    first = submit(records, sender, site_id, spec, idempotency_key="order-7")
    again = submit(records, sender, site_id, spec, idempotency_key="order-7")
    assert again.id == first.id
    with records.reading() as tx:
        assert len(jobs.page(tx, site_id).items) == 1


def test_the_same_key_with_another_body_is_refused(records: Records, sender: Sender) -> None:
    site_id = a_site(records)
    spec = ingest_spec(records, site_id)
    submit(records, sender, site_id, spec, idempotency_key="order-7")
    other = spec.model_copy(update={"source": PathSource(path="/others")})
    with pytest.raises(IdempotencyMismatchError):
        submit(records, sender, site_id, other, idempotency_key="order-7")


def test_many_designs_of_one_release_send_one_message(
    records: Records, sender: Sender, redis: Redis
) -> None:
    site_id = a_site(records)
    release = a_release(records, site_id)
    for seed in range(5):
        spec = DesignSpec(
            release_id=release.id, count=1, condition={}, seed=seed, size=32, format="png"
        )
        submit(records, sender, site_id, spec)
    assert redis.llen(Queue.GENERATE) == 1
    sender.clear_hint(release.id)
    assert not redis.exists(hint_key(release.id))


def test_a_fingerprint_does_not_depend_on_the_order_of_fields() -> None:
    assert fingerprint_of({"a": 1, "b": [2]}) == fingerprint_of({"b": [2], "a": 1})
    assert fingerprint_of({"a": 1}) != fingerprint_of({"a": 2})
