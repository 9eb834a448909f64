"""What the front says of itself, and what it does while a part is away."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import make_url

from shared.artifacts import ArtifactStore
from shared.artifacts.local import LocalArtifacts
from shared.artifacts.store import Artifact
from shared.errors import StoreUnavailableError
from shared.jobs.submit import send
from shared.queue.presence import Offer, Presence, Taking
from shared.queue.sender import Sender
from shared.records import Records, jobs, migrate
from shared.settings import Settings
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop
from web.api import health
from web.app import create_app
from web.runtime import EXTENSION


class ClosedStore(LocalArtifacts):
    """A store that takes nothing."""

    def put(self, key: str, source: Any) -> Artifact:  # noqa: ARG002 - nothing is taken
        raise StoreUnavailableError("The store is away.")


@pytest.fixture
def lonely(
    settings: Settings, records: Records, store: ArtifactStore, tmp_path: Path, shop: Shop
) -> Iterator[FlaskClient]:
    """A front whose Redis does not answer."""
    away = settings.model_copy(update={"redis_url": SecretStr(f"unix://{tmp_path}/no.sock")})
    app = create_app(away, records=records, store=store)
    yield client_of(app, shop.secret)
    app.extensions[EXTENSION].close()


@pytest.fixture
def workers(redis: Redis) -> Presence:
    """A worker for each queue."""
    presence = Presence(redis, seconds=600)
    for name, queues in (("train", ["train"]), ("chores", ["chores", "upkeep"])):
        presence.announce(f"{name}@test", Offer(queues=tuple(queues)))
    return presence


@pytest.mark.usefixtures("workers")
def test_a_front_that_has_everything_is_ready(nobody: FlaskClient) -> None:
    assert nobody.get("/healthz").get_json() == {"status": "ok"}
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ready")
    parts = {"database", "migrations", "redis", "store", "workers", "disk"}
    assert set(answer.get_json()["parts"]) == parts
    told = answer.get_json()["workers"]
    assert told == {"train": 1, "generate": 1, "chores": 1, "upkeep": 1}


def test_a_queue_that_no_worker_takes_from_is_told(nobody: FlaskClient, workers: Presence) -> None:
    workers.announce("train@test", Offer(queues=("train",), taking=Taking.DRAINED))
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    part = answer.get_json()["parts"]["workers"]
    assert part["ok"] is False
    assert "No worker trains" in part["message"]
    assert "designs" not in part["message"]
    assert answer.get_json()["workers"]["train"] == 0


@pytest.mark.usefixtures("workers")
def test_little_room_on_the_disk_is_told_with_how_much(
    nobody: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_LEAST_BYTES", 2**60)
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    assert "MiB are free" in answer.get_json()["parts"]["disk"]["message"]


def test_without_redis_jobs_are_taken_and_sent_later(
    lonely: FlaskClient, records: Records, settings: Settings, redis: Redis
) -> None:
    for place, body, queue in (
        ("/v1/design-jobs", {"model": "default"}, "generate"),
        ("/v1/training-jobs", {"catalog": "summer"}, "train"),
    ):
        answer = lonely.post(place, json=body)
        assert answer.status_code == 202
        with records.reading() as tx:
            kept = jobs.get(tx, answer.get_json()["id"])
        assert (kept.state, kept.sent_at) == ("queued", None)
        send(records, Sender.from_settings(settings), [kept])
        assert redis.llen(queue) == 1


def test_without_redis_reads_go_on(lonely: FlaskClient, shop: Shop) -> None:
    assert lonely.get("/v1/jobs").status_code == 200
    assert lonely.get(f"/v1/designs/{shop.design_ids[0]}/image").status_code == 200
    answer = lonely.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    assert answer.get_json()["parts"]["redis"]["ok"] is False


def test_without_the_store_uploads_are_put_off(
    settings: Settings, records: Records, tmp_path: Path, shop: Shop
) -> None:
    app = create_app(settings, records=records, store=ClosedStore(tmp_path))
    client = client_of(app, shop.secret)
    answer = client.post(
        "/v1/catalogs/summer/garments", data={"archive": (BytesIO(b"PK"), "a.zip")}
    )
    assert (answer.status_code, answer.get_json()["retryable"]) == (503, True)
    assert int(answer.headers["Retry-After"]) > 0
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["parts"]["store"]["ok"]) == (503, False)
    app.extensions[EXTENSION].redis.close()


def test_a_database_of_another_version_is_told(settings: Settings, records: Records) -> None:
    migrate.downgrade(records, "base")
    app = create_app(settings, records=records)
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["parts"]["database"]["ok"] is True
    assert "toile migrate" in answer.get_json()["parts"]["migrations"]["message"]
    app.extensions[EXTENSION].redis.close()


def test_a_database_that_is_away_is_a_503_with_a_time_to_come_back(
    settings: Settings, tmp_path: Path
) -> None:
    nowhere = Records(make_url("postgresql+psycopg://toile@127.0.0.1:1/toile?connect_timeout=1"))
    app = create_app(settings, records=nowhere, store=LocalArtifacts(tmp_path))
    client = client_of(app, "toile_some-key")
    answer = client.get("/v1/jobs")
    assert (answer.status_code, answer.get_json()["reason"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/readyz").get_json()["parts"]["database"]["ok"] is False
    assert client.get("/healthz").status_code == 200
    app.extensions[EXTENSION].close()
