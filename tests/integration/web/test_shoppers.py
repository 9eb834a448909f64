"""What shoppers say, and what is kept of it."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from shared.records import Records, preferences, shoppers
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop
from web.app import Application

PLACE = "/v1/shoppers/c-7/preferences"


def said(client: FlaskClient, body: dict[str, Any], place: str = PLACE) -> list[dict[str, Any]]:
    answer = client.post(place, json=body)
    assert answer.status_code == 201, answer.get_json()
    found: list[dict[str, Any]] = answer.get_json()["preferences"]
    return found


def refused(client: FlaskClient, body: dict[str, Any], place: str = PLACE) -> dict[str, Any]:
    answer = client.post(place, json=body)
    assert answer.status_code == 422, answer.get_json()
    problem: dict[str, Any] = answer.get_json()
    return problem


def test_the_first_preference_makes_the_shopper(client: FlaskClient, shop: Shop) -> None:
    assert client.get("/v1/shoppers/c-7").status_code == 404
    (one,) = said(client, {"kind": "like", "item": shop.garment_ids[0]})
    assert (one["kind"], one["item"], one["hard"]) == ("like", shop.garment_ids[0], False)
    shopper = client.get("/v1/shoppers/c-7").get_json()
    assert (shopper["ref"], shopper["url"]) == ("c-7", "/v1/shoppers/c-7")
    assert client.get("/v1/shoppers").get_json()["items"] == [shopper]


def test_all_kinds_are_recorded_in_their_order_and_listed_newest_first(
    client: FlaskClient, shop: Shop
) -> None:
    first, second = shop.garment_ids[:2]
    sent: list[dict[str, Any]] = [
        {"kind": "like", "item": shop.design_ids[0]},
        {"kind": "dislike", "item": first},
        {"kind": "choice", "item": first, "over": second},
        {"kind": "want", "attribute": "Colour", "value": "#1F3A5F"},
        {"kind": "avoid", "attribute": "material", "value": " Wool ", "hard": True},
        {"kind": "want", "attribute": "colour", "value": "navy", "hard": True},
    ]
    made = said(client, {"preferences": sent})
    assert [one["kind"] for one in made] == [one["kind"] for one in sent]
    assert [one["hard"] for one in made] == [False] * 4 + [True] * 2
    assert (made[3]["attribute"], made[3]["value"]) == ("colour", "#1f3a5f")
    assert made[4]["value"] == "wool"
    listed = client.get(f"{PLACE}?limit=4").get_json()
    rest = client.get(f"{PLACE}?cursor={listed['next_cursor']}").get_json()
    assert [*listed["items"], *rest["items"]] == made[::-1]


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"kind": "love", "item": "gar_0"}, ["kind"]),
        ({"kind": "like"}, []),
        ({"kind": "like", "attribute": "colour", "value": "red"}, []),
        ({"kind": "like", "item": "x"}, ["item"]),
        ({"kind": "want", "attribute": "colour"}, []),
        ({"kind": "want", "attribute": "colour", "value": "sky"}, ["value"]),
        ({"kind": "want", "attribute": "colour", "value": "#12345"}, ["value"]),
        ({"kind": "avoid", "attribute": " ", "value": "red"}, ["attribute"]),
        ({"kind": "want", "attribute": "x", "value": "y", "at": "2026-01-01T00:00:00"}, ["at"]),
        ({"kind": "want", "attribute": "x", "value": "y", "at": "9999-12-31T23:59:59Z"}, ["at"]),
        ({"kind": "want", "attribute": "x", "value": "y", "at": "0001-01-01T00:00+14:00"}, ["at"]),
        ({"kind": "want", "attribute": "x", "value": "y", "hard": "never"}, ["hard"]),
        ({"kind": "want", "attribute": "x", "value": "y", "weight": 2}, ["weight"]),
        ({"kind": "like", "item": "gar_" + "0" * 24}, ["item"]),
    ],
)
def test_what_does_not_fit_is_named_alone_and_in_a_list_and_nothing_is_kept(
    client: FlaskClient, entry: dict[str, Any], place: list[str]
) -> None:
    assert refused(client, entry)["errors"][0]["location"] == place
    good = {"kind": "want", "attribute": "fit", "value": "slim"}
    problem = refused(client, {"preferences": [good, entry]})
    assert problem["errors"][0]["location"] == ["preferences", 1, *place]
    assert client.get("/v1/shoppers/c-7").status_code == 404


def test_a_choice_is_between_two(client: FlaskClient, shop: Shop) -> None:
    one = shop.garment_ids[0]
    assert "different" in refused(client, {"kind": "choice", "item": one, "over": one})["detail"]
    refused(client, {"kind": "like", "item": one, "hard": True})


@pytest.mark.parametrize("count", [0, 501])
def test_none_or_too_many_at_once_are_refused(client: FlaskClient, count: int) -> None:
    wish = {"kind": "want", "attribute": "fit", "value": "slim"}
    refused(client, {"preferences": [wish] * count})


def test_a_minute_of_another_clock_is_forgiven(client: FlaskClient) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=40)  # noqa: TID251 - the caller's own clock
    wish = {"kind": "want", "attribute": "fit", "value": "slim"}
    said(client, {**wish, "at": soon.isoformat()})
    late = (soon + timedelta(minutes=2)).isoformat()
    assert refused(client, {**wish, "at": late})["errors"][0]["location"] == ["at"]


@pytest.mark.parametrize("ref", ["%C3%A5se%2B1", "a b", "x" * 200, "mail@shop.example", "7"])
def test_a_reference_comes_back_as_it_was_sent(client: FlaskClient, ref: str) -> None:
    wish = {"kind": "want", "attribute": "fit", "value": "slim"}
    said(client, wish, f"/v1/shoppers/{ref}/preferences")
    url = client.get("/v1/shoppers").get_json()["items"][0]["url"]
    assert client.get(url).get_json()["url"] == url


@pytest.mark.parametrize("ref", ["x" * 201, "a%0Ab", "%20a", "a%20", "%E2%80%8B"])
def test_a_reference_that_does_not_fit_is_refused(client: FlaskClient, ref: str) -> None:
    wish = {"kind": "want", "attribute": "fit", "value": "slim"}
    problem = refused(client, wish, f"/v1/shoppers/{ref}/preferences")
    assert problem["errors"][0]["location"] == ["ref"]


def test_two_first_preferences_at_once_make_one_shopper(
    app: Application, shop: Shop, records: Records
) -> None:
    together, codes = threading.Barrier(8), []

    def like(item: str) -> None:
        client = client_of(app, shop.secret)
        together.wait()
        answer = client.post(PLACE, json={"kind": "like", "item": item})
        codes.append(answer.status_code)

    threads = [threading.Thread(target=like, args=(one,)) for one in shop.garment_ids[:8]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [201] * 8
    with records.reading() as tx:
        (shopper,) = shoppers.page(tx, shop.site_id).items
        assert len(preferences.page(tx, shopper.id).items) == 8


def test_a_preference_is_taken_back(client: FlaskClient, shop: Shop) -> None:
    (one,) = said(client, {"kind": "like", "item": shop.garment_ids[0]})
    said(client, {"kind": "like", "item": shop.garment_ids[0]}, "/v1/shoppers/c-8/preferences")
    assert client.delete(f"/v1/shoppers/c-8/preferences/{one['id']}").status_code == 404
    answer = client.delete(f"{PLACE}/{one['id']}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.delete(f"{PLACE}/{one['id']}").status_code == 404
    assert client.get(PLACE).get_json()["items"] == []


def test_another_sites_shopper_of_the_same_reference_is_another(
    client: FlaskClient, rival: FlaskClient, shop: Shop
) -> None:
    said(client, {"kind": "like", "item": shop.garment_ids[0]})
    assert rival.get("/v1/shoppers/c-7").status_code == 404
    said(rival, {"kind": "want", "attribute": "fit", "value": "slim"})
    assert len(client.get(PLACE).get_json()["items"]) == 1
    assert rival.get("/v1/shoppers/c-7").get_json() != client.get("/v1/shoppers/c-7").get_json()


def test_another_sites_items_cannot_be_liked(rival: FlaskClient, shop: Shop) -> None:
    for item in (shop.garment_ids[0], shop.design_ids[0]):
        assert refused(rival, {"kind": "like", "item": item})["errors"][0]["location"] == ["item"]


def test_the_log_does_not_hold_a_shoppers_reference(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        client.get("/v1/shoppers/anna@shop.example")
        client.post("/v1/shoppers/anna@shop.example/preferences", json={"kind": "love"})
    assert "/v1/shoppers/" in caplog.text
    assert "anna" not in caplog.text
