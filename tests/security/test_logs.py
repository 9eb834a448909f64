"""What the logs must never hold: secrets, shoppers, and lines that nobody wrote."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared.logging import JsonLines, TextLines
from shared.records import Records
from shared.settings import Settings
from tests.fixtures.shop import Shop
from web.app import Application

PLANTED = "Planted" + "7Q" * 16
KEY = f"toile_{PLANTED}"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A front that takes its proxy's word for the id of a request."""
    return settings.model_copy(update={"trust_request_id": True})


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """All that is logged, at the lowest level, as it would be written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines("web") if request.param == "json" else TextLines())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def ask_everywhere(app: Application, client: FlaskClient, shop: Shop) -> list[TestResponse]:
    """Put the planted secret wherever a caller could put one."""
    stranger = app.test_client()
    bearer = {"Authorization": f"Bearer {KEY}"}
    return [
        stranger.get("/v1/jobs", headers=bearer),
        stranger.get(f"/v1/jobs/{shop.jobs['training']}", headers=bearer),
        stranger.get("/v1/jobs", headers={"Authorization": f"Basic {PLANTED}"}),
        stranger.get("/metrics", headers=bearer),
        stranger.post("/login", data={"key": KEY}),
        stranger.get(f"/login?token={PLANTED}"),
        client.get(f"/v1/jobs?cursor={PLANTED}"),
        client.get(f"/v1/jobs/{PLANTED}"),
        client.get(f"/v1/jobs/{KEY}/events?token={KEY}"),
        client.get(f"/{PLANTED}/nowhere"),
        client.get(f"/v1/shoppers/{PLANTED}"),
        client.get(f"/v1/catalogs/{PLANTED}/garments"),
        client.get("/v1/jobs", headers={"Cookie": f"toile_session={PLANTED}"}),
        client.get("/v1/jobs", headers={"X-Request-Id": f"{PLANTED} {PLANTED}"}),
        client.get("/v1/jobs", headers={"Last-Event-ID": PLANTED, "Referer": f"http://{PLANTED}"}),
        client.post("/v1/design-jobs", json={"model": PLANTED, "password": PLANTED}),
        client.post("/v1/design-jobs", json={"model": "default"},
                    headers={"Idempotency-Key": PLANTED}),
        client.post("/v1/design-jobs", data=f'{{"key": "{PLANTED}"', content_type="text/plain"),
        client.post(f"/v1/shoppers/{PLANTED}/preferences", json={"kind": PLANTED}),
        client.open("/v1/jobs", method=PLANTED[:9].upper()),
    ]  # fmt: skip


def test_no_secret_that_a_request_carries_is_logged(
    app: Application, client: FlaskClient, shop: Shop, log: io.StringIO
) -> None:
    answers = ask_everywhere(app, client, shop)
    assert all(answer.status_code < 500 for answer in answers)
    written = log.getvalue()
    assert len(written.splitlines()) >= len(answers)
    assert "7Q7Q" not in written
    assert shop.secret not in written


def test_an_error_of_ours_does_not_spill_what_it_was_given(
    app: Application, client: FlaskClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot connect to redis://:{PLANTED}@host, key {KEY}, token={PLANTED}")

    monkeypatch.setattr("web.api.jobs.jobs.page", broken)
    assert client.get("/v1/jobs").status_code == 500
    assert "cannot connect" in log.getvalue()
    assert "7Q7Q" not in log.getvalue()
    assert app.testing is False


def test_no_header_forges_a_line(client: FlaskClient, log: io.StringIO) -> None:
    before = len(log.getvalue().splitlines())
    for word in ("ERROR%20x%0aforged", "%1b[31m", "%e2%80%a8forged", "%00"):
        client.get(f"/v1/jobs/{word}")
        client.get(f"/{word}")
    lines = log.getvalue().splitlines()[before:]
    assert lines
    assert all(line.isprintable() for line in lines)
    assert not any("forged" in line for line in lines)


def test_a_request_id_of_the_proxy_goes_through_answer_and_log(
    client: FlaskClient, log: io.StringIO
) -> None:
    answer = client.get("/v1/jobs", headers={"X-Request-Id": "proxy-0123456789"})
    assert answer.headers["X-Request-Id"] == "proxy-0123456789"
    assert "proxy-0123456789" in log.getvalue()
    for wrong in ("short", "with space in it", "x" * 65, "a\tb-1234567", "ünïcode-123"):
        other = client.get("/v1/jobs", headers={"X-Request-Id": wrong})
        assert other.headers["X-Request-Id"] != wrong
        assert len(other.headers["X-Request-Id"]) == 16


def test_a_job_remembers_which_request_asked_for_it(
    client: FlaskClient, records: Records, log: io.StringIO
) -> None:
    from shared.records import jobs

    answer = client.post("/v1/design-jobs", json={"model": "default"})
    assert answer.status_code == 202, answer.text
    with records.reading() as tx:
        job = jobs.get(tx, answer.get_json()["id"])
    assert job.request_id == answer.headers["X-Request-Id"]
    assert answer.headers["X-Request-Id"] in log.getvalue()
    assert "request_id" not in answer.get_json()


def test_json_lines_name_the_site_and_no_shopper(
    client: FlaskClient, shop: Shop, log: io.StringIO
) -> None:
    client.get("/v1/shoppers/anna@shop.example")
    client.get(f"/v1/jobs/{shop.jobs['training']}")
    written = log.getvalue()
    assert "anna" not in written
    if written.startswith("{"):
        told = [json.loads(line) for line in written.splitlines()]
        asked = [one for one in told if one["logger"] == "web.app"]
        assert {one["site"] for one in asked} == {shop.site_id}
        assert {one["route"] for one in asked} == {"/v1/shoppers/<ref>", "/v1/jobs/<job>"}
