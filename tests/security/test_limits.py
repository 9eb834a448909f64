"""Limits of sites and of addresses: a flood, a guesser, and those who must not suffer from them."""

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from redis import Redis

from shared.artifacts import ArtifactStore
from shared.records import Records, limits
from shared.settings import Settings
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop, open_shop
from web.app import Application, create_app
from web.guesses import address_of
from web.runtime import EXTENSION

ONE: dict[str, Any] = {"model": "default", "condition": {"category": "dress"}}


@pytest.fixture
def site_limits(records: Records, shop: Shop) -> Any:
    """Sets limits of the shop, before the front first asks for them."""

    def change(**values: float | None) -> None:
        with records.transaction() as tx:
            limits.change(tx, shop.site_id, values)

    return change


def test_a_site_that_floods_is_told_which_limit_and_when_to_come_back(
    client: FlaskClient, rival: FlaskClient, site_limits: Any
) -> None:
    site_limits(rate=0.5, burst=3)
    answers = [client.get("/v1/catalogs") for _ in range(5)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
    first, refused = answers[0], answers[3]
    assert first.headers["RateLimit-Policy"] == '"requests";q=3;w=6'
    assert first.headers["RateLimit"] == '"requests";r=2;t=2'
    assert refused.headers["RateLimit"].startswith('"requests";r=0;t=')
    problem = refused.get_json()
    assert refused.content_type == "application/problem+json"
    assert (problem["reason"], problem["retryable"]) == ("rate_limited", True)
    assert problem["details"]["policy"] == "requests"
    assert int(refused.headers["Retry-After"]) == problem["details"]["retry_after"] in {1, 2}
    assert rival.get("/v1/catalogs").status_code == 200, "another site does not notice"


def test_after_retry_after_a_request_passes(client: FlaskClient, site_limits: Any) -> None:
    site_limits(rate=2, burst=1)
    assert client.get("/v1/catalogs").status_code == 200
    refused = client.get("/v1/catalogs")
    assert refused.status_code == 429
    time.sleep(int(refused.headers["Retry-After"]))
    assert client.get("/v1/catalogs").status_code == 200


def test_polls_are_counted_apart_and_not_starved_by_requests(
    client: FlaskClient, site_limits: Any
) -> None:
    site_limits(rate=0.01, burst=1)
    job = client.post("/v1/design-jobs", json=ONE).get_json()["id"]
    assert client.get("/v1/catalogs").status_code == 429
    for query in ("", "?wait=0"):
        polled = client.get(f"/v1/jobs/{job}{query}")
        assert polled.status_code == 200
        assert polled.headers["RateLimit-Policy"] == '"polls";q=10000;w=2'


def test_too_many_polls_are_refused_either_way(client: FlaskClient, site_limits: Any) -> None:
    site_limits(poll_rate=2)
    job = client.post("/v1/design-jobs", json=ONE).get_json()["id"]
    answers = [client.get(f"/v1/jobs/{job}") for _ in range(8)]
    statuses = [one.status_code for one in answers]
    assert statuses[:4] == [200] * 4
    assert statuses[-1] == 429
    assert statuses.count(200) <= 5, "at most one more than the burst, in one process"
    assert answers[-1].get_json()["details"]["policy"] == "polls"
    assert client.get(f"/v1/jobs/{job}?wait=0").status_code == 429
    assert client.get("/v1/catalogs").status_code == 200


def test_an_own_limit_holds_within_five_seconds_and_can_be_taken_away(
    client: FlaskClient, site_limits: Any
) -> None:
    assert "RateLimit" in client.get("/v1/catalogs").headers
    site_limits(rate=-1)
    until = time.monotonic() + 5
    while "RateLimit" in client.get("/v1/catalogs").headers:
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.fixture
def without_redis(
    settings: Settings, records: Records, store: ArtifactStore
) -> Iterator[Application]:
    gone = settings.model_copy(
        update={"redis_url": SecretStr("redis://127.0.0.1:1/0"), "rate_burst": 1, "rate_limit": 0.1}
    )
    made = create_app(gone, records=records, store=store)
    yield made
    made.extensions[EXTENSION].close()


def test_without_redis_requests_pass_uncounted_and_quickly(
    without_redis: Application, shop: Shop
) -> None:
    caller = client_of(without_redis, shop.secret)
    caller.get("/v1/catalogs")
    began = time.monotonic()
    answers = [caller.get("/v1/catalogs") for _ in range(5)]
    assert {one.status_code for one in answers} == {200}
    assert all("RateLimit" not in one.headers for one in answers)
    assert time.monotonic() - began < 2


def test_guessing_is_slow_and_good_keys_of_the_same_address_pass(
    app: Application, client: FlaskClient, records: Records, redis: Redis
) -> None:
    assert client.get("/v1/catalogs").status_code == 200
    guesser = app.test_client()
    statuses = []
    for guess in range(40):
        headers = {"Authorization": f"Bearer toile_guess{guess}"}
        answer = guesser.get("/v1/catalogs", headers=headers)
        statuses.append(answer.status_code)
    assert statuses[:30] == [401] * 30
    assert statuses[30:] == [429] * 10
    assert answer.get_json()["details"]["policy"] == "guesses"
    assert int(answer.headers["Retry-After"]) >= 1
    assert client.get("/v1/catalogs").status_code == 200, "known to be good"
    right = open_shop(records, "newcomer").secret
    refused = guesser.get("/v1/catalogs", headers={"Authorization": f"Bearer {right}"})
    assert refused.status_code == 429, "even the right guess is not looked at"
    assert redis.keys("toile:allowance:guesses:*") == [b"toile:allowance:guesses:127.0.0.1"]


def test_the_consoles_door_counts_guesses_too(app: Application) -> None:
    browser = app.test_client()
    statuses = [browser.post("/login", data={"key": f"toile_{n}"}).status_code for n in range(34)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_who_brings_no_key_is_not_counted_as_guessing(app: Application) -> None:
    stranger = app.test_client()
    assert {stranger.get("/v1/catalogs").status_code for _ in range(40)} == {401}


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "address"),
    [
        ("203.0.113.9", "", 0, "203.0.113.9"),
        ("10.0.0.1", "198.51.100.7", 0, "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7", 1, "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", 2, "198.51.100.7"),
        ("10.0.0.1", "", 1, "10.0.0.1"),
        ("10.0.0.1", "x\r\ny" * 99, 1, ("x\r\ny" * 99)[:64]),
        ("2001:db8:1:2:3::4", "", 0, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "", 0, "203.0.113.9"),
    ],
)
def test_an_address_is_what_the_nearest_trusted_proxy_says(
    remote: str, forwarded: str, proxies: int, address: str
) -> None:
    environ = {"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}
    assert address_of(environ, proxies=proxies) == address


def test_a_quota_is_told_over_http(client: FlaskClient, site_limits: Any) -> None:
    site_limits(designs_a_day=2)
    assert client.post("/v1/design-jobs", json={**ONE, "count": 2}).status_code == 202
    refused = client.post("/v1/design-jobs", json=ONE)
    assert refused.status_code == 429
    problem = refused.get_json()
    assert problem["reason"] == "quota_exceeded"
    assert problem["details"]["quota"] == "designs_a_day"
    assert int(refused.headers["Retry-After"]) <= 86_400


def test_a_full_site_may_upload_nothing_and_its_file_is_not_kept(
    client: FlaskClient, shop: Shop, store: ArtifactStore, site_limits: Any
) -> None:
    site_limits(storage_bytes=1)
    before = set(store.keys("uploads/"))
    refused = client.post(
        f"/v1/catalogs/{shop.catalog_id}/garments",
        data={"archive": (BytesIO(b"PK"), "a.zip")},
        content_type="multipart/form-data",
    )
    assert refused.status_code == 403
    assert refused.get_json()["reason"] == "storage_quota_exceeded"
    assert set(store.keys("uploads/")) == before
