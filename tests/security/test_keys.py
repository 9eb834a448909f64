"""Keys: what each may do, until when, and what nobody gets by one."""

import logging
import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from shared.console import session_token
from shared.records import Records, promises, sites
from shared.schemas.keys import NewApiKey, Scope, is_origin
from shared.settings import Settings
from tests.fixtures.browsers import Make
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop
from web.app import Application
from web.auth import COOKIE
from web.runtime import Runtime
from web.uses import Uses

ASKED: dict[str, list[tuple[str, str, Any]]] = {
    Scope.READ: [
        ("GET", "/v1/catalogs", None),
        ("GET", "/v1/jobs", None),
        ("GET", "/v1/shoppers", None),
        ("POST", "/v1/provenance", None),
    ],
    Scope.DESIGN: [
        ("POST", "/v1/design-jobs", {"model": "default"}),
        ("POST", "/v1/design-jobs/batch", {"requests": [{"model": "default"}]}),
        ("POST", "/v1/shoppers/c-7/preferences", {"kind": "want", "attribute": "colour"}),
        ("POST", "/v1/shoppers/c-7/sessions", {}),
    ],
    Scope.TRAIN: [
        ("POST", "/v1/catalogs", {"name": "new"}),
        ("POST", "/v1/catalogs/summer/garments", {}),
        ("POST", "/v1/training-jobs", {"catalog": "summer"}),
        ("POST", "/v1/feeds", {"name": "new"}),
        ("DELETE", "/v1/feeds/new", None),
        ("POST", "/v1/trend-reports", {}),
        ("POST", "/v1/trend-alerts", {}),
    ],
    Scope.ADMIN: [
        ("GET", "/v1/keys", None),
        ("POST", "/v1/keys", {"name": "new", "scopes": ["admin"]}),
        ("DELETE", "/v1/shoppers/c-7", None),
    ],
}


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_opens_what_is_its_own_and_nothing_else(
    app: Application, make_key: Make, scope: Scope
) -> None:
    caller = client_of(app, make_key(scope).secret)
    for needed, routes in ASKED.items():
        for method, path, body in routes:
            answer = caller.open(path, method=method, json=body)
            if needed == scope:
                assert answer.status_code != 403, (path, answer.get_json())
            else:
                assert answer.status_code == 403, path
                assert answer.get_json()["reason"] == "forbidden"
                assert f"`{needed}`" in answer.get_json()["detail"]


@pytest.mark.parametrize(("scope", "kind"), [(Scope.DESIGN, "design"), (Scope.TRAIN, "training")])
def test_a_job_is_cancelled_by_who_could_have_asked_for_it(
    app: Application, make_key: Make, shop: Shop, scope: Scope, kind: str
) -> None:
    caller = client_of(app, make_key(scope).secret)
    for name in ("design", "training"):
        answer = caller.post(f"/v1/jobs/{shop.jobs[name]}/cancel")
        assert answer.status_code == (409 if name == kind else 403), name


def test_a_poll_needs_a_key_that_may_read_and_is_not_over(
    app: Application, make_key: Make, shop: Shop, front: Runtime
) -> None:
    job = f"/v1/jobs/{shop.jobs['design']}"
    assert client_of(app, make_key(Scope.DESIGN).secret).get(job).status_code == 403
    short = make_key(Scope.READ, expires_at=front.records._clock() + timedelta(seconds=1))  # type: ignore[misc]
    caller = client_of(app, short.secret)
    assert caller.get(job).status_code == 200
    time.sleep(1.05)
    assert caller.get(job).status_code == 401  # within the three seconds that keys are remembered


def test_a_key_gives_no_more_than_it_has(
    app: Application, make_key: Make, records: Records, shop: Shop
) -> None:
    caller = client_of(app, make_key(Scope.ADMIN, Scope.READ).secret)
    for scopes in (["design"], ["admin", "train"], ["read", "design", "train", "admin"]):
        answer = caller.post("/v1/keys", json={"name": "more", "scopes": scopes})
        assert (answer.status_code, answer.get_json()["reason"]) == (403, "forbidden")
    assert caller.post("/v1/keys", json={"name": "same"}).get_json()["scopes"] == ["read", "admin"]
    stronger = make_key(*Scope)
    assert caller.post(f"/v1/keys/{stronger.id}/rotate", json={}).status_code == 403
    with records.reading() as tx:
        assert sites.own_key(tx, shop.site_id, stronger.id).replaced_by is None


def test_a_key_that_may_not_read_opens_no_console(
    nobody: FlaskClient, make_key: Make, settings: Settings, publishable: NewApiKey
) -> None:
    for key in (make_key(Scope.ADMIN), publishable):
        assert nobody.post("/login", data={"key": key.secret}).status_code == 401
        nobody.set_cookie(COOKIE, session_token(settings, key.id))
        assert nobody.get("/v1/jobs").status_code == 401
        assert nobody.get("/").status_code == 302


def test_the_consoles_cookie_changes_nothing(
    nobody: FlaskClient, settings: Settings, shop: Shop
) -> None:
    nobody.set_cookie(COOKIE, session_token(settings, shop.key_id))
    assert nobody.get("/v1/keys").status_code == 200
    assert nobody.post("/v1/keys", json={"name": "new"}).status_code == 401
    assert nobody.delete(f"/v1/keys/{shop.key_id}").status_code == 401


def test_another_sites_keys_are_not_there(rival: FlaskClient, shop: Shop) -> None:
    for method, path in (
        ("GET", f"/v1/keys/{shop.key_id}"),
        ("DELETE", f"/v1/keys/{shop.key_id}"),
        ("POST", f"/v1/keys/{shop.key_id}/rotate"),
    ):
        assert rival.open(path, method=method, json={}).status_code == 404, path
    assert shop.key_id not in rival.get("/v1/keys").text


def test_a_secret_is_told_once_and_kept_nowhere(
    client: FlaskClient, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {"Idempotency-Key": "new-key"}
    made = client.post("/v1/keys", json={"name": "till"}, headers=headers)
    assert made.status_code == 201
    secret = made.get_json()["secret"]
    again = client.post("/v1/keys", json={"name": "till"}, headers=headers)
    assert (again.status_code, again.get_json()["details"]["key"]) == (409, made.get_json()["id"])
    rotated = client.post(f"{made.headers['Location']}/rotate", json={}, headers={}).get_json()
    shown = "".join(client.get(path).text for path in ("/v1/keys", made.headers["Location"]))
    with records.engine.connect() as connection:
        for table in ("api_keys", "idempotency_keys"):
            shown += str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())  # noqa: S608
    for hidden in (secret, rotated["secret"]):
        assert hidden not in shown + caplog.text
        assert sites.hash_secret(hidden) not in client.get("/v1/keys").text


def test_a_key_is_looked_up_by_its_hash_and_compared_by_nobody(
    records: Records, make_key: Make
) -> None:
    secret = make_key(Scope.READ).secret
    sent: list[str] = []
    event.listen(
        records.engine, "before_cursor_execute", lambda *said: sent.append(f"{said[2]} {said[3]}")
    )
    with records.reading() as tx:
        assert sites.find_key(tx, secret) is not None
    asked = "".join(sent)
    assert sites.hash_secret(secret) in asked
    assert secret not in asked


def test_a_rotated_key_goes_on_for_the_overlap_and_then_ends(
    app: Application, client: FlaskClient, make_key: Make
) -> None:
    old = make_key(Scope.READ)
    made = client.post(f"/v1/keys/{old.id}/rotate", json={"overlap": 1}).get_json()
    assert (made["scopes"], made["name"]) == (["read"], old.name)
    before, after = client_of(app, old.secret), client_of(app, made["secret"])
    assert {before.get("/v1/jobs").status_code, after.get("/v1/jobs").status_code} == {200}
    time.sleep(1.05)
    assert before.get("/v1/jobs").status_code == 401
    assert after.get("/v1/jobs").status_code == 200
    assert client.get(f"/v1/keys/{old.id}").get_json()["replaced_by"] == made["id"]


def test_a_key_is_rotated_once_and_its_successor_lives_as_long(
    client: FlaskClient, make_key: Make, front: Runtime
) -> None:
    now = front.records._clock()  # type: ignore[misc]
    old = make_key(Scope.READ, expires_at=now + timedelta(days=90))
    first = client.post(f"/v1/keys/{old.id}/rotate", json={})
    assert first.status_code == 201
    second = client.post(f"/v1/keys/{old.id}/rotate", json={})
    assert (second.status_code, second.get_json()["details"]["key"]) == (
        409, first.get_json()["id"],
    )  # fmt: skip
    lives = NewApiKey.model_validate(first.get_json())
    assert lives.expires_at is not None
    assert abs(lives.expires_at - now - timedelta(days=90)) < timedelta(minutes=1)
    client.delete(f"/v1/keys/{lives.id}")
    assert client.post(f"/v1/keys/{lives.id}/rotate", json={}).status_code == 409


def test_a_revoked_key_is_useless_within_five_seconds_on_either_way(
    app: Application, client: FlaskClient, make_key: Make, shop: Shop, front: Runtime
) -> None:
    key = make_key(Scope.READ)
    caller, poll = client_of(app, key.secret), f"/v1/jobs/{shop.jobs['design']}"
    assert {caller.get(path).status_code for path in ("/v1/jobs", poll)} == {200}
    assert client.delete(f"/v1/keys/{key.id}").get_json()["revoked_at"] is not None
    later = time.monotonic() + 5
    front.keys._now = lambda: later
    assert {caller.get(path).status_code for path in ("/v1/jobs", poll)} == {401}


SENSELESS: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "till\x1b[2J"},
    {"name": "two\nlines"},
    {"name": "x", "scopes": ["everything"]},
    {"name": "x", "expires_in": 0},
    {"name": "x", "expires_in": -1},
    {"name": "x", "publishable": True},
    {"name": "x", "origins": ["https://shop.example"]},
    {"name": "x", "publishable": True, "origins": ["https://a.example"], "scopes": ["read"]},
    {"name": "x", "publishable": True, "origins": ["*"]},
    {"name": "x", "site_id": "site_other"},
]


def test_a_key_that_makes_no_sense_is_refused(client: FlaskClient) -> None:
    for body in SENSELESS:
        answer = client.post("/v1/keys", json=body)
        assert (answer.status_code, answer.get_json()["reason"]) == (422, "invalid_input"), body


def test_the_time_of_use_is_written_aside_and_at_most_once_a_minute(
    records: Records, make_key: Make, shop: Shop
) -> None:
    key, here = make_key(Scope.READ), threading.get_ident()
    writers: list[int] = []

    def seen(*said: Any) -> None:
        if said[2].startswith("UPDATE api_keys"):
            writers.append(threading.get_ident())

    def used_at() -> datetime | None:
        with records.reading() as tx:
            return sites.own_key(tx, shop.site_id, key.id).last_used_at

    event.listen(records.engine, "after_cursor_execute", seen)
    uses = Uses(records, first=0.01, pause=0.02)
    uses.note(key.id)
    assert here not in writers
    until = time.monotonic() + 30
    while used_at() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    uses.close()
    first = used_at()
    with records.transaction() as tx:
        sites.note_use(tx, [key.id])
    assert used_at() == first


def test_idempotency_rows_of_keys_hold_no_answer(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    made = client.post("/v1/keys", json={"name": "x"}, headers={"Idempotency-Key": "k"}).get_json()
    with records.reading() as tx:
        assert promises.find(tx, shop.site_id, ["k"])["k"].answer == {"key": made["id"]}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("https://shop.example", True),
        ("https://shop.example:8443", True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:5173", True),
        ("https://xn--bcher-kva.example", True),
        ("http://shop.example", False),
        ("https://shop.example/", False),
        ("https://Shop.example", False),
        ("https://shop.example:443", False),
        ("http://localhost:80", False),
        ("https://shop.example:0", False),
        ("https://shop.example:99999", False),
        ("https://shop.example:08443", False),
        ("https://*.shop.example", False),
        ("https://shop.example\n", False),
        ("https://user@shop.example", False),
        ("https://shop.example?x", False),
        ("https://bücher.example", False),
        ("http://localhost.evil.example", False),
        ("null", False),
        ("*", False),
        ("", False),
    ],
)
def test_only_what_a_browser_would_send_is_an_origin(text: str, *, fits: bool) -> None:
    assert is_origin(text) is fits
