from datetime import date
from typing import Any

import pytest

from shared import ids
from shared.errors import CatalogChangedError, ConflictError, NotFoundError
from shared.records import Records, catalogs, garments
from shared.schemas.catalogs import Catalog, CatalogRequest
from tests.fixtures.rows import a_site, an_ingest_job


def garment(shard: str, index: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": ids.new_id(ids.GARMENT),
        "shard_id": shard,
        "shard_index": index,
        "name": f"{index}.png",
        "sha256": f"{shard}-{index}",
        "perceptual_hash": -(2**62),
        "attributes": {"category": "dress"},
        "colour_measured": True,
        "palette": [[32.3, 79.2, -107.9, 1.0, "blue"]],
        "date": date(2026, 1, 1 + index),
        "weight": 1.0,
        "segment": None,
        "near_duplicate_of": None,
        **changes,
    }


def publish(records: Records, site_id: str, number: int, count: int = 3) -> Catalog:
    job = an_ingest_job(records, site_id, catalog=f"unused {number}")
    shard = ids.new_id(ids.SHARD)
    with records.transaction() as tx:
        found = catalogs.page(tx, site_id, limit=100).items
        catalog = next((one for one in found if one.name == "summer"), None)
        catalog = catalog or catalogs.create(tx, site_id, CatalogRequest(name="summer"))
        return catalogs.publish_version(
            tx,
            catalog.id,
            job_id=job.id,
            after_version=catalog.version,
            shape=(32, 3),
            shards=[{"id": shard, "position": 0, "count": count, "artifact": "a", "sha256": "b"}],
            garments=[garment(shard, index) for index in range(count)],
        )


def test_each_ingest_is_a_version_that_keeps_the_ones_before(records: Records) -> None:
    site_id = a_site(records)
    publish(records, site_id, 1, count=3)
    catalog = publish(records, site_id, 2, count=2)
    assert (catalog.version, catalog.garments) == (2, 5)
    assert catalog.attributes == {"category": {"dress": 5}}
    with records.reading() as tx:
        assert catalogs.garments_in(tx, catalog.id, 1) == 3
        assert len(catalogs.shards_up_to(tx, catalog.id, 1)) == 1
        assert len(list(garments.labels_up_to(tx, catalog.id, 1))) == 3
        assert len(list(garments.labels_up_to(tx, catalog.id, 2))) == 5


def test_one_job_publishes_one_version(records: Records) -> None:
    site_id = a_site(records)
    catalog = publish(records, site_id, 1)
    with records.reading() as tx:
        job_id = next(iter(_jobs(records)))
        assert catalogs.version_of_job(tx, job_id) == 1
    with pytest.raises(Exception, match="UNIQUE"), records.transaction() as tx:
        catalogs.publish_version(
            tx,
            catalog.id,
            job_id=job_id,
            after_version=1,
            shape=(32, 3),
            shards=[],
            garments=[],
        )


def test_an_ingest_that_compared_with_an_older_version_must_look_again(records: Records) -> None:
    site_id = a_site(records)
    catalog = publish(records, site_id, 1)
    job = an_ingest_job(records, site_id, catalog="other")
    with pytest.raises(CatalogChangedError), records.transaction() as tx:
        catalogs.publish_version(
            tx,
            catalog.id,
            job_id=job.id,
            after_version=0,
            shape=(32, 3),
            shards=[],
            garments=[],
        )
    assert CatalogChangedError.retryable


def test_a_garment_shows_its_colours_and_where_its_picture_is(records: Records) -> None:
    site_id = a_site(records)
    catalog = publish(records, site_id, 1)
    with records.reading() as tx:
        page = garments.page(tx, catalog.id, attributes={"category": "dress"})
        place = garments.get(tx, site_id, page.items[0].id)
        assert len(page.items) == 3
        assert not garments.page(tx, catalog.id, attributes={"category": "bag"}).items
    swatch = place.garment.palette[0]
    assert (swatch.hex, swatch.family) == ("#0000ff", "blue")
    assert place.artifact == "a"


def test_catalogs_are_found_by_name_and_by_id_but_only_by_their_site(records: Records) -> None:
    site_id = a_site(records)
    catalog = publish(records, site_id, 1)
    other = a_site(records, "other")
    with records.reading() as tx:
        assert catalogs.get(tx, site_id, "summer") == catalogs.get(tx, site_id, catalog.id)
        with pytest.raises(NotFoundError):
            catalogs.get(tx, other, catalog.id)
        garment_id = garments.page(tx, catalog.id).items[0].id
        with pytest.raises(NotFoundError):
            garments.get(tx, other, garment_id)


def test_a_catalogs_name_is_its_own_within_a_site(records: Records) -> None:
    site_id = a_site(records)
    with records.transaction() as tx:
        catalogs.create(tx, site_id, CatalogRequest(name="summer"))
        with pytest.raises(ConflictError, match="already"):
            catalogs.create(tx, site_id, CatalogRequest(name="summer"))


def test_dated_garments_are_counted_and_read_by_site(records: Records) -> None:
    site_id = a_site(records)
    catalog = publish(records, site_id, 1)
    with records.reading() as tx:
        assert garments.count_dated(tx, site_id) == 3
        rows = list(garments.observed(tx, catalog.id, 1))
        assert garments.count_dated(tx, a_site(records, "other")) == 0
    assert {row[1] for row in rows} == {date(2026, 1, day) for day in (1, 2, 3)}


def _jobs(records: Records) -> list[str]:
    with records.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT job_id FROM catalog_versions").all()
    return [row[0] for row in rows]
