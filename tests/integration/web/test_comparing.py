"""Two releases side by side."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from shared.artifacts import ArtifactStore
from shared.records import Records
from tests.fixtures.shop import Shop, add_release

FD = "fd_indomain[A@1a2b3c4d]"
OTHER_FD = "fd_indomain[A@99999999]"
RECALL = "prdc_indomain.recall[A@1a2b3c4d]"


def figure(key: str, value: float, **changes: Any) -> dict[str, Any]:
    return {
        "key": key, "value": value, "interval": [value * 0.9, value * 1.1], "n": 10_000,
        "floor": 0.73, "ceiling": 3950.0, "note": "", **changes,
    }  # fmt: skip


@pytest.fixture
def pair(records: Records, store: ArtifactStore, shop: Shop) -> dict[str, str]:
    found = {}
    for side, figures in (
        ("first", [figure(FD, 40.0), figure(RECALL, 0.5, floor=0.0, ceiling=0.94)]),
        ("second", [figure(FD, 20.0), figure(OTHER_FD, 7.0)]),
    ):
        with records.transaction() as tx:
            add_release(tx, store, shop, model=side, figures=figures)
        found[side] = shop.release_id
    return found


def test_figures_of_one_key_stand_side_by_side_and_the_rest_says_why_not(
    client: FlaskClient, pair: dict[str, str]
) -> None:
    found = client.get("/v1/releases/compare", query_string=pair).get_json()
    assert (found["first"], found["second"]) == (pair["first"], pair["second"])
    (one,) = found["figures"]
    assert (one["key"], one["difference"], one["better"]) == (FD, -20.0, "second")
    assert {left["key"]: left["of"] for left in found["not_compared"]} == {
        RECALL: "first",
        OTHER_FD: "second",
    }


def test_one_figure_can_be_named(client: FlaskClient, pair: dict[str, str]) -> None:
    found = client.get("/v1/releases/compare", query_string={**pair, "figure": FD}).get_json()
    assert [one["key"] for one in found["figures"]] == [FD]
    assert found["not_compared"] == []


def test_a_figure_of_another_extractor_is_never_compared(
    client: FlaskClient, pair: dict[str, str]
) -> None:
    answer = client.get("/v1/releases/compare", query_string={**pair, "figure": OTHER_FD})
    assert (answer.status_code, answer.get_json()["reason"]) == (409, "conflict")
    assert FD in answer.get_json()["detail"]
    assert answer.get_json()["details"]["comparable"] == [FD]


def test_a_figure_that_neither_has_is_told_those_that_there_are(
    client: FlaskClient, pair: dict[str, str]
) -> None:
    answer = client.get("/v1/releases/compare", query_string={**pair, "figure": "fid"})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["location"] == ["figure"]
    assert FD in answer.get_json()["details"]["allowed"]


def test_both_releases_must_be_named(client: FlaskClient, pair: dict[str, str]) -> None:
    answer = client.get("/v1/releases/compare", query_string={"first": pair["first"]})
    assert answer.status_code == 422
    unknown = {"first": pair["first"], "second": "rel_never"}
    assert client.get("/v1/releases/compare", query_string=unknown).status_code == 404
