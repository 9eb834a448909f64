"""Garment indexes and taste priors as rows."""

from datetime import UTC, datetime, timedelta

from shared import ids
from shared.artifacts import keys
from shared.records import Records, Transaction, catalogs, indexes, priors
from shared.records.indexes import Index
from shared.schemas.catalogs import CatalogRequest
from tests.fixtures.rows import a_site

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def indexed(tx: Transaction, site_id: str, catalog_id: str, *, version: int = 1) -> Index:
    index_id = ids.new_id(ids.INDEX)
    values = {
        "catalog_id": catalog_id, "catalog_version": version, "encoder": "e" * 64, "garments": 12,
        "artifact": keys.index(index_id),
    }  # fmt: skip
    return indexes.publish(tx, site_id, index_id=index_id, values=values)


def test_the_newest_index_of_each_catalog_counts(records: Records) -> None:
    site, other = a_site(records), a_site(records, "other")
    with records.transaction() as tx:
        one = catalogs.create(tx, site, CatalogRequest(name="one")).id
        two = catalogs.create(tx, site, CatalogRequest(name="two")).id
        theirs = catalogs.create(tx, other, CatalogRequest(name="one")).id
    made = []
    for hour, (owner, catalog, version) in enumerate(
        [(site, one, 1), (site, two, 1), (site, one, 2), (other, theirs, 9)]
    ):
        with records.transaction() as tx:
            tx._now = NOW + timedelta(hours=hour)
            made.append(indexed(tx, owner, catalog, version=version))
    with records.reading() as tx:
        assert indexes.newest(tx, site, one) == made[2]
        assert indexes.of_site(tx, site) == [made[2], made[1]]
        assert indexes.newest(tx, other, one) is None
        assert indexes.of_site(tx, ids.new_id(ids.SITE)) == []


def test_a_prior_takes_the_place_of_the_one_before(records: Records) -> None:
    site = a_site(records)
    key = keys.taste_prior(site, "e" * 64, "prior_1")
    with records.transaction() as tx:
        assert priors.find(tx, site, "e" * 64) is None
        priors.publish(tx, site, "e" * 64, shoppers=3, artifact=key)
    with records.transaction() as tx:
        again = priors.publish(tx, site, "e" * 64, shoppers=5, artifact=key)
        assert priors.find(tx, site, "e" * 64) == again
        assert priors.find(tx, site, "f" * 64) is None
    assert (again.shoppers, again.artifact) == (5, f"priors/{site}/{'e' * 64}/prior_1.npz")
