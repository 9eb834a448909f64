"""Rows that are read through the driver itself, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import DatabaseUnavailableError, NotFoundError
from shared.jobs import lifecycle
from shared.records import Records, jobs
from shared.schemas.jobs import JobState
from shared.settings import Settings
from tests.fixtures.away import database_away
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_site, an_ingest_job

pytestmark = ON_BOTH


def test_a_job_that_is_found_is_the_one_that_a_glance_gets(records: Records) -> None:
    site_id = a_site(records)
    waiting = an_ingest_job(records, site_id, catalog="waits")
    ended = an_ingest_job(records, site_id, catalog="ends")
    with records.transaction() as tx:
        claimed = lifecycle.claim(
            tx, ended.id, worker="w", lease=timedelta(minutes=1), max_attempts=5
        )
        assert claimed is not None
        told = {"made": [1, 2.5, "Ü \u2028", None, {"deep": True}]}
        lifecycle.finish(tx, claimed, JobState.SUCCEEDED, result=told)
    for job_id in (waiting.id, ended.id):
        with records.glance() as tx:
            got = jobs.get(tx, job_id)
        found = jobs.find(records, job_id, site_id=site_id)
        assert found == got
        assert found.model_dump_json() == got.model_dump_json()
    assert found.result == told
    assert isinstance(found.finished_at, datetime)
    assert found.finished_at.tzinfo is UTC


def test_what_is_not_there_or_anothers_is_not_found(records: Records) -> None:
    site_id, other = a_site(records, "one"), a_site(records, "other")
    job = an_ingest_job(records, site_id)
    for job_id, asks in (("job_000000000000000000000000", site_id), (job.id, other)):
        with pytest.raises(NotFoundError):
            jobs.find(records, job_id, site_id=asks)


def test_a_database_that_is_away_is_told_and_found_again(
    records: Records, settings: Settings
) -> None:
    site_id = a_site(records)
    job = an_ingest_job(records, site_id)
    assert jobs.find(records, job.id, site_id=site_id).id == job.id
    with database_away(settings.database), pytest.raises(DatabaseUnavailableError) as told:
        jobs.find(records, job.id, site_id=site_id)
    assert "toile doctor" in str(told.value)
    assert jobs.find(records, job.id, site_id=site_id).id == job.id


def test_each_look_sees_what_was_committed_before_it(records: Records) -> None:
    site_id = a_site(records)
    job = an_ingest_job(records, site_id)
    assert jobs.find(records, job.id, site_id=site_id).state is JobState.QUEUED
    with records.transaction() as tx:
        lifecycle.request_cancel(tx, job.id, site_id=site_id)
    assert jobs.find(records, job.id, site_id=site_id).state is JobState.CANCELLED
