"""The plain status poll, which is answered before Flask, beside the usual way."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared.errors import DatabaseUnavailableError
from shared.records import Records, jobs
from tests.fixtures.shop import Shop, open_shop
from web.app import Application
from web.polls import Polls

ONE: dict[str, Any] = {"model": "default", "condition": {"category": "dress"}}
# It is the caller's word for this one request, and different each time.
_OWN = "X-Request-Id"
# How many polls are left, one fewer each time.
_LEFT = "RateLimit"


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that went the usual way."""
    seen: list[str] = []
    found = Polls._found

    def looking(self: Polls, environ: dict[str, Any]) -> Any:
        job = found(self, environ)
        if job is None:
            seen.append(environ["PATH_INFO"])
        return job

    monkeypatch.setattr(Polls, "_found", looking)
    return seen


def headers_of(answer: TestResponse) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers if name not in {_OWN, _LEFT})


def test_both_ways_give_the_same_bytes_and_headers(
    client: FlaskClient, shop: Shop, usual: list[str]
) -> None:
    queued = client.post("/v1/design-jobs", json=ONE).get_json()["id"]
    cancelled = client.post("/v1/design-jobs", json=ONE).get_json()["id"]
    client.post(f"/v1/jobs/{cancelled}/cancel")
    usual.clear()
    for job_id in (queued, cancelled, *shop.jobs.values()):
        plain = client.get(f"/v1/jobs/{job_id}")
        assert usual == []
        other = client.get(f"/v1/jobs/{job_id}?wait=0")
        assert usual == [f"/v1/jobs/{job_id}"]
        usual.clear()
        assert plain.status_code == other.status_code == 200
        assert plain.get_data() == other.get_data()
        assert headers_of(plain) == headers_of(other)
        assert len(plain.headers[_OWN]) == len(other.headers[_OWN])
        for answer in (plain, other):
            assert answer.headers[_LEFT].startswith('"polls";r=')


def test_whatever_is_not_plain_goes_the_usual_way_and_is_worded_there(
    app: Application, client: FlaskClient, shop: Shop, usual: list[str]
) -> None:
    job = f"/v1/jobs/{next(iter(shop.jobs.values()))}"
    stranger = app.test_client()
    answers = [
        (stranger.get(job), 401),
        (stranger.get(job, headers={"Authorization": "Bearer toile_wrong"}), 401),
        (stranger.get(job, headers={"Authorization": f"Basic {shop.secret}"}), 401),
        (client.get("/v1/jobs/job_000000000000000000000000"), 404),
        (client.get(f"{job}/attempts"), 200),
        (client.head(job), 200),
        (client.post(job), 405),
    ]
    for answer, status in answers:
        assert answer.status_code == status
        assert _OWN in answer.headers
    assert len(usual) == len(answers)


def test_another_sites_job_is_not_found(
    client: FlaskClient, app: Application, records: Records, usual: list[str]
) -> None:
    job = client.post("/v1/design-jobs", json=ONE).get_json()["id"]
    other = app.test_client().get(
        f"/v1/jobs/{job}", headers={"Authorization": f"Bearer {open_shop(records, 'other').secret}"}
    )
    assert other.status_code == 404
    assert usual[-1] == f"/v1/jobs/{job}"


def test_a_database_that_is_away_is_told_as_usual(
    client: FlaskClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailableError("The database did not answer.")

    for way in ("find", "get"):
        monkeypatch.setattr(jobs, way, away)
    answer = client.get(f"/v1/jobs/{next(iter(shop.jobs.values()))}")
    assert answer.status_code == 503
    assert answer.get_json()["reason"] == DatabaseUnavailableError.reason
