"""Feeds and column files, run in this process: what reports read, and what a batch changes."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from shared.artifacts import keys
from shared.demo.drawn import write_archive
from shared.jobs.submit import enqueue
from shared.records import catalogs, feeds, garments, jobs, reports, sites
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.feeds import BatchKind, FeedRequest
from shared.schemas.jobs import (
    FeedSpec,
    IngestSpec,
    JobKind,
    JobRecord,
    JobState,
    Spec,
    TrendSpec,
    UploadSource,
)
from shared.schemas.trends import TrendOptions
from tests.fixtures.rows import a_site
from worker import attempt
from worker.jobs.columns import OWN_SOURCE, load, mark_of, take_stock
from worker.jobs.feeds import add_batch
from worker.jobs.ingest import ingest_garments
from worker.jobs.reports import make_report, schedule_reports
from worker.runtime import Runtime

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture
def feed(runtime: Runtime, site: str) -> str:
    request = FeedRequest(name="street", source="Instagram", segment="fr", weight=2)
    with runtime.records.transaction() as tx:
        return feeds.create(tx, site, request).id


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "garments.zip"
    write_archive(path, count=80, seed=3, end=date(2026, 6, 30))
    return path


def do(runtime: Runtime, site: str, spec: Spec) -> JobRecord:
    work = {
        JobKind.FEED: add_batch,
        JobKind.INGEST: ingest_garments,
        JobKind.TREND_REPORT: make_report,
    }
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, spec)
    attempt.run(runtime, job.id, work[spec.kind])
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def uploaded(runtime: Runtime, data: bytes | Path, name: str) -> UploadSource:
    key = keys.upload(f"upl_{name}")
    runtime.store.put(key, data)
    return UploadSource(artifact=key, name=name)


def counted(
    runtime: Runtime, site: str, feed: str, text: str, *, revises: bool = False
) -> JobRecord:
    source = uploaded(runtime, text.encode(), "counts.csv")
    return do(
        runtime,
        site,
        FeedSpec(feed_id=feed, holds=BatchKind.COUNTS, revises=revises, source=source),
    )


def pictured(runtime: Runtime, site: str, feed: str, archive: Path) -> JobRecord:
    source = uploaded(runtime, archive, "pictures.zip")
    return do(runtime, site, FeedSpec(feed_id=feed, holds=BatchKind.IMAGES, source=source))


def shop_filled(runtime: Runtime, site: str, archive: Path) -> str:
    with runtime.records.transaction() as tx:
        catalog = catalogs.create(tx, site, CatalogRequest(name="drawn")).id
    source = uploaded(runtime, archive, "garments.zip")
    done = do(runtime, site, IngestSpec(catalog_id=catalog, source=source))
    assert done.state is JobState.SUCCEEDED, done.error
    return catalog


def test_a_batch_of_counts_is_added_whole_and_names_what_was_not_taken(
    runtime: Runtime, site: str, feed: str
) -> None:
    text = (
        "date,category,count,segment\n2026-03-02,dress,5,\nnever,dress,1,\n2026-03-03,coat,7,de\n"
    )
    done = counted(runtime, site, feed, text)
    assert done.state is JobState.SUCCEEDED, done.error
    assert done.result is not None
    assert (done.result["batch"], done.result["rows"], done.result["rejected"]) == (1, 2, 1)
    assert done.result["rejections"][0]["name"] == "counts.csv line 3"
    observed = load(runtime, take_stock(runtime, site, None))
    assert observed.multiplicity.tolist() == [5, 7]
    assert observed.weights.tolist() == [2, 2]
    assert observed.source_names == ("instagram",)
    assert sorted(observed.segment_names) == ["de", "fr"]
    assert list(runtime.store.keys("uploads/")) == []
    with runtime.records.reading() as tx:
        found = feeds.get(tx, site, feed)
        after = jobs.with_period(tx, site, JobKind.TREND_REPORT, f"after {done.id}")
    assert (found.observations, str(found.first), str(found.last)) == (
        12, "2026-03-02", "2026-03-03",
    )  # fmt: skip
    assert after is not None


def test_a_batch_of_which_nothing_can_be_taken_in_is_none(
    runtime: Runtime, site: str, feed: str
) -> None:
    done = counted(runtime, site, feed, "date,category\nnever,dress\n")
    assert done.result is not None
    assert done.result["batch"] is None
    assert list(runtime.store.keys(keys.feed(feed))) == []


def test_a_broken_file_fails_with_its_line_and_leaves_nothing(
    runtime: Runtime, site: str, feed: str
) -> None:
    done = counted(runtime, site, feed, 'date,category\n2026-03-02,"dress\n')
    assert (done.state, done.reason) == (JobState.FAILED, "unreadable_source")
    with runtime.records.reading() as tx:
        assert feeds.get(tx, site, feed).batches == 0


def test_a_later_batch_revises_the_days_that_it_names(
    runtime: Runtime, site: str, feed: str
) -> None:
    counted(runtime, site, feed, "date,category,count\n2026-03-02,dress,5\n2026-03-09,dress,6\n")
    before = mark_of(take_stock(runtime, site, None).marks)
    counted(runtime, site, feed, "date,category,count\n2026-03-02,coat,4\n", revises=True)
    inventory = take_stock(runtime, site, None)
    observed = load(runtime, inventory)
    assert sorted(observed.multiplicity.tolist()) == [4, 6]
    assert mark_of(inventory.marks) != before


def test_pictures_of_a_feed_are_garments_that_say_where_they_were_seen(
    runtime: Runtime, site: str, feed: str, archive: Path
) -> None:
    done = pictured(runtime, site, feed, archive)
    assert done.state is JobState.SUCCEEDED, done.error
    assert done.result is not None
    with runtime.records.reading() as tx:
        found = feeds.get(tx, site, feed)
        garment = garments.page(tx, found.catalog_id).items[0]
        own = catalogs.page(tx, site).items
    assert (garment.source, garment.segment, garment.weight) == ("instagram", "fr", 2)
    assert list(own) == []
    observed = load(runtime, take_stock(runtime, site, None))
    assert len(observed) == done.result["rows"] == found.observations
    assert observed.ids is not None
    assert garment.id.encode() in observed.ids.tolist()
    again = pictured(runtime, site, feed, archive)
    assert again.result is not None
    assert (again.result["batch"], again.result["merged"]) == (None, 80)


def test_columns_that_are_lost_or_were_never_made_come_from_rows_and_say_the_same(
    runtime: Runtime, site: str, archive: Path
) -> None:
    catalog = shop_filled(runtime, site, archive)
    inventory = take_stock(runtime, site, None)
    (place,) = inventory.versions
    assert place.columns is not None
    before = load(runtime, inventory)
    assert before.source_names == (OWN_SOURCE,)
    runtime.store.delete(place.columns.artifact)
    again = load(runtime, inventory)
    assert again.fingerprint() == before.fingerprint() == place.columns.mark
    with runtime.records.transaction() as tx:
        (now,) = catalogs.versions_observed(tx, site, catalog)
        assert now.columns is not None
        assert now.columns.artifact != place.columns.artifact
        assert now.columns.mark == place.columns.mark
        row = tx.session.connection()
        row.exec_driver_sql("UPDATE catalog_versions SET columns_artifact = NULL")
    assert take_stock(runtime, site, None).marks == inventory.marks


def test_a_lost_batch_of_counts_is_an_error_that_names_it(
    runtime: Runtime, site: str, feed: str
) -> None:
    counted(runtime, site, feed, "date,category,count\n2026-03-02,dress,500\n")
    (batch,) = take_stock(runtime, site, None).batches
    runtime.store.put(batch.columns.artifact, b"not columns")
    done = do(runtime, site, TrendSpec(options=TrendOptions()))
    assert (done.state, done.reason) == (JobState.FAILED, "not_found")
    assert done.error is not None
    assert done.error["details"] == {"feed": feed, "batch": 1}


def test_a_report_joins_the_catalog_and_the_feeds_and_is_made_again_when_one_grows(
    runtime: Runtime, site: str, feed: str, archive: Path
) -> None:
    shop_filled(runtime, site, archive)
    weeks = np.arange("2025-07-07", "2026-06-29", 7, dtype="datetime64[D]")
    rows = "".join(f"{week},dress,30\n{week},coat,20\n" for week in weeks)
    counted(runtime, site, feed, "date,category,count\n" + rows)
    spec = TrendSpec(options=TrendOptions(), only_if_changed=True)
    first = do(runtime, site, spec)
    assert first.state is JobState.SUCCEEDED, first.error
    assert do(runtime, site, spec).reason == "unchanged"
    with runtime.records.reading() as tx:
        place = reports.get(tx, site, "latest")
    told = runtime.store.read(place.artifacts["report.json"])
    assert b'"instagram"' in told
    assert b'"catalog"' in told
    counted(runtime, site, feed, "date,category,count\n2026-06-29,dress,50\n")
    assert do(runtime, site, spec).reason != "unchanged"


def test_a_site_has_a_schedule_of_its_own(runtime: Runtime, site: str, feed: str) -> None:
    counted(runtime, site, feed, "date,category,count\n2026-03-02,dress,500\n")
    with runtime.records.transaction() as tx:
        sites.set_schedule(tx, "shop", 0)
    assert schedule_reports(runtime) == 0
    with runtime.records.transaction() as tx:
        sites.set_schedule(tx, "shop", 3600)
    assert (schedule_reports(runtime), schedule_reports(runtime)) == (1, 0)
    with runtime.records.reading() as tx:
        found = jobs.page(tx, site, kind=JobKind.TREND_REPORT).items
    assert any(str(job.period).startswith("3600s:") for job in found)
