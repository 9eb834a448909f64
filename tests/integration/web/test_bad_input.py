"""What bad input gets: a problem document, and nothing half-written."""

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from shared.records import Records, jobs
from tests.fixtures.shop import Shop
from web.app import Application
from web.problems import KINDS

POSTS = (
    "/v1/catalogs",
    "/v1/training-jobs",
    "/v1/design-jobs",
    "/v1/trend-reports",
    "/v1/shoppers/c-7/preferences",
)


def is_problem(answer: Any, status: int, reason: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    problem: dict[str, Any] = answer.get_json()
    assert problem["status"] == status
    assert problem["reason"] == reason
    assert problem["type"] == f"/problems/{reason}"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    return problem


@pytest.mark.parametrize("place", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"catalog=summer", b'{"a": NaN}', b'{"a": 1e999}', b"\xff\xfe", b"[" * 20_000],
)
def test_a_body_that_is_not_json_is_a_bad_request(
    client: FlaskClient, place: str, body: bytes
) -> None:
    answer = client.post(place, data=body, content_type="application/json")
    is_problem(answer, 400, "bad_request")


@pytest.mark.parametrize("place", POSTS)
@pytest.mark.parametrize("body", ["[]", '"{}"', "7", "null", "true"])
def test_json_that_is_no_object_is_refused(client: FlaskClient, place: str, body: str) -> None:
    answer = client.post(place, data=body, content_type="application/json")
    problem = is_problem(answer, 422, "invalid_input")
    assert "expected an object" in problem["detail"]


@pytest.mark.parametrize("place", POSTS)
@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", None])
def test_a_body_of_another_type_is_refused(
    client: FlaskClient, place: str, content_type: str | None
) -> None:
    is_problem(
        client.post(place, data=b"{}", content_type=content_type), 415, "unsupported_media_type"
    )


def test_each_field_that_does_not_fit_is_named(client: FlaskClient) -> None:
    body = {"release": "rel_x", "count": 65, "size": "big", "colour": "red"}
    problem = is_problem(client.post("/v1/design-jobs", json=body), 422, "invalid_input")
    assert {tuple(one["location"]) for one in problem["errors"]} == {
        ("count",),
        ("size",),
        ("colour",),
    }


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "page_size=5", "state=gone"])
def test_a_query_that_does_not_fit_is_refused(client: FlaskClient, query: str) -> None:
    is_problem(client.get(f"/v1/jobs?{query}"), 422, "invalid_input")


def test_a_cursor_that_names_nothing_is_refused(client: FlaskClient) -> None:
    is_problem(client.get("/v1/designs?cursor=des_never"), 422, "invalid_input")


def test_a_body_larger_than_the_limit_is_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/catalogs", json={"name": "x" * 60_000})
    is_problem(answer, 413, "too_large")


def test_an_address_that_leads_nowhere_is_a_problem_too(client: FlaskClient) -> None:
    problem = is_problem(client.get("/v1/nothing"), 404, "not_found")
    assert "/docs" in problem["detail"]


def test_a_method_that_an_address_does_not_take_names_those_it_takes(client: FlaskClient) -> None:
    answer = client.delete("/v1/catalogs")
    is_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("place", ["/v1/jobs/a%00b", "/v1/jobs?cursor=%00", "/v1/catalogs/%00"])
def test_nul_in_an_address_is_refused(client: FlaskClient, place: str) -> None:
    is_problem(client.get(place), 400, "bad_request")


@pytest.mark.parametrize("name", ["\0", "a\ud800"])
def test_characters_that_no_database_keeps_are_refused(client: FlaskClient, name: str) -> None:
    answer = client.post(
        "/v1/catalogs", data=json.dumps({"name": name}), content_type="application/json"
    )
    is_problem(answer, 422, "invalid_input")


@pytest.mark.parametrize("number", [2**31, 10**30])
def test_numbers_that_no_database_keeps_are_refused(client: FlaskClient, number: int) -> None:
    body = {"catalog": "summer", "catalog_version": number}
    is_problem(client.post("/v1/training-jobs", json=body), 422, "invalid_input")


def test_nothing_that_was_refused_left_a_job(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    with records.reading() as tx:
        before = jobs.count_by_state(tx, shop.site_id)
    client.post("/v1/design-jobs", json={"model": "default", "size": 64})
    client.post("/v1/training-jobs", json={"catalog": "nowhere"})
    with records.reading() as tx:
        assert jobs.count_by_state(tx, shop.site_id) == before


def test_a_fault_of_ours_tells_the_caller_nothing_but_the_request_id(
    app: Application,
    client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(app.extensions, "toile", None)
    with caplog.at_level(logging.ERROR):
        answer = client.get("/v1/jobs")
    problem = is_problem(answer, 500, "internal")
    assert "Traceback" not in answer.text
    assert "None" not in answer.text
    assert problem["request_id"] in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("reason", KINDS)
def test_every_kind_of_problem_has_a_page(nobody: FlaskClient, reason: str) -> None:
    answer = nobody.get(f"/problems/{reason}")
    assert answer.status_code == 200
    assert escape(KINDS[reason].title) in answer.text


def test_a_line_break_in_an_address_does_not_forge_a_log_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/v1/jobs/a%0aERROR%20forged")
    assert not any("\n" in record.getMessage() for record in caplog.records)
