"""Keys are remembered for a moment, and no longer."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from shared.records import Records, erasures, migrate, shoppers, sites
from shared.schemas.keys import NewApiKey
from web.keyring import KeyRing


class Watch:
    """A clock that is set by hand."""

    time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records(make_url(f"sqlite:///{tmp_path}/toile.sqlite3"))
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def key(records: Records) -> NewApiKey:
    with records.transaction() as tx:
        return sites.create_key(tx, sites.create(tx, "shop").id, name="tests")


def test_a_revoked_key_is_forgotten_within_five_seconds(records: Records, key: NewApiKey) -> None:
    watch = Watch()
    ring = KeyRing(records, now=watch)
    assert ring.by_secret(key.secret) is not None
    assert ring.by_id(key.id) is not None
    with records.transaction() as tx:
        sites.revoke_key(tx, key.id)
    watch.time = 5
    assert ring.by_secret(key.secret) is None
    assert ring.by_id(key.id) is None


def test_a_remembered_key_needs_no_database(records: Records, key: NewApiKey) -> None:
    ring = KeyRing(records, now=Watch())
    first = ring.by_secret(key.secret)
    ring._records = Records(make_url("postgresql+psycopg://toile@127.0.0.1:1/nowhere"))
    assert ring.by_secret(key.secret) == first


def test_a_key_that_was_just_made_works_at_once(records: Records) -> None:
    ring = KeyRing(records, now=Watch())
    assert ring.by_secret("toile_not-yet") is None
    with records.transaction() as tx:
        key = sites.create_key(tx, sites.create(tx, "new").id, name="tests")
    assert ring.by_secret(key.secret) is not None


def test_an_id_is_no_secret(records: Records, key: NewApiKey) -> None:
    ring = KeyRing(records, now=Watch())
    assert ring.by_id(key.id) is not None
    assert ring.by_secret(key.id) is None


def test_no_secret_is_kept(records: Records, key: NewApiKey) -> None:
    ring = KeyRing(records, now=Watch())
    ring.by_secret(key.secret)
    (remembered,) = ring._keys._remembered.items()
    assert key.secret not in repr(remembered)


def test_a_key_is_not_remembered_beyond_its_end(records: Records) -> None:
    watch = Watch()
    ring = KeyRing(records, now=watch)
    with records.transaction() as tx:
        site = sites.create(tx, "short").id
        until = tx.now + timedelta(seconds=1)
        key = sites.create_key(tx, site, name="tests", expires_at=until)
    assert ring.by_secret(key.secret) is not None
    watch.time = 1
    ring._records = Records(
        make_url(f"sqlite:///{records.engine.url.database}"), clock=lambda: until
    )
    assert ring.by_secret(key.secret) is None
    ring._records.close()


def test_a_shopper_who_was_erased_is_forgotten_within_five_seconds(
    records: Records, key: NewApiKey
) -> None:
    watch = Watch()
    ring = KeyRing(records, now=watch)
    with records.transaction() as tx:
        made = shoppers.ensure(tx, key.site_id, "c-7")
    assert ring.shopper(key.site_id, made.id) == made
    assert ring.shopper("site_other", made.id) is None
    with records.transaction() as tx:
        erasures.remove(tx, key.site_id, made, artifacts=())
    watch.time = 5
    assert ring.shopper(key.site_id, made.id) is None


def test_who_looks_a_key_up_is_told_of_its_use_and_who_remembers_it_is_not(
    records: Records, key: NewApiKey
) -> None:
    used: list[str] = []
    ring = KeyRing(records, on_use=used.append, now=Watch())
    for _ in range(3):
        ring.by_secret(key.secret)
    ring.by_secret("toile_wrong")
    assert used == [key.id]
