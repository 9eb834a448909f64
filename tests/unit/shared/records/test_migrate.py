import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import func, inspect, select, text

from shared.artifacts.local import LocalArtifacts
from shared.jobs.submit import enqueue
from shared.records import Records, designs, migrate, promises, sites
from shared.records.tables import Base
from shared.schemas.jobs import TrendSpec
from shared.schemas.keys import Scope
from shared.schemas.trends import TrendOptions
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_site, an_ingest_job
from tests.fixtures.shop import fill_shop

# Back to here and forward again no row of the tables that were there then is lost.
_KEEPS_ALL: Final = "0005"


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
def test_keys_from_before_scopes_may_do_everything_and_narrower_ones_do_not_go_back(
    records: Records,
) -> None:
    site = a_site(records)
    with records.transaction() as tx:
        old = sites.create_key(tx, site, name="old")
        job = enqueue(tx, site, TrendSpec(options=TrendOptions()), idempotency_key="kept")
    migrate.downgrade(records, "0005")
    with records.engine.connect() as connection:
        columns = {one["name"] for one in inspect(connection).get_columns("api_keys")}
    assert "scopes" not in columns
    migrate.upgrade(records)
    with records.transaction() as tx:
        found = sites.find_key(tx, old.secret)
        assert found is not None
        assert found.scopes == tuple(Scope)
        assert not found.publishable
        assert promises.find(tx, site, ["kept"])["kept"].job_id == job.id
        narrow = sites.create_key(tx, site, name="narrow", scopes=[Scope.READ])
        pages = sites.create_publishable_key(tx, site, name="p", origins=["https://a.example"])
        promises.reserve(tx, site, "said", fingerprint="f")
        promises.answer(tx, site, "said", {"status": 201})
    migrate.downgrade(records, "0005")
    migrate.upgrade(records)
    with records.reading() as tx:
        assert sites.find_key(tx, old.secret) is not None
        assert sites.find_key(tx, narrow.secret) is sites.find_key(tx, pages.secret) is None
        assert set(promises.find(tx, site, ["kept", "said"])) == {"kept"}


def test_jobs_and_their_indexes_outlive_going_back_before_they_said_where_they_come_from(
    records: Records,
) -> None:
    from shared.records import jobs

    job = an_ingest_job(records, a_site(records, "kept"))
    told = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'jobs' ORDER BY name"
    with records.engine.connect() as connection:
        before = connection.execute(text(told)).scalars().all()
    migrate.downgrade(records, "0005")
    migrate.upgrade(records)
    with records.engine.connect() as connection:
        assert connection.execute(text(told)).scalars().all() == before
    with records.reading() as tx:
        found = jobs.get(tx, job.id)
    assert (found.id, found.request_id, found.traceparent) == (job.id, None, None)


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


def upgrade_at_once(settings: Settings, *, starters: int) -> list[str | None]:
    """Let several processes' worth of starters bring one database up to date; each ends at."""
    gate, ends, wrong = threading.Barrier(starters), [], []

    def start() -> None:
        with closing(Records(settings.database)) as own:
            gate.wait()
            try:
                migrate.upgrade(own)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test must fail
                wrong.append(error)
            ends.append(migrate.current(own))

    threads = [threading.Thread(target=start) for _ in range(starters)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []
    return ends


@ON_BOTH
def test_of_several_that_start_at_once_one_migrates_and_all_go_on(settings: Settings) -> None:
    assert upgrade_at_once(settings, starters=3) == [migrate.newest()] * 3


@ON_BOTH
@pytest.mark.usefixtures("settings")
def test_a_filled_database_goes_back_revision_by_revision_and_forward_again(
    records: Records, tmp_path: Path
) -> None:
    store = LocalArtifacts(tmp_path / "artifacts")
    shop = fill_shop(records, store, "shop")
    counted = counts(records)
    for revision in [*migrate.revisions()[1:], "base"]:
        migrate.downgrade(records, revision)
        assert migrate.current(records) == (None if revision == "base" else revision)
        if revision == _KEEPS_ALL:
            migrate.upgrade(records)
            assert migrate.differences(records) == []
            assert counts(records) == counted
            with records.reading() as tx:
                assert designs.get(tx, shop.site_id, shop.design_ids[0]).design.position == 0
            migrate.downgrade(records, revision)
    for revision in reversed(migrate.revisions()):
        migrate.upgrade(records, revision)
    assert migrate.differences(records) == []
    fill_shop(records, store, "another")


def counts(records: Records) -> dict[str, int]:
    """Return how many rows each table has that was there before the newest revisions."""
    with records.reading() as tx:
        return {
            name: tx.session.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in Base.metadata.tables.items()
            if name in {"sites", "api_keys", "catalogs", "garments", "shards", "jobs", "attempts",
                        "designs", "models", "releases", "trend_reports", "feeds"}
        }  # fmt: skip
