"""The commands that set what a site may use, and tell what it used."""

import json
from contextlib import closing

import pytest

from shared.records import Records, limits, sites, usage
from shared.records.usage import Used
from shared.schemas.usage import Measure
from shared.settings import Settings
from tests.fixtures.api import FakeApi
from tests.fixtures.toile import Toile


@pytest.fixture
def site_id(tables: None, own: Settings) -> str:  # noqa: ARG001 - it makes the tables
    with closing(Records(own.database)) as records, records.transaction() as tx:
        return sites.create(tx, "shop").id


def shown(toile: Toile) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = json.loads(
        toile("site", "show", "shop", "--json").out
    )
    return found


@pytest.mark.usefixtures("site_id")
def test_a_limit_is_set_taken_away_and_given_back_to_the_server(toile: Toile) -> None:
    assert shown(toile)["limits"]["rate"] == 1000
    ran = toile("site", "set", "shop", "--rate", "5", "--designs-a-day", "100")
    assert ran.code == 0
    assert "toile site show shop" in ran.out
    assert (shown(toile)["limits"]["rate"], shown(toile)["limits"]["designs_a_day"]) == (5, 100)
    toile("site", "set", "shop", "--rate", "unlimited")
    assert shown(toile)["limits"]["rate"] is None
    assert shown(toile)["limits"]["designs_a_day"] == 100, "the other one stays"
    toile("site", "set", "shop", "--rate", "default", "--designs-a-day", "default")
    assert (shown(toile)["limits"]["rate"], shown(toile)["limits"]["designs_a_day"]) == (1000, None)


@pytest.mark.usefixtures("site_id")
@pytest.mark.parametrize(
    "asked",
    [
        (),
        ("--rate", "0"),
        ("--rate", "-3"),
        ("--rate", "much"),
        ("--rate", "nan"),
        ("--burst", "1.5"),
        ("--burst", "unlimited"),
        ("--designs-a-day", "1e30"),
    ],
)
def test_what_is_no_limit_is_refused(toile: Toile, asked: tuple[str, ...]) -> None:
    ran = toile("site", "set", "shop", *asked)
    assert ran.code in {1, 2}
    assert shown(toile)["limits"]["rate"] == 1000


def test_a_site_is_shown_with_what_it_used(toile: Toile, own: Settings, site_id: str) -> None:
    with closing(Records(own.database)) as records, records.transaction() as tx:
        usage.reserve(tx, site_id, 7)
        usage.add(tx, [Used(site_id, Measure.TRAINING, 90_000_000)])
    assert shown(toile)["used"] == {
        "designs_a_day": 7,
        "training_minutes_a_month": 1.5,
        "storage_bytes": 0,
    }
    out = toile("site", "show", "shop").out
    assert site_id in out
    assert "unlimited" in out
    assert "the server's" in out


def test_links_are_ended_by_a_new_salt(toile: Toile, own: Settings, site_id: str) -> None:
    salts = []
    for _ in range(2):
        assert toile("site", "rotate-links", "shop").code == 0
        with closing(Records(own.database)) as records, records.reading() as tx:
            salts.append(limits.own(tx, site_id).link_salt)
    assert len({*salts, None}) == 3


@pytest.mark.usefixtures("site_id")
def test_a_site_that_is_not_there_is_told(toile: Toile) -> None:
    for command in (
        ("set", "nobody", "--rate", "5"),
        ("show", "nobody"),
        ("rotate-links", "nobody"),
    ):
        ran = toile("site", *command)
        assert ran.code == 1
        assert "toile site list" in ran.err


def test_usage_is_printed_by_day_with_its_sum(toile: Toile, api: FakeApi) -> None:
    day = {"designs": 3, "images": 48, "device_seconds": 1.5, "training_minutes": 2.0}
    api["GET /v1/usage"] = 200, {
        "first": "2026-11-01", "last": "2026-11-30", "total": day, "storage_bytes": 9000,
        "days": [{**day, "day": "2026-11-02", "storage_bytes": None}],
        "limits": {
            "rate": 1000, "burst": 2000, "poll_rate": 5000, "queued_designs": 1,
            "queued_others": 1, "designs_a_day": None, "training_minutes_a_month": None,
            "storage_bytes": None,
        },
    }  # fmt: skip
    out = toile("usage", "--from", "2026-11-01", "--to", "2026-11-30").out
    assert api.sent[0].path == "/v1/usage?from=2026-11-01&to=2026-11-30"
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["2026-11-02", "3", "48", "1.500", "2.0", "-"],
        ["all", "3", "48", "1.500", "2.0", "9000"],
    ]
    assert json.loads(toile("usage", "--json").out)["total"] == day
