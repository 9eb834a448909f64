import threading
from datetime import datetime

import pytest
from sqlalchemy import URL, text

from shared.errors import DatabaseUnavailableError, InvalidInputError
from shared.records import Records, jobs, sites
from shared.records.tables import UtcDateTime
from tests.fixtures.rows import a_site, an_ingest_job


def test_a_transaction_that_fails_leaves_nothing_behind(records: Records) -> None:
    def break_half_way() -> None:
        with records.transaction() as tx:
            sites.create(tx, "half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        break_half_way()
    with records.reading() as tx:
        assert sites.by_name(tx, "half") is None


def test_writers_at_once_wait_for_each_other(records: Records) -> None:
    site_id = a_site(records)

    def write(number: int) -> None:
        for part in range(5):
            an_ingest_job(records, site_id, catalog=f"{number}-{part}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with records.reading() as tx:
        assert len(jobs.page(tx, site_id, limit=100).items) == 20


def test_sqlite_keeps_what_was_committed_through_a_power_cut(records: Records) -> None:
    with records.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        full = 2
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == full


def test_a_database_that_is_away_is_told_without_its_password() -> None:
    away = Records(URL.create("postgresql+psycopg", "toile", "hunter2", "127.0.0.1", 1, "toile"))
    with pytest.raises(DatabaseUnavailableError) as caught, away.transaction() as tx:
        sites.every(tx)
    assert "hunter2" not in str(caught.value)
    assert "toile doctor" in str(caught.value)


def test_pages_walk_the_whole_list_newest_first(records: Records) -> None:
    site_id = a_site(records)
    made = [an_ingest_job(records, site_id, catalog=str(n)).id for n in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        with records.reading() as tx:
            page = jobs.page(tx, site_id, cursor=cursor, limit=2)
        seen.extend(job.id for job in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made[::-1]


def test_a_cursor_from_elsewhere_is_refused(records: Records) -> None:
    site_id = a_site(records)
    with records.reading() as tx, pytest.raises(InvalidInputError, match="cursor"):
        jobs.page(tx, site_id, cursor="job_nowhere")


def test_a_naive_time_is_refused(records: Records) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="no time zone"):
        UtcDateTime().bind_processor(records.engine.dialect)(naive)
