"""Limits of single sites, and the tables that hold them."""

import pytest

from shared.errors import InvalidInputError
from shared.records import Records, limits, migrate, sites, usage
from shared.records.usage import Used
from shared.schemas.usage import Measure
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_design_job, a_release, a_site

pytestmark = ON_BOTH


def test_the_tables_come_to_a_filled_database_and_go_again(records: Records) -> None:
    site = a_site(records)
    job = a_design_job(records, site, a_release(records, site).id)
    with records.transaction() as tx:
        limits.change(tx, site, {"rate": 5})
        usage.add(tx, [Used(site, Measure.DESIGNS, 3)])
    migrate.downgrade(records, "0008")
    with records.reading() as tx:
        assert sites.get(tx, site).name == "shop"
    migrate.upgrade(records)
    with records.reading() as tx:
        assert limits.own(tx, site) == limits.OwnLimits()
        assert usage.sum_of(tx, site, Measure.DESIGNS, since=job.created_at.date()) == 0
    assert migrate.differences(records) == []


def test_what_is_not_set_for_a_site_is_the_servers(records: Records, settings: Settings) -> None:
    site = a_site(records)
    with records.transaction() as tx:
        limits.change(tx, site, {"designs_a_day": 2**40, "queued_designs": limits.UNLIMITED})
        found = limits.of(tx, site, settings)
    assert found.designs_a_day == 2**40
    assert found.queued_designs is None
    assert (found.rate, found.burst) == (settings.rate_limit, settings.rate_burst)


def test_what_is_no_limit_is_refused(records: Records) -> None:
    site = a_site(records)
    for name, value in (
        ("rate", 0), ("rate", -2), ("rate", float("inf")), ("burst", 0), ("burst", -1),
        ("burst", 2.5), ("queued_others", 2**31), ("designs_a_day", 2**63),
        ("training_minutes_a_month", float("nan")),
    ):  # fmt: skip
        with records.transaction() as tx, pytest.raises(InvalidInputError, match=name):
            limits.change(tx, site, {name: value})


def test_a_site_may_be_allowed_nothing(records: Records, settings: Settings) -> None:
    site = a_site(records)
    with records.transaction() as tx:
        limits.change(tx, site, {"designs_a_day": 0, "storage_bytes": 0})
        assert limits.of(tx, site, settings).designs_a_day == 0
