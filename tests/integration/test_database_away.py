"""A database that is away: nothing is accepted, and finished work waits for it."""

import threading
import time
from collections.abc import Callable

import pytest

from shared.errors import DatabaseUnavailableError, RecordsFullError
from shared.records import Records, jobs
from shared.schemas.jobs import JobState
from shared.settings import Settings
from tests.fixtures.away import database_away
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import an_ingest_job
from tests.fixtures.shop import open_shop
from web.app import create_app
from web.runtime import EXTENSION
from worker.attempt import Attempt, Outcome, Publish, run
from worker.patience import until_back
from worker.runtime import DRAINING, Runtime


@ON_BOTH
@pytest.mark.usefixtures("redis")
def test_while_the_database_is_away_nothing_is_accepted_and_callers_are_told_when_to_come_back(
    settings: Settings, records: Records
) -> None:
    shop = open_shop(records, "shop")
    app = create_app(settings, records=records)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {shop.secret}"
    body = {"json": {"name": "winter"}, "headers": {"Idempotency-Key": "k"}}
    assert client.get("/v1/catalogs").status_code == 200
    with database_away(settings.database):
        for answer in (client.post("/v1/catalogs", **body), client.get("/v1/catalogs")):
            assert (answer.status_code, answer.get_json()["reason"]) == (
                503, "database_unavailable",
            )  # fmt: skip
            assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/v1/catalogs").get_json()["items"] == []
    assert client.post("/v1/catalogs", **body).status_code == 201
    app.extensions[EXTENSION].close()


@ON_BOTH
def test_work_that_is_done_while_the_database_is_away_is_published_when_it_is_back(
    runtime: Runtime, records: Records
) -> None:
    shop = open_shop(records, "shop")
    job = an_ingest_job(records, shop.site_id)
    done, tries = threading.Event(), []

    def work(attempt: Attempt) -> Publish:
        tries.append(attempt.job.attempts)
        done.wait(20)
        return lambda _tx: Outcome({"made": 1})

    worker = threading.Thread(target=run, args=(runtime, job.id, work))
    worker.start()
    wait_until(lambda: bool(tries))
    with database_away(runtime.settings.database):
        done.set()
        time.sleep(1)
        assert worker.is_alive()
    worker.join(30)
    with records.reading() as tx:
        ended = jobs.get(tx, job.id)
    assert (ended.state, ended.result, ended.attempts) == (JobState.SUCCEEDED, {"made": 1}, 1)
    assert tries == [1]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_tried_again_waits_longer_each_time_and_not_for_ever() -> None:
    pauses: list[float] = []

    def away() -> None:
        raise DatabaseUnavailableError("away")

    with pytest.raises(DatabaseUnavailableError):
        until_back(away, seconds=5, sleep=pauses.append)
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert max(pauses) <= 2
    assert 5 <= sum(pauses) <= 8


def test_a_worker_that_is_to_stop_waits_for_no_database() -> None:
    def full() -> None:
        raise RecordsFullError("full")

    DRAINING.set()
    try:
        with pytest.raises(RecordsFullError):
            until_back(full, sleep=lambda _seconds: pytest.fail("it waited"))
    finally:
        DRAINING.clear()
