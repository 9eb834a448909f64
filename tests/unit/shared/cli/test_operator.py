"""The commands that look after the database: migrate, site, key, console."""

import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from shared.client.keyfile import saved_key
from shared.console import read_console_token
from shared.errors import NotFoundError
from shared.records import Records, models, sites
from shared.settings import Settings
from tests.fixtures.rows import a_release, a_site
from tests.fixtures.toile import Toile


def test_migrate_makes_the_tables_and_a_second_time_nothing(toile: Toile) -> None:
    first = json.loads(toile("migrate", "--json").out)
    assert first["before"] is None
    assert first["after"]
    assert "up to date" in toile("migrate").out


def test_before_the_migration_the_way_is_told(toile: Toile) -> None:
    ran = toile("key", "create")
    assert ran.code == 1
    assert "toile migrate" in ran.err


@pytest.mark.usefixtures("tables")
def test_a_key_is_made_with_its_site_and_lets_in(toile: Toile, own: Settings) -> None:
    made = json.loads(toile("key", "create", "--site", "shop", "--json").out)
    assert made["site"] == "shop"
    with closing(Records(own.database)) as records, records.reading() as tx:
        found = sites.find_key(tx, made["secret"])
    assert found is not None
    assert found.id == made["id"]
    assert saved_key(own) is None


@pytest.mark.usefixtures("tables")
def test_the_secret_alone_stands_on_standard_output(toile: Toile) -> None:
    ran = toile("key", "create", "--site", "shop")
    assert ran.out.startswith("toile_")
    assert ran.out.count("\n") == 1


@pytest.mark.usefixtures("tables")
def test_a_site_is_given_a_schedule_of_its_own(toile: Toile, own: Settings) -> None:
    toile("key", "create", "--site", "shop")
    assert "every 3600 seconds" in toile("site", "schedule", "shop", "3600").out
    with closing(Records(own.database)) as records, records.reading() as tx:
        found = sites.by_name(tx, "shop")
    assert found is not None
    assert found.trend_schedule_seconds == 3600
    assert "only when asked for" in toile("site", "schedule", "shop", "0").out
    assert "own schedule" in toile("site", "schedule", "shop", "default").out
    assert toile("site", "schedule", "shop", "5").code == 1
    assert toile("site", "schedule", "shop", "nan").code == 1
    assert toile("site", "schedule", "shop", "daily").code == 2
    assert "toile site list" in toile("site", "schedule", "ship", "60").err


@pytest.mark.usefixtures("tables")
def test_a_site_is_given_its_weight(toile: Toile, own: Settings) -> None:
    toile("site", "create", "shop")
    assert "2.5" in toile("site", "weight", "shop", "2.5").out
    with closing(Records(own.database)) as records, records.reading() as tx:
        found = sites.by_name(tx, "shop")
    assert found is not None
    assert found.weight == 2.5
    assert toile("site", "weight", "shop", "0").code == 1
    assert "toile site list" in toile("site", "weight", "ship", "1").err


@pytest.mark.usefixtures("tables")
def test_a_model_is_shared_with_a_site_and_taken_back(toile: Toile, own: Settings) -> None:
    with closing(Records(own.database)) as records:
        owner, other = a_site(records, "owner"), a_site(records, "other")
        release = a_release(records, owner)
        with records.reading() as tx, pytest.raises(NotFoundError):
            models.release(tx, release.id, site_id=other)
        assert toile("site", "share", release.model_id, "other").code == 0
        assert toile("site", "share", release.model_id, "other").code == 0
        with records.reading() as tx:
            assert models.release(tx, release.id, site_id=other).site_id == owner
            assert models.get(tx, other, release.model_id).id == release.model_id
            with pytest.raises(NotFoundError):
                models.release(tx, release.id, site_id=other, own=True)
        assert "own" in toile("site", "share", release.model_id, "owner").err
        assert toile("site", "share", "--stop", release.model_id, "other").code == 0
        with records.reading() as tx, pytest.raises(NotFoundError):
            models.release(tx, release.id, site_id=other)
        assert toile("site", "share", "--stop", release.model_id, "other").code == 1


@pytest.mark.usefixtures("tables")
def test_a_kept_key_opens_the_console(toile: Toile, own: Settings, home: Path) -> None:
    made = json.loads(toile("key", "create", "--site", "shop", "--save", "--json").out)
    assert saved_key(own) == made["secret"]
    assert (home / "api-key").stat().st_mode & 0o777 == 0o600
    link = json.loads(toile("console", "--url", "http://shop.test/", "--json").out)["link"]
    address, _, token = link.partition("/login?token=")
    assert address == "http://shop.test"
    assert read_console_token(own, token) == made["id"]


@pytest.mark.usefixtures("tables")
def test_a_revoked_key_is_listed_as_such_and_opens_nothing(toile: Toile) -> None:
    made = json.loads(toile("key", "create", "--site", "shop", "--save", "--json").out)
    assert toile("key", "revoke", made["id"]).code == 0
    (listed,) = json.loads(toile("key", "list", "--json").out)
    assert listed["revoked_at"] is not None
    assert "secret" not in listed
    assert toile("console").code == 1
    assert toile("key", "revoke", "key_x").code == 1


@pytest.mark.usefixtures("tables")
def test_a_key_is_made_with_scopes_and_an_end(toile: Toile, own: Settings) -> None:
    made = json.loads(
        toile("key", "create", "--scopes", "design, read", "--expires", "90d", "--json").out
    )
    assert made["scopes"] == ["read", "design"]
    with closing(Records(own.database)) as records, records.reading() as tx:
        found = sites.find_key(tx, made["secret"])
    assert found is not None
    assert found.expires_at is not None
    assert found.expires_at - found.created_at == timedelta(days=90)
    assert "read,design" in toile("key", "list").out
    for wrong in (["--scopes", "write"], ["--expires", "soon"], ["--origin", "https://a.example"]):
        assert toile("key", "create", *wrong).code == 2, wrong
    assert toile("key", "create", "--scopes", ",").code == 1


@pytest.mark.usefixtures("tables")
def test_a_publishable_key_names_its_pages(toile: Toile) -> None:
    origins = ["--origin", "https://shop.example", "--origin", "http://localhost:3000"]
    ran = toile("key", "create", "--publishable", *origins)
    assert ran.out.startswith("toile_pub_")
    (listed,) = json.loads(toile("key", "list", "--json").out)
    assert (listed["publishable"], listed["scopes"]) == (True, [])
    assert listed["origins"] == ["http://localhost:3000", "https://shop.example"]
    assert "pages of http://localhost:3000 https://shop.example" in toile("key", "list").out
    for wrong in ([], ["--origin", "https://shop.example/"]):
        ran = toile("key", "create", "--publishable", *wrong)
        assert ran.code == 1
        assert "https://shop.example" in ran.err
    for wrong in (["--scopes", "read"], ["--save"]):
        assert toile("key", "create", "--publishable", *origins, *wrong).code == 2


@pytest.mark.usefixtures("tables")
def test_a_key_is_rotated_with_an_overlap(toile: Toile, own: Settings) -> None:
    old = json.loads(toile("key", "create", "--scopes", "read", "--json").out)
    new = json.loads(toile("key", "rotate", old["id"], "--overlap", "0s", "--save", "--json").out)
    assert new["scopes"] == ["read"]
    assert saved_key(own) == new["secret"]
    with closing(Records(own.database)) as records, records.reading() as tx:
        assert sites.find_key(tx, old["secret"]) is None
        assert sites.find_key(tx, new["secret"]) is not None
    again = toile("key", "rotate", old["id"])
    assert again.code == 1
    assert new["id"] in again.err
    assert toile("key", "rotate", "key_x").code == 1


@pytest.mark.usefixtures("tables")
def test_sites_are_made_once_and_listed(toile: Toile) -> None:
    assert toile("site", "list").out.startswith("There is no site")
    assert toile("site", "create", "shop").code == 0
    again = toile("site", "create", "shop")
    assert again.code == 1
    assert "already" in again.err
    assert "shop" in toile("site", "list").out
    assert toile("key", "list", "--site", "other").code == 1
