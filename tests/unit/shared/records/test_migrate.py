import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.records import Records, migrate
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_site, an_ingest_job


def test_the_migrations_make_the_tables_that_the_code_expects(records: Records) -> None:
    assert migrate.differences(records) == []
    assert migrate.current(records) == migrate.newest()


def test_migrating_twice_changes_nothing_and_keeps_the_rows(records: Records) -> None:
    a_site(records, "kept")
    migrate.upgrade(records)
    with records.reading() as tx:
        from shared.records import sites

        assert sites.by_name(tx, "kept") is not None


def test_the_migrations_go_both_ways(settings: Settings) -> None:
    opened = Records(settings.database)
    migrate.upgrade(opened)
    migrate.downgrade(opened, "base")
    assert migrate.current(opened) is None
    migrate.upgrade(opened)
    assert migrate.current(opened) == migrate.newest()
    opened.close()


def test_going_back_before_feeds_takes_them_along_and_leaves_the_catalogs(
    records: Records,
) -> None:
    from shared.records import catalogs, feeds
    from shared.schemas.catalogs import CatalogRequest
    from shared.schemas.feeds import FeedRequest

    site = a_site(records, "kept")
    with records.transaction() as tx:
        own = catalogs.create(tx, site, CatalogRequest(name="own")).id
        feeds.create(tx, site, FeedRequest(name="street"))
    migrate.downgrade(records, "0002")
    migrate.upgrade(records)
    with records.reading() as tx:
        assert [one.id for one in catalogs.page(tx, site).items] == [own]
        assert list(feeds.page(tx, site).items) == []


@ON_BOTH
def test_jobs_stay_when_spared_attempts_come_and_go(records: Records) -> None:
    from datetime import timedelta

    from shared.jobs import lifecycle
    from shared.records import jobs

    job = an_ingest_job(records, a_site(records, "kept"))
    with records.transaction() as tx:
        held = lifecycle.claim(tx, job.id, worker="w", lease=timedelta(60), max_attempts=3)
        assert held is not None
        lifecycle.put_back(tx, held, reason="drained", delay=timedelta(0), spare=True)
    migrate.downgrade(records, "0005")
    with records.engine.connect() as connection:
        assert connection.execute(text("SELECT id, attempts FROM jobs")).all() == [(job.id, 1)]
    migrate.upgrade(records)
    assert migrate.differences(records) == []
    with records.transaction() as tx:
        back = jobs.get(tx, job.id)
        assert (back.attempts, back.spared, back.reason) == (1, 0, "drained")
        assert lifecycle.claim(tx, job.id, worker="w", lease=timedelta(60), max_attempts=3)


def test_a_new_migration_is_written_from_what_the_tables_lack(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "migrations"
    shutil.copytree(Path(migrate.__file__).with_name("migrations"), copy)
    monkeypatch.setattr(migrate, "_FOLDER", copy)  # the real folder must not be written to
    with records.engine.begin() as connection:
        connection.execute(text("DROP TABLE designs"))
    written = migrate.create_revision(records, "designs again")
    assert written.parent == copy / "versions"
    assert "op.create_table" in written.read_text()
    assert migrate.newest() in written.read_text()
