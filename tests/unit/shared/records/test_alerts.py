"""Alerts fire once for each beginning."""

from typing import Any

import pytest

from shared import ids
from shared.errors import NotFoundError
from shared.jobs.submit import enqueue
from shared.records import Records, alerts, reports
from shared.schemas.alerts import BOTH, FiredAlert, Standing
from shared.schemas.jobs import TrendSpec
from shared.schemas.trends import TrendOptions
from tests.fixtures.rows import a_site


@pytest.fixture
def site(records: Records) -> str:
    return a_site(records)


def add(records: Records, site: str, **asked: Any) -> str:
    usual = {"catalog_id": None, "attribute": None, "value": None, "segment": None, "kinds": BOTH}
    with records.transaction() as tx:
        return alerts.create(tx, site, **{**usual, **asked}).id


def tell(
    records: Records, site: str, kind: str, *, was: str | None = None, catalog: str | None = None,
    **said: Any,
) -> list[FiredAlert]:  # fmt: skip
    """Publish a report in which linen stands in some way; returns what fired."""
    usual = {
        "attribute": "material", "value": "linen", "segment": None, "change": 0.3,
        "q_value": 0.01, "garments": 90,
    }  # fmt: skip
    standing = Standing(kind=kind, was=was, **{**usual, **said})
    with records.transaction() as tx:
        job = enqueue(tx, site, TrendSpec(options=TrendOptions()))
        report_id = ids.new_id(ids.REPORT)
        reports.publish(
            tx,
            {
                "id": report_id, "site_id": site, "job_id": job.id, "catalog_id": catalog,
                "data_fingerprint": "f", "summary": {}, "files": {},
            },
        )  # fmt: skip
        return alerts.settle(tx, site, catalog, report_id, [standing])


def test_an_alert_fires_once_while_a_value_stays_so_and_again_after_it_ended(
    records: Records, site: str
) -> None:
    add(records, site, attribute="material", value="linen")
    assert tell(records, site, "stable") == []
    (first,) = tell(records, site, "rising", was="stable")
    assert (first.value, first.kind, first.change) == ("linen", "rising", 0.3)
    assert tell(records, site, "rising", was="rising") == []
    assert tell(records, site, "insufficient", was="rising") == []
    assert tell(records, site, "rising", was="insufficient") == []
    assert tell(records, site, "stable", was="rising") == []
    (again,) = tell(records, site, "rising", was="stable")
    assert again.id != first.id
    with records.reading() as tx:
        newest, oldest = alerts.fired_page(tx, site).items
    assert (newest.id, newest.ended_at) == (again.id, None)
    assert oldest.ended_at is not None


def test_a_turn_ends_one_thing_and_begins_the_other(records: Records, site: str) -> None:
    add(records, site)
    tell(records, site, "rising")
    (fired,) = tell(records, site, "declining", was="rising")
    assert fired.kind == "declining"
    with records.reading() as tx:
        found = {one.kind: one.ended_at for one in alerts.fired_page(tx, site).items}
    assert found["declining"] is None
    assert found["rising"] is not None


def test_what_rises_already_is_no_news_to_a_new_alert(records: Records, site: str) -> None:
    add(records, site)
    assert tell(records, site, "rising", was="rising") == []


def test_an_alert_is_not_fired_by_what_may_be_chance(records: Records, site: str) -> None:
    add(records, site)
    assert tell(records, site, "rising", q_value=0.2) == []
    assert tell(records, site, "rising", q_value=None) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"attribute": "colour"}, {}),
        ({"attribute": "material", "value": "wool"}, {}),
        ({"kinds": ("declining",)}, {}),
        ({"segment": "online"}, {}),
        ({}, {"segment": "online"}),
        ({}, {"catalog": "cat_1"}),
        ({"catalog_id": "cat_1"}, {}),
    ],
)
def test_an_alert_hears_only_what_it_asked_for(
    records: Records, site: str, asked: dict[str, Any], said: dict[str, Any]
) -> None:
    add(records, site, **asked)
    assert tell(records, site, "rising", **said) == []


def test_an_alert_of_a_segment_hears_of_it(records: Records, site: str) -> None:
    add(records, site, segment="online")
    (fired,) = tell(records, site, "rising", segment="online")
    assert fired.segment == "online"


def test_a_stopped_alert_fires_no_more_and_what_it_fired_stays(records: Records, site: str) -> None:
    alert = add(records, site)
    tell(records, site, "rising")
    with records.transaction() as tx:
        stopped = alerts.stop(tx, site, alert)
        assert alerts.stop(tx, site, alert) == stopped
    tell(records, site, "stable", was="rising")
    assert tell(records, site, "rising", was="stable") == []
    with records.reading() as tx:
        assert len(alerts.fired_page(tx, site, alert_id=alert).items) == 1


def test_another_sites_alert_is_not_found(records: Records, site: str) -> None:
    alert = add(records, site)
    other = a_site(records, "other")
    with records.reading() as tx, pytest.raises(NotFoundError):
        alerts.get(tx, other, alert)
    assert tell(records, other, "rising") == []
