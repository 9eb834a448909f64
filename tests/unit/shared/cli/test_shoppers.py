"""The commands about shoppers."""

import io
import json
from typing import Any

import pytest

from tests.fixtures.api import AT, FakeApi, problem
from tests.fixtures.toile import Toile

ITEM = "gar_" + "0" * 24
BELIEF: dict[str, Any] = {
    "attribute": "colour", "value": "navy", "swatch": "#1c2748", "direction": "likes",
    "strength": "strong", "effect": 1.7, "certainty": 0.97, "signals": 6.0, "asked": False,
    "text": "likes navy (strong, 6 signals)",
}  # fmt: skip
TASTE: dict[str, Any] = {
    "signals": 6.0, "beliefs": [BELIEF], "catalog_id": "cat_1", "index_id": "idx_1",
    "prior_shoppers": 0, "not_counted": [{"what": "des_1", "why": "No encoder saw the design."}],
}  # fmt: skip
RECOMMENDED: dict[str, Any] = {
    "catalog_id": "cat_1", "index_id": "idx_1", "signals": 6.0, "prior_shoppers": 0,
    "allowed": 40, "not_counted": [],
    "items": [
        {
            "garment_id": "gar_7", "score": 1.2, "probability": 0.76, "url": "/v1/garments/gar_7",
            "image_url": "/v1/garments/gar_7/image", "reasons": [{"item": ITEM, "share": 0.4}],
        }
    ],
}  # fmt: skip
RECEIPT: dict[str, Any] = {
    "id": "era_1", "created_at": AT, "removed": {"artifacts": 1, "idempotency_keys": 2},
    "proof": "ab" * 32, "url": "/v1/erasures/era_1",
}  # fmt: skip


def preference(kind: str) -> dict[str, Any]:
    return {"id": "pref_1", "kind": kind, "item": ITEM, "at": AT, "created_at": AT}


@pytest.mark.parametrize(("option", "kind"), [([], "like"), (["--not"], "dislike")])
def test_likes_are_sent_together(toile: Toile, api: FakeApi, option: list[str], kind: str) -> None:
    made = {"preferences": [preference(kind), preference(kind)]}
    api["POST /v1/shoppers/c%207/preferences"] = (201, made)
    ran = toile("shopper", "like", "c 7", ITEM, ITEM, *option)
    assert ran.code == 0, ran.err
    (sent,) = api.bodies("POST /v1/shoppers/c%207/preferences")
    assert [(one["kind"], one["item"]) for one in sent["preferences"]] == [(kind, ITEM)] * 2
    assert f"Recorded 2 {kind}s of c 7." in ran.out


def test_what_is_no_id_is_refused_before_it_is_sent(toile: Toile, api: FakeApi) -> None:
    ran = toile("shopper", "like", "c-7", "the blue one")
    assert ran.code == 2
    assert "item" in ran.err
    assert api.sent == []


def test_a_taste_is_a_table_of_beliefs(toile: Toile, api: FakeApi) -> None:
    api["GET /v1/shoppers/c-7/taste"] = (200, TASTE)
    ran = toile("shopper", "taste", "c-7", "--catalog", "summer")
    assert "colour: likes navy (strong, 6 signals)" in ran.out
    assert "97%" in ran.out
    assert "Not counted: des_1. No encoder saw the design." in ran.err
    assert "catalog=summer" in api.sent[0].path


def test_recommendations_tell_why(toile: Toile, api: FakeApi) -> None:
    api["GET /v1/shoppers/c-7/recommendations"] = (200, RECOMMENDED)
    ran = toile("shopper", "recommend", "c-7", "--count", 3)
    assert f"gar_7    76%     {ITEM} (+40%)" in ran.out
    assert ran.err == ""
    assert "count=3" in api.sent[0].path


def test_recommendations_without_any_signal_say_so(toile: Toile, api: FakeApi) -> None:
    found = {**RECOMMENDED, "signals": 0.0, "items": [], "allowed": 0}
    api["GET /v1/shoppers/c-7/recommendations"] = (200, found)
    ran = toile("shopper", "recommend", "c-7")
    assert "Nothing is known of c-7 yet" in ran.err
    assert "the hard wishes leave 0" in ran.out


def test_erasing_asks_first_and_prints_the_receipt(
    toile: Toile, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api["DELETE /v1/shoppers/c-7"] = (200, RECEIPT)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert toile("shopper", "erase", "c-7").code != 0
    assert api.sent == []
    ran = toile("shopper", "erase", "c-7", "--yes")
    assert "1 artifacts, 2 idempotency keys" in ran.out
    assert RECEIPT["proof"] in ran.out
    assert json.loads(toile("shopper", "erase", "c-7", "--yes", "--json").out) == RECEIPT


def test_a_shopper_that_is_not_there_is_told(toile: Toile, api: FakeApi) -> None:
    api["GET /v1/shoppers/c-7/taste"] = (404, problem(404, "not_found", "There is no shopper."))
    ran = toile("shopper", "taste", "c-7")
    assert (ran.code, "There is no shopper." in ran.err) == (1, True)
