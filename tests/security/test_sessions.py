"""One shopper's session: it opens what is that shopper's, and nothing else of anybody."""

import base64
import hmac
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeSerializer
from pydantic import SecretStr

from shared.console import console_token, session_token, signing_key
from shared.records import Records, preferences, shoppers, sites
from shared.schemas.keys import NewApiKey, Scope
from shared.settings import Settings
from tests.fixtures.browsers import ORIGIN, REF, Browser, Make, Theirs, open_session
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop, open_shop
from web.app import Application
from web.runtime import Runtime
from web.sessions import BEGINS, Claims, Sessions

OPEN = {
    "POST /v1/design-jobs",
    "POST /v1/designs/<design>/variations",
    "POST /v1/designs/mix",
    "POST /v1/designs/walk",
    "GET /v1/jobs/<job>",
    "GET /v1/jobs/<job>/events",
    "GET /v1/designs",
    "GET /v1/designs/<design>",
    "GET /v1/designs/<design>/image",
    "GET /v1/designs/<design>/similar",
    "GET /v1/garments/<garment>/image",
    "GET /v1/garments/<garment>/similar",
    "GET /v1/shoppers/<ref>/taste",
    "GET /v1/shoppers/<ref>/recommendations",
    "POST /v1/shoppers/<ref>/preferences",
}
"""All that a browser may ask; whoever adds a route decides whether it belongs here."""


def test_a_session_opens_a_few_routes_and_no_other(app: Application, browser: Browser) -> None:
    opened = set()
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}:
            if rule.rule.startswith("/v1/"):
                answer = browser(method, re.sub(r"<[^>]+>", "x", rule.rule), json={})
                if answer.status_code != 403:
                    opened.add(f"{method} {rule.rule}")
    assert opened == OPEN


@pytest.mark.usefixtures("indexed")
def test_a_browser_asks_for_designs_of_its_shopper_named_or_not(
    browser: Browser, client: FlaskClient, own: Theirs
) -> None:
    for body in ({}, {"shopper": REF}, {"shopper": "me"}):
        answer = browser("POST", "/v1/design-jobs", json={"model": "default", **body})
        assert answer.status_code == 202, answer.get_json()
        job = answer.get_json()
        assert job["spec"]["way"]["shopper_id"] == own.shopper_id
        assert browser("GET", job["url"]).get_json()["id"] == job["id"]
    other = browser("POST", "/v1/design-jobs", json={"model": "default", "shopper": "c-8"})
    assert other.status_code == 404
    assert client.get("/v1/shoppers/c-8").status_code == 404


@pytest.mark.usefixtures("indexed", "others")
def test_what_is_the_shoppers_own_is_there(
    browser: Browser, client: FlaskClient, own: Theirs, shop: Shop
) -> None:
    first, second = own.design_ids
    for path in (
        f"/v1/jobs/{own.job_id}",
        f"/v1/jobs/{own.job_id}?wait=1",
        f"/v1/designs/{first}",
        f"/v1/designs/{first}/image",
        f"/v1/garments/{shop.garment_ids[0]}/image",
        f"/v1/garments/{shop.garment_ids[0]}/similar",
        f"/v1/shoppers/{REF}/taste",
        "/v1/shoppers/me/taste",
        "/v1/shoppers/me/recommendations",
    ):
        assert browser("GET", path).status_code == 200, path
    listed = browser("GET", "/v1/designs").get_json()["items"]
    assert {one["id"] for one in listed} == set(own.design_ids)
    for path, body in (
        (f"/v1/designs/{first}/variations", {}),
        ("/v1/designs/mix", {"first": first, "second": second}),
        ("/v1/designs/walk", {"first": first, "second": second}),
    ):
        answer = browser("POST", path, json=body)
        assert answer.status_code == 202, (path, answer.get_json())
        assert browser("GET", answer.get_json()["url"]).status_code == 200
    like = {"kind": "like", "item": first}
    assert browser("POST", "/v1/shoppers/me/preferences", json=like).status_code == 201
    said = client.get(f"/v1/shoppers/{REF}/preferences").get_json()["items"]
    assert [one["item"] for one in said] == [first]
    assert client.get("/v1/shoppers/me").status_code == 404


@pytest.mark.usefixtures("indexed")
def test_nothing_of_another_shopper_or_of_the_site_is_found(
    browser: Browser, own: Theirs, others: Theirs, shop: Shop, records: Records
) -> None:
    for design in (others.design_ids[0], shop.design_ids[0]):
        mine = own.design_ids[0]
        for method, path, body in (
            ("GET", f"/v1/designs/{design}", None),
            ("GET", f"/v1/designs/{design}/image", None),
            ("GET", f"/v1/designs/{design}/image?signed=true", None),
            ("GET", f"/v1/designs/{design}/similar", None),
            ("POST", f"/v1/designs/{design}/variations", {}),
            ("POST", "/v1/designs/mix", {"first": design, "second": mine}),
            ("POST", "/v1/designs/mix", {"first": mine, "second": design}),
            ("POST", "/v1/designs/walk", {"first": mine, "second": design}),
        ):
            answer = browser(method, path, json=body)
            assert answer.status_code == 404, path
        liked = browser(
            "POST", "/v1/shoppers/me/preferences", json={"kind": "like", "item": design}
        )
        assert liked.status_code == 422
    for job in (others.job_id, shop.jobs["design"], shop.jobs["training"]):
        assert browser("GET", f"/v1/jobs/{job}").status_code == 404
    for ref in ("somebody-else", "never-seen"):
        for path in ("taste", "recommendations"):
            assert browser("GET", f"/v1/shoppers/{ref}/{path}").status_code == 404
        like = {"kind": "like", "item": shop.garment_ids[0]}
        assert browser("POST", f"/v1/shoppers/{ref}/preferences", json=like).status_code == 404
        assert browser("GET", f"/v1/designs?shopper={ref}").status_code == 404
    listed = browser("GET", f"/v1/designs?job={others.job_id}").get_json()["items"]
    assert listed == []
    with records.reading() as tx:
        assert preferences.page(tx, others.shopper_id).items == []
        assert shoppers.find(tx, shop.site_id, "never-seen") is None


def test_key_and_token_open_nothing_alone(app: Application, browser: Browser, shop: Shop) -> None:
    stranger = app.test_client()
    bearer = "Authorization"
    for headers in (
        {"X-Toile-Key": browser.key},
        {bearer: f"Bearer {browser.key}"},
        {bearer: f"Bearer {browser.token}"},
        {bearer: f"Bearer {browser.token}", "X-Toile-Key": shop.secret},
        {bearer: f"Bearer {shop.secret}", "X-Toile-Key": browser.key},
        {bearer: f"Bearer {browser.key}", "X-Toile-Key": browser.key},
        {bearer: f"Bearer {browser.token}", "X-Toile-Key": "toile_pub_unknown"},
        {bearer: f"Basic {browser.token}", "X-Toile-Key": browser.key},
    ):
        for path in ("/v1/designs", "/v1/jobs", "/v1/keys"):
            answer = stranger.get(path, headers=headers)
            assert (answer.status_code, answer.get_json()["reason"]) == (401, "unauthorized")


def test_a_token_is_good_for_its_own_site_alone(
    app: Application, browser: Browser, records: Records, own: Theirs
) -> None:
    with records.transaction() as tx:
        site = sites.create(tx, "other").id
        pages = sites.create_publishable_key(tx, site, name="pages", origins=[ORIGIN])
    mixed = Browser(app.test_client(), pages.secret, browser.token)
    assert mixed("GET", f"/v1/designs/{own.design_ids[0]}").status_code == 401


def _forgeries(settings: Settings, token: str, claims: Claims, rival: str) -> dict[str, str]:
    said = [claims.site_id, claims.shopper_id, claims.key_id, *claims.scopes, claims.expires]
    elsewhere = settings.model_copy(update={"secret_key": SecretStr("of another server")})
    unsigned = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    body, _, signature = token.removeprefix(BEGINS).rpartition(".")
    sha1 = URLSafeSerializer(signing_key(settings), salt="toile-shopper-session")
    salted = URLSafeSerializer(signing_key(settings), salt="toile-console-session")
    longer = [*said[:-1], claims.expires + 9_000]
    other = base64.urlsafe_b64encode(json.dumps(longer).encode()).decode().rstrip("=")
    made_by = claims.model_copy(update={"key_id": rival})
    return {
        "signed by another server": Sessions(elsewhere).token(claims),
        "made with another site's key": Sessions(settings).token(made_by),
        "of another site": Sessions(settings).token(
            claims.model_copy(update={"site_id": "site_other"})
        ),
        "over": Sessions(settings).token(claims.model_copy(update={"expires": int(time.time())})),
        "of nobody": Sessions(settings).token(
            claims.model_copy(update={"shopper_id": "shop_nobody"})
        ),
        "unsigned": BEGINS + unsigned,
        "signed with nothing": f"{BEGINS}{unsigned}.",
        "longer life under the old signature": f"{BEGINS}{other}.{signature}",
        "weaker hash": BEGINS + str(sha1.dumps(said)),
        "signed for the console": BEGINS + str(salted.dumps(said)),
        "the console's": BEGINS + session_token(settings, claims.key_id),
        "a link": BEGINS + console_token(settings, claims.key_id),
        "cut": token[:-1],
        "empty": BEGINS,
        "body alone": BEGINS + body,
        "very long": BEGINS + "A" * 6_000,
        "no letters": BEGINS + "\xff\xfe",
    }


@pytest.mark.usefixtures("own")
def test_a_forged_token_opens_nothing(
    browser: Browser, settings: Settings, front: Runtime, records: Records
) -> None:
    claims = front.sessions.read(browser.token)
    assert claims is not None
    assert browser("GET", "/v1/designs").status_code == 200
    rival = open_shop(records, "other").key_id
    for name, token in _forgeries(settings, browser.token, claims, rival).items():
        forger = Browser(browser.client, browser.key, token)
        answer = forger("GET", "/v1/designs")
        assert answer.status_code == 401, name
        assert answer.get_json()["reason"] == "unauthorized", name


def test_no_changed_character_of_a_token_is_overlooked(browser: Browser, front: Runtime) -> None:
    token = browser.token
    for place in range(len(BEGINS), len(token) - 1):
        # Of the last one only some bits count: base64 has more letters than are needed there.
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert front.sessions.read(changed) is None, place


def test_signatures_are_compared_in_constant_time(
    browser: Browser, front: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def watching(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watching)
    assert front.sessions.read(browser.token) is not None
    assert front.sessions.read(f"{browser.token[:-6]}AAAAAA") is None
    assert len(compared) == 2


@pytest.mark.usefixtures("indexed")
def test_a_session_may_do_no_more_than_was_given_or_its_key_has(
    app: Application, client: FlaskClient, make_key: Make, browser: Browser
) -> None:
    reading = Browser(browser.client, browser.key, open_session(client, scopes=["read"])["token"])
    assert reading("GET", "/v1/designs").status_code == 200
    assert reading("POST", "/v1/design-jobs", json={"model": "default"}).status_code == 403
    designer = client_of(app, make_key(Scope.DESIGN).secret)
    assert open_session(designer)["scopes"] == ["design"]
    path = f"/v1/shoppers/{REF}/sessions"
    assert designer.post(path, json={"scopes": ["read"]}).status_code == 403
    for beyond in ("train", "admin"):
        answer = client.post(path, json={"scopes": [beyond]})
        assert (answer.status_code, answer.get_json()["reason"]) == (422, "invalid_input")
    for seconds in (0, 59, 86_401, "nan"):
        assert client.post(path, json={"expires_in": seconds}).status_code == 422
    assert browser("POST", path, json={}).status_code == 403


def test_a_session_lasts_half_an_hour_and_then_ends(
    client: FlaskClient, browser: Browser, front: Runtime
) -> None:
    began = time.time()
    for late, status in ((29 * 60, 200), (31 * 60, 401)):
        front.sessions._now = lambda late=late: began + late  # type: ignore[misc]
        assert browser("GET", "/v1/designs").status_code == status
    assert client.get("/v1/jobs").status_code == 200


def _erase(client: FlaskClient, _shop: Shop, _page: NewApiKey) -> None:
    assert client.delete(f"/v1/shoppers/{REF}").status_code == 200


def _revoke_maker(client: FlaskClient, shop: Shop, _page: NewApiKey) -> None:
    assert client.delete(f"/v1/keys/{shop.key_id}").status_code == 200


def _revoke_page(client: FlaskClient, _shop: Shop, page: NewApiKey) -> None:
    assert client.delete(f"/v1/keys/{page.id}").status_code == 200


@pytest.mark.parametrize("end", [_erase, _revoke_maker, _revoke_page])
def test_a_session_ends_within_five_seconds_of_what_it_hangs_on(
    browser: Browser,
    client: FlaskClient,
    shop: Shop,
    publishable: NewApiKey,
    front: Runtime,
    end: Callable[[FlaskClient, Shop, NewApiKey], None],
) -> None:
    assert browser("GET", "/v1/designs").status_code == 200
    end(client, shop, publishable)
    later = time.monotonic() + 5
    front.keys._now = lambda: later
    assert browser("GET", "/v1/designs").status_code == 401


def test_a_session_ends_within_five_seconds_by_the_real_clock(
    browser: Browser, client: FlaskClient, publishable: NewApiKey
) -> None:
    assert browser("GET", "/v1/designs").status_code == 200
    client.delete(f"/v1/keys/{publishable.id}")
    began = time.monotonic()
    while browser("GET", "/v1/designs").status_code != 401:
        assert time.monotonic() - began < 5
        time.sleep(0.25)


@pytest.mark.usefixtures("indexed")
def test_who_was_erased_is_not_made_again_by_their_own_browser(
    browser: Browser, client: FlaskClient, records: Records, shop: Shop
) -> None:
    assert browser("GET", "/v1/designs").status_code == 200
    client.delete(f"/v1/shoppers/{REF}")
    like = {"kind": "like", "item": shop.garment_ids[0]}
    for path, body in (
        ("/v1/shoppers/me/preferences", like),
        ("/v1/design-jobs", {"model": "default"}),
    ):
        # The front still remembers them for a moment; the database does not.
        assert browser("POST", path, json=body).status_code == 404, path
    with records.reading() as tx:
        assert shoppers.find(tx, shop.site_id, REF) is None


def test_the_shoppers_reference_stands_in_no_log_and_no_token(
    browser: Browser, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = open_session(client)
    for method, path in (
        ("GET", f"/v1/shoppers/{REF}/taste"),
        ("GET", f"/v1/shoppers/{REF}/nothing"),
        ("PUT", f"/v1/shoppers/{REF}/taste"),
        ("OPTIONS", f"/v1/shoppers/{REF}/taste"),
        ("GET", f"/v1/designs?shopper={REF}"),
        ("POST", f"/v1/shoppers/{REF}/preferences"),
    ):
        browser(method, path, json={})
    token = session["token"].removeprefix(BEGINS).split(".")[-2]
    said = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode(errors="replace")
    assert "web.app" in {one.name for one in caplog.records}
    for hidden in (REF, browser.token, browser.key):
        assert hidden not in caplog.text
    assert REF not in said
    assert REF not in repr(session)


@pytest.mark.usefixtures("own", "indexed")
def test_two_shoppers_idempotency_keys_never_meet(browser: Browser, client: FlaskClient) -> None:
    other = Browser(browser.client, browser.key, open_session(client, "c-9")["token"])
    body, headers = {"model": "default"}, {"Idempotency-Key": "1"}
    first, second = (
        one("POST", "/v1/design-jobs", json=body, headers=headers) for one in (browser, other)
    )
    assert first.status_code == second.status_code == 202
    assert first.get_json()["id"] != second.get_json()["id"]
    again = browser("POST", "/v1/design-jobs", json=body, headers=headers)
    assert (again.get_json(), again.headers["Idempotency-Replayed"]) == (first.get_json(), "true")


def test_a_repeated_request_for_a_session_gives_the_same_token_which_is_kept_nowhere(
    client: FlaskClient, records: Records
) -> None:
    headers, path = {"Idempotency-Key": "s"}, f"/v1/shoppers/{REF}/sessions"
    first = client.post(path, json={}, headers=headers)
    time.sleep(1.1)
    again = client.post(path, json={}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_data() == first.get_data()
    with records.engine.connect() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM idempotency_keys").all())
    assert first.get_json()["token"].rpartition(".")[2] not in rows
