import pytest

from shared.errors import ConflictError, NotFoundError
from shared.records import Records, sites
from tests.fixtures.rows import a_site


def test_a_key_is_found_by_its_secret_and_the_secret_is_kept_nowhere(records: Records) -> None:
    site_id = a_site(records)
    with records.transaction() as tx:
        made = sites.create_key(tx, site_id, name="shop front")
    with records.reading() as tx:
        found = sites.find_key(tx, made.secret)
        assert found is not None
        assert found.site_id == site_id
        assert sites.find_key(tx, made.secret + "x") is None
    with records.engine.connect() as connection:
        dump = str(connection.exec_driver_sql("SELECT * FROM api_keys").all())
    assert made.secret not in dump
    assert made.prefix in dump


def test_a_revoked_key_lets_nobody_in(records: Records) -> None:
    site_id = a_site(records)
    with records.transaction() as tx:
        made = sites.create_key(tx, site_id, name="old")
        sites.revoke_key(tx, made.id)
        assert sites.find_key(tx, made.secret) is None
        assert sites.get_key(tx, made.id) is None
        assert [key.revoked_at is not None for key in sites.keys_of(tx, site_id)] == [True]


def test_a_sites_name_is_its_own(records: Records) -> None:
    a_site(records, "shop")
    with records.transaction() as tx, pytest.raises(ConflictError, match="already"):
        sites.create(tx, "shop")


def test_what_does_not_exist_is_said_so(records: Records) -> None:
    with records.transaction() as tx:
        with pytest.raises(NotFoundError):
            sites.get(tx, "site_x")
        with pytest.raises(NotFoundError):
            sites.revoke_key(tx, "key_x")
