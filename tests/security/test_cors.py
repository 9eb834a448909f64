"""Pages of other origins: none is let in that the site did not name, and no secret key at all."""

from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient

from shared.records import Records, sites
from shared.schemas.keys import NewApiKey
from tests.fixtures.browsers import ORIGIN, Browser
from tests.fixtures.shop import Shop
from web.runtime import Runtime

ALLOW = "Access-Control-Allow-Origin"
FOREIGN = [
    "https://evil.example",
    "http://shop.example",
    "https://shop.example.evil.example",
    "https://evilshop.example",
    "https://shop.example:444",
    "https://SHOP.example",
    "https://shop.example/",
    "null",
    "*",
    "",
]


def ask(client: FlaskClient, origin: str, path: str = "/v1/design-jobs", **headers: str) -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", **headers}
    return client.options(path, headers=asked)


@pytest.mark.usefixtures("publishable")
def test_a_preflight_of_an_allowed_origin_is_answered(nobody: FlaskClient) -> None:
    answer = ask(nobody, ORIGIN)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers[ALLOW] == ORIGIN
    assert answer.headers["Vary"] == "Origin"
    sent = {
        one.strip().lower() for one in answer.headers["Access-Control-Allow-Headers"].split(",")
    }
    assert {"authorization", "x-toile-key", "content-type", "idempotency-key"} <= sent
    assert "DELETE" not in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.usefixtures("publishable")
def test_a_preflight_of_any_other_origin_is_refused(nobody: FlaskClient) -> None:
    for origin in FOREIGN:
        answer = ask(nobody, origin)
        assert answer.status_code == 403, origin
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert answer.headers["Vary"] == "Origin"


def test_an_answer_is_readable_by_the_page_that_may_ask(browser: Browser) -> None:
    answer = browser("GET", "/v1/designs")
    assert (answer.status_code, answer.headers[ALLOW]) == (200, ORIGIN)
    assert "Origin" in answer.vary
    assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    refused = Browser(browser.client, browser.key, "toile_session_wrong")("GET", "/v1/designs")
    assert (refused.status_code, refused.headers[ALLOW]) == (401, ORIGIN)


def test_a_publishable_key_is_refused_on_any_other_page(browser: Browser) -> None:
    for origin in FOREIGN:
        browser.origin = origin
        answer = browser("GET", "/v1/designs")
        assert (answer.status_code, answer.get_json()["reason"]) == (403, "forbidden"), origin
        assert ALLOW not in answer.headers


def test_an_origin_of_another_key_does_not_open_this_one(
    browser: Browser, nobody: FlaskClient, records: Records
) -> None:
    with records.transaction() as tx:
        site = sites.create(tx, "other").id
        sites.create_publishable_key(tx, site, name="x", origins=["https://other.example"])
    assert ask(nobody, "https://other.example").status_code == 204
    browser.origin = "https://other.example"
    answer = browser("GET", "/v1/designs")
    assert answer.status_code == 403
    assert ALLOW not in answer.headers


def test_a_program_that_sends_no_origin_may_use_a_session(browser: Browser) -> None:
    browser.origin = None
    answer = browser("GET", "/v1/designs")
    assert answer.status_code == 200
    assert ALLOW not in answer.headers
    assert "Origin" in answer.vary


@pytest.mark.usefixtures("publishable")
def test_a_secret_key_from_a_page_is_refused_and_told_so(client: FlaskClient, shop: Shop) -> None:
    for path, origin in product(
        ("/v1/jobs", f"/v1/jobs/{shop.jobs['design']}"), (ORIGIN, "https://evil.example", "null")
    ):
        answer = client.get(path, headers={"Origin": origin})
        assert (answer.status_code, answer.get_json()["reason"]) == (403, "forbidden")
        assert "secret key" in answer.get_json()["detail"]
        assert ALLOW not in answer.headers


def test_a_page_of_this_server_itself_may_send_one(client: FlaskClient) -> None:
    assert client.get("/v1/jobs", headers={"Origin": "http://localhost"}).status_code == 200


@pytest.mark.usefixtures("publishable")
def test_the_consoles_cookie_makes_no_answer_readable_elsewhere(
    nobody: FlaskClient, shop: Shop
) -> None:
    nobody.post("/login", data={"key": shop.secret})
    answer = nobody.get("/v1/jobs", headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    assert ALLOW not in answer.headers


@pytest.mark.usefixtures("publishable")
def test_pages_and_health_are_no_part_of_it(nobody: FlaskClient) -> None:
    for path in ("/healthz", "/docs", "/login"):
        assert ALLOW not in nobody.get(path, headers={"Origin": ORIGIN}).headers
        assert ALLOW not in ask(nobody, ORIGIN, path).headers


def test_a_revoked_keys_origin_is_refused_within_five_seconds(
    nobody: FlaskClient, client: FlaskClient, publishable: NewApiKey, front: Runtime
) -> None:
    assert ask(nobody, ORIGIN).status_code == 204
    client.delete(f"/v1/keys/{publishable.id}")
    before = front.keys._now()
    front.keys._now = lambda: before + 5
    assert ask(nobody, ORIGIN).status_code == 403
