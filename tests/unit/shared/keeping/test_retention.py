import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from shared.artifacts import ArtifactStore
from shared.errors import InvalidInputError, NotFoundError
from shared.jobs.submit import enqueue
from shared.keeping.checked import CheckedStore
from shared.keeping.retention import Going, Retention
from shared.keeping.verifying import Verifier
from shared.records import (
    Records,
    Transaction,
    artifacts,
    designs,
    jobs,
    promises,
    shoppers,
    sites,
)
from shared.records.tables import DesignRow, IdempotencyKeyRow, IndexRow, JobRow
from shared.schemas.jobs import JobState
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.shop import Shop, design_spec, finished

OLD = timedelta(days=40)


def age(records: Records, by: timedelta = OLD) -> None:
    """Let all jobs have ended a while ago."""
    with records.transaction() as tx:
        past = tx.now - by
        tx.session.execute(
            update(JobRow).where(JobRow.finished_at.is_not(None)).values(finished_at=past)
        )
        tx.session.execute(update(IdempotencyKeyRow).values(created_at=past))


def lasting(settings: Settings, designs: float, jobs: float = 0) -> Settings:
    return settings.model_copy(
        update={"design_retention_days": designs, "job_retention_days": jobs}
    )


def test_designs_stay_for_ever_unless_the_operator_says_otherwise(
    records: Records, store: CheckedStore, shop: Shop, settings: Settings
) -> None:
    age(records, timedelta(days=4_000))
    assert Retention(records, store, settings).run() == Going()
    with records.reading() as tx:
        assert designs.get(tx, shop.site_id, shop.design_ids[0]).design.position == 0


@ON_BOTH
def test_designs_past_their_time_go_with_job_and_pictures(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, settings: Settings
) -> None:
    age(records)
    kept = Retention(records, store, lasting(settings, 30))
    assert kept.planned() == Going(jobs=1, designs=8)
    assert kept.run() == Going(jobs=1, designs=8, artifacts=8)
    assert list(inner.keys("designs/")) == []
    with records.reading() as tx:
        with pytest.raises(NotFoundError):
            jobs.get(tx, shop.jobs["design"])
        assert jobs.get(tx, shop.jobs["training"]).state is JobState.SUCCEEDED
    assert kept.run() == Going()
    assert list(Verifier(records, store).findings()) == []


@ON_BOTH
def test_what_a_shopper_spoke_of_stays_and_so_does_a_young_job(
    records: Records, store: CheckedStore, shop: Shop, settings: Settings
) -> None:
    like(records, shop, shop.design_ids[3])
    age(records)
    with records.transaction() as tx:
        young = finished(tx, shop, design_spec(shop)).id
    kept = Retention(records, store, lasting(settings, 30, 30))
    assert kept.run().jobs == 0
    with records.reading() as tx:
        assert len(designs.of_job(tx, shop.jobs["design"])) == 8
        assert jobs.get(tx, young).id == young


def like(records: Records, shop: Shop, item: str) -> None:
    from shared.records.tables import PreferenceRow

    with records.transaction() as tx:
        shopper = shoppers.ensure(tx, shop.site_id, "ana")
        tx.session.add(
            PreferenceRow(
                id="pref_1", site_id=shop.site_id, shopper_id=shopper.id, kind="like", item=item,
                at=tx.now, created_at=tx.now,
            )
        )  # fmt: skip


@ON_BOTH
def test_a_pack_is_freed_when_the_last_of_its_designs_goes(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, settings: Settings
) -> None:
    age(records)
    with records.transaction() as tx:
        second = finished(tx, shop, design_spec(shop)).id
        own = share_one_pack(tx, shop, second)
    store.delete(own)
    kept = Retention(records, store, lasting(settings, 30))
    first = kept.run()
    assert (first.designs, first.artifacts) == (7, 6)
    assert len(list(inner.keys("designs/"))) == 1
    age(records)
    assert kept.run() == Going(jobs=1, designs=1, artifacts=1)
    assert list(inner.keys("designs/")) == []


def share_one_pack(tx: Transaction, shop: Shop, second: str) -> str:
    """Let a design of another job lie in the file of one of the first; returns its own file."""
    own = designs.get(tx, shop.site_id, shop.design_ids[7]).artifact
    shared = designs.get(tx, shop.site_id, shop.design_ids[0]).artifact
    tx.session.execute(
        update(DesignRow)
        .where(DesignRow.id == shop.design_ids[7])
        .values(job_id=second, position=0, artifact=shared)
    )
    return own


def test_jobs_that_left_nothing_go_and_those_that_made_something_stay(
    records: Records, store: CheckedStore, shop: Shop, settings: Settings
) -> None:
    with records.transaction() as tx:
        bare = finished(tx, shop, design_spec(shop)).id
        waiting = enqueue(tx, shop.site_id, design_spec(shop, seed=8)).id
    age(records)
    assert Retention(records, store, lasting(settings, 0, 30)).run() == Going(jobs=1)
    with records.reading() as tx:
        with pytest.raises(NotFoundError):
            jobs.get(tx, bare)
        for kept in (waiting, *shop.jobs.values()):
            assert jobs.get(tx, kept).id == kept


@pytest.mark.usefixtures("shop")
def test_a_site_has_its_own_retention_before_the_servers(
    records: Records, store: CheckedStore, settings: Settings
) -> None:
    age(records)
    with records.transaction() as tx:
        assert sites.set_retention(tx, "shop", designs=0, jobs=None).design_retention_days == 0
    assert Retention(records, store, lasting(settings, 30)).run() == Going()
    with records.transaction() as tx:
        sites.set_retention(tx, "shop", designs=30, jobs=None)
    assert Retention(records, store, settings).run().designs == 8
    with records.transaction() as tx, pytest.raises(InvalidInputError, match="an hour"):
        sites.set_retention(tx, "shop", designs=0.001, jobs=None)


@ON_BOTH
def test_an_idempotency_key_stands_for_its_request_for_a_day(
    records: Records, store: CheckedStore, shop: Shop, settings: Settings
) -> None:
    with records.transaction() as tx:
        enqueue(tx, shop.site_id, design_spec(shop, seed=9), idempotency_key="k")
    kept = Retention(records, store, settings)
    assert kept.run().promises == 0
    age(records, timedelta(hours=25))
    assert kept.planned().promises == 1
    assert kept.run().promises == 1
    with records.reading() as tx:
        assert promises.find(tx, shop.site_id, ["k"]) == {}


@ON_BOTH
def test_an_older_index_goes_when_a_newer_one_is_used(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, settings: Settings
) -> None:
    with records.transaction() as tx:
        now = tx.now
    for number, days in enumerate((5, 3)):
        key = f"indexes/idx_{number}/"
        store.put(f"{key}garments.npz", b"x")
        with records.transaction() as tx:
            tx.session.add(
                IndexRow(
                    id=f"idx_{number}", site_id=shop.site_id, catalog_id=shop.catalog_id,
                    catalog_version=1, encoder="e", garments=1, artifact=key,
                    created_at=now - timedelta(days=days),
                )
            )  # fmt: skip
    assert Retention(records, store, settings).run() == Going(superseded=1, artifacts=1)
    assert list(inner.keys("indexes/")) == ["indexes/idx_1/garments.npz"]
    assert Retention(records, store, settings).run() == Going()


@ON_BOTH
@pytest.mark.usefixtures("shop")
def test_two_rounds_at_once_do_no_harm(
    records: Records, store: CheckedStore, inner: ArtifactStore, settings: Settings
) -> None:
    age(records)
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            Retention(records, store, lasting(settings, 30)).run()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test must fail
            wrong.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []
    assert list(inner.keys("designs/")) == []


@pytest.mark.usefixtures("shop")
def test_while_a_backup_holds_the_artifacts_nothing_goes(
    records: Records, store: CheckedStore, settings: Settings
) -> None:
    age(records)
    with records.transaction() as tx:
        artifacts.hold(tx, "hold_1", seconds=60)
    assert Retention(records, store, lasting(settings, 30)).run() == Going()
    with records.transaction() as tx:
        artifacts.hold(tx, "hold_1", seconds=-1)
    assert Retention(records, store, lasting(settings, 30)).run().designs == 8
