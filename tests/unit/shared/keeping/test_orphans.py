from datetime import UTC, datetime, timedelta

import pytest

from shared import ids
from shared.artifacts import ArtifactStore, keys
from shared.jobs import lifecycle
from shared.jobs.submit import enqueue
from shared.keeping.checked import CheckedStore
from shared.keeping.orphans import Orphans
from shared.records import Records, artifacts
from shared.schemas.jobs import IngestSpec, JobState, UploadSource
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.shop import LEASE, Shop

LATER = timedelta(days=2)


@pytest.fixture
def later() -> datetime:
    """A moment at which all that is stored now is old enough to go."""
    return datetime.now(UTC) + LATER  # noqa: TID251 - the store's own clock is the machine's


def left_by_workers_that_died(inner: ArtifactStore, shop: Shop) -> set[str]:
    lost = {
        keys.designs(ids.new_id(ids.PACK)),
        keys.release_file(ids.new_id(ids.RELEASE), "generator.npz"),
        keys.index_file(ids.new_id(ids.INDEX), "garments.npz"),
        keys.report_file(shop.report_id, "job_1/moodboard.html"),
        keys.report_file(ids.new_id(ids.REPORT), "report.html"),
        keys.shard(shop.catalog_id, ids.new_id(ids.SHARD)),
        keys.columns(shop.catalog_id, ids.new_id(ids.COLUMNS)),
        keys.derivation(shop.catalog_id, ids.new_id(ids.DERIVATION)),
        keys.feed_columns(shop.feed_id, ids.new_id(ids.COLUMNS)),
        keys.taste_prior(shop.site_id, "e" * 64, "prior_1"),
        keys.upload(ids.new_id(ids.UPLOAD)),
        keys.checkpoint_file(shop.jobs["training"], 1, 1, "manifest.json"),
        keys.preview(shop.jobs["training"], 1),
        f"{keys.extractors(ids.new_id(ids.CATALOG), 'm')}a.npz",
    }
    for key in lost:
        inner.put(key, b"lost")
    return lost


@ON_BOTH
def test_only_what_no_row_names_is_an_orphan_and_only_when_it_is_old(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, settings: Settings,
    later: datetime,
) -> None:  # fmt: skip
    whole = set(inner.keys(""))
    inner.put(f"{keys.extractors(shop.catalog_id, 'm')}a.npz", b"in use")
    inner.put("another's/file", b"the bucket is shared")
    inner.put("catalogs/only", b"not ours either")
    inner.put(keys.probe(), b"ok")
    lost = left_by_workers_that_died(inner, shop)
    orphans = Orphans(records, store, settings)
    assert list(orphans.find()) == []
    assert {one.key for one in orphans.find(later)} == lost
    assert whole.isdisjoint(lost)


def test_a_sweep_removes_orphans_and_strikes_out_their_hashes(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, settings: Settings
) -> None:
    young = Orphans(records, store, settings)
    lost = left_by_workers_that_died(inner, shop)
    assert young.sweep().removed == 0
    key = keys.report_file(ids.new_id(ids.REPORT), "report.html")
    store.put(key, b"published never")
    inner.delete(key)  # as a deletion that was cut short leaves it
    now = settings.model_copy(update={"orphan_seconds": 1e-9, "lease_seconds": 1e-9})
    done = Orphans(records, store, now).sweep()
    assert (done.removed, done.struck_out, done.place) == (len(lost), 1, "")
    assert lost.isdisjoint(inner.keys(""))
    with records.reading() as tx:
        assert artifacts.find(tx, key) is None
    again = Orphans(records, store, now).sweep()
    assert (again.removed, again.struck_out) == (0, 0)


def test_a_sweep_that_stops_goes_on_where_it_stopped(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("shared.keeping.orphans._PAGE", 3)
    lost = left_by_workers_that_died(inner, shop)
    now = settings.model_copy(update={"orphan_seconds": 1e-9, "lease_seconds": 1e-9})
    removed, place, steps = 0, "", 0
    while steps == 0 or place:
        done = Orphans(records, store, now).sweep(place, seconds=0)
        assert done.looked_at <= 3
        removed, place, steps = removed + done.removed, done.place, steps + 1
    assert removed == len(lost)
    assert steps > 5


def test_while_a_backup_holds_the_artifacts_nothing_goes(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, settings: Settings
) -> None:
    left_by_workers_that_died(inner, shop)
    now = settings.model_copy(update={"orphan_seconds": 1e-9, "lease_seconds": 1e-9})
    with records.transaction() as tx:
        artifacts.hold(tx, "hold_1", seconds=60)
    assert Orphans(records, store, now).sweep("k").model_dump() == {
        "looked_at": 0, "removed": 0, "bytes": 0, "half_written": 0, "struck_out": 0, "place": "k",
    }  # fmt: skip
    with records.transaction() as tx:
        artifacts.release_hold(tx, "hold_1")
    assert Orphans(records, store, now).sweep().removed > 0


def test_an_upload_waits_for_its_job_and_for_a_retry_of_one_that_failed(
    records: Records, store: CheckedStore, shop: Shop, settings: Settings, later: datetime
) -> None:
    key = keys.upload(ids.new_id(ids.UPLOAD))
    store.put(key, b"zip")
    spec = IngestSpec(catalog_id=shop.catalog_id, source=UploadSource(artifact=key, name="a.zip"))
    orphans = Orphans(records, store, settings)
    with records.transaction() as tx:
        job = enqueue(tx, shop.site_id, spec)
    assert list(orphans.find(later)) == []
    with records.transaction() as tx:
        held = lifecycle.claim(tx, job.id, worker="w", lease=LEASE, max_attempts=5)
        assert held is not None
        lifecycle.finish(tx, held, JobState.FAILED, reason="internal")
    assert list(orphans.find(later)) == []
    hasty = settings.model_copy(update={"upload_retention_days": 0.0})
    assert [one.key for one in Orphans(records, store, hasty).find(later)] == [key]


def test_what_a_writer_that_was_killed_left_half_written_is_removed(
    records: Records, store: CheckedStore, settings: Settings
) -> None:
    assert settings.artifact_folder is not None
    half = settings.artifact_folder / "designs" / ".part-0011223344556677"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    assert Orphans(records, store, settings).sweep().half_written == 0
    now = settings.model_copy(update={"orphan_seconds": 1e-9, "lease_seconds": 1e-9})
    assert Orphans(records, store, now).sweep().half_written == 1
    assert not half.exists()
