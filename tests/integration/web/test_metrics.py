"""`/metrics`: who may read it, what it tells, and that the dashboard asks for nothing else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from redis import Redis

from shared.artifacts import ArtifactStore
from shared.metrics import COUNTED, Counters, Tally
from shared.queue.presence import Presence
from shared.records import Records, queues
from shared.settings import Settings
from tests.fixtures.shop import OFFER, Shop, open_shop
from web import gauges
from web.app import Application, create_app
from web.runtime import EXTENSION

TOKEN = "operators-own-token"  # noqa: S105 - a test's own
DASHBOARD = Path(__file__).resolve().parents[3] / "docs" / "grafana.json"


@pytest.fixture
def app(
    settings: Settings, records: Records, store: ArtifactStore, redis: Redis
) -> Iterator[Application]:
    Presence(redis, seconds=600).announce("generate@test", OFFER)
    changes = {"metrics_token": SecretStr(TOKEN)}
    made = create_app(settings.model_copy(update=changes), records=records, store=store)
    yield made
    made.extensions[EXTENSION].close()


def read(client: FlaskClient, token: str = TOKEN) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain")
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }


def test_only_the_operators_token_opens_it(
    nobody: FlaskClient, client: FlaskClient, shop: Shop
) -> None:
    assert nobody.get("/metrics").status_code == 401
    assert client.get("/metrics").status_code == 401
    for wrong in ("", "x", TOKEN + "x", shop.secret, "ünïcode"):
        answer = nobody.get("/metrics", headers={"Authorization": f"Bearer {wrong}"})
        assert answer.status_code == 401
    assert "toile_jobs" not in nobody.get("/metrics").text


def test_without_a_token_it_is_closed(
    settings: Settings, records: Records, store: ArtifactStore
) -> None:
    made = create_app(settings, records=records, store=store)
    answer = made.test_client().get("/metrics", headers={"Authorization": "Bearer None"})
    assert answer.status_code == 403
    assert "TOILE_METRICS_TOKEN" in answer.get_json()["detail"]
    made.extensions[EXTENSION].close()


def test_it_tells_of_queues_workers_and_requests(client: FlaskClient, nobody: FlaskClient) -> None:
    for _ in range(3):
        assert client.post("/v1/design-jobs", json={"model": "default"}).status_code == 202
    client.get("/v1/jobs/nothing")
    nobody.get("/never")
    found = read(nobody)
    assert found["toile_queue_jobs", "design", "shop"] == 3
    assert 0 <= found["toile_queue_oldest_seconds", "design", "shop"] < 60
    assert found["toile_workers", "generate"] == 1
    assert found["toile_workers", "train"] == 0
    assert found[("toile_database_up",)] == found[("toile_redis_up",)] == 1
    assert found[("toile_open_streams",)] == 0
    counts = {key[1:]: value for key, value in found.items() if key[0].endswith("seconds_count")}
    assert counts["POST", "/v1/design-jobs", "202"] == 3
    assert counts["GET", "/v1/jobs/<job>", "404"] == 1
    assert counts["GET", "(none)", "404"] == 1


def test_a_cancelled_job_is_counted_once(client: FlaskClient, nobody: FlaskClient) -> None:
    job = client.post("/v1/design-jobs", json={"model": "default"}).get_json()["id"]
    for _ in range(2):
        assert client.post(f"/v1/jobs/{job}/cancel").status_code == 200
    found = read(nobody)
    assert found["toile_jobs_total", "design", "cancelled_by_caller", "cancelled"] == 1


def test_many_sites_are_named_up_to_a_limit_and_told_together_beyond(
    client: FlaskClient,
    nobody: FlaskClient,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from shared.jobs.submit import enqueue
    from tests.fixtures.shop import training_spec

    monkeypatch.setattr(gauges, "_SITES", 2)
    for number in range(4):
        other = open_shop(records, f"other-{number}")
        with records.transaction() as tx:
            enqueue(tx, other.site_id, training_spec(other))
    client.post("/v1/design-jobs", json={"model": "default"})
    found = read(nobody)
    waiting = {key: value for key, value in found.items() if key[0] == "toile_queue_jobs"}
    assert len({key[2] for key in waiting}) == 3
    assert ("toile_queue_jobs", "training", queues.OTHERS) in waiting
    assert sum(waiting.values()) == 5


def test_it_looks_only_every_few_seconds(nobody: FlaskClient, client: FlaskClient) -> None:
    assert ("toile_queue_jobs", "design", "shop") not in read(nobody)
    client.post("/v1/design-jobs", json={"model": "default"})
    assert ("toile_queue_jobs", "design", "shop") not in read(nobody)


def test_without_redis_it_still_tells_of_the_rows(
    app: Application, nobody: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.errors import QueueUnavailableError

    def away(*_: object) -> None:
        raise QueueUnavailableError("away")

    monkeypatch.setattr(Counters, "read", away)
    found = read(nobody)
    assert found[("toile_redis_up",)] == 0
    assert found[("toile_database_up",)] == 1
    assert app.extensions[EXTENSION].streams.open_now == 0


def names_in(dashboard: dict[str, Any]) -> set[str]:
    found = set()
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            found |= set(re.findall(r"\b(?:toile|process)_[a-z_]+", target["expr"]))
    return found


def test_the_dashboard_asks_for_nothing_that_is_not_there(
    client: FlaskClient, nobody: FlaskClient, redis: Redis
) -> None:
    tally = Tally()
    for measure in COUNTED:
        labels = ["x"] * len(measure.labels)
        (tally.observe if measure.bounds else tally.add)(measure, 1, *labels)
    Counters(redis).send(tally)
    client.post("/v1/design-jobs", json={"model": "default"})
    told = {key[0] for key in read(nobody)} | {"toile_running_jobs"}
    dashboard = json.loads(DASHBOARD.read_text())
    asked = names_in(dashboard)
    assert asked
    assert asked - told == set()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    assert all(panel["gridPos"]["w"] <= 24 for panel in dashboard["panels"])
    # What is counted and not shown would be counted for nobody.
    bare = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked}
    assert {measure.name for measure in COUNTED} <= bare
