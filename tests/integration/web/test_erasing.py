"""Forgetting a shopper: nothing is left, and nothing that was on its way arrives."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from shared.artifacts import ArtifactStore
from shared.artifacts.local import LocalArtifacts
from shared.errors import NotFoundError, StoreUnavailableError
from shared.jobs import lifecycle
from shared.jobs.ends import LeaseLostError
from shared.jobs.submit import Terms, enqueue
from shared.records import Records, deliveries, jobs, shoppers, webhooks
from shared.records.erasures import proof_of
from shared.records.tables import Base
from shared.records.webhooks import Salts
from shared.schemas.jobs import JobState
from shared.settings import Settings
from shared.shoppers.erasing import erase
from tests.fixtures import seen
from tests.fixtures.shop import Shop, design_spec
from web.app import Application

PLACE = "/v1/shoppers/c-7"


@dataclass
class Traces:
    """All that there is of one shopper."""

    shopper_id: str
    job_ids: list[str] = field(default_factory=list)
    design_ids: list[str] = field(default_factory=list)
    preference_ids: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    delivery_ids: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [
            "c-7", self.shopper_id, "order-7", *self.job_ids, *self.design_ids,
            *self.preference_ids, *self.files, *self.delivery_ids,
        ]  # fmt: skip


class AwayStore(LocalArtifacts):
    """A store that can go away after so many deletions."""

    left: int | None = None

    def delete(self, key: str) -> None:
        if self.left is not None:
            if self.left == 0:
                raise StoreUnavailableError("The store does not answer.")
            self.left -= 1
        super().delete(key)


@pytest.fixture
def store(settings: Settings) -> AwayStore:
    assert settings.artifact_folder is not None
    return AwayStore(settings.artifact_folder)


@pytest.fixture
def traces(client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop) -> Traces:
    """A shopper with preferences, jobs of every state, attempts, a key, designs, files, events."""
    said = [{"kind": "like", "item": item} for item in shop.garment_ids[:3]]
    made = client.post(f"{PLACE}/preferences", json={"preferences": said}).get_json()
    with records.transaction() as tx:
        webhook = webhooks.create(
            tx, shop.site_id, address="https://shop.example/", events=None, description="",
            salts=Salts(salt="5a" * 32, key_mark="k"),
        )  # fmt: skip
        found = Traces(shoppers.get(tx, shop.site_id, "c-7").id)
        done = [seen.held_for(tx, shop, found.shopper_id, key=key) for key in ("order-7", None)]
        found.design_ids, found.files = seen.publish_for(tx, store, done)
        running = seen.held_for(tx, shop, found.shopper_id)
        queued = enqueue(
            tx, shop.site_id, design_spec(shop, seed=8), terms=Terms(shopper_id=found.shopper_id)
        )
        found.delivery_ids = [one.id for one in deliveries.page(tx, webhook).items]
    found.job_ids = [job.id for job in (*done, running, queued)]
    found.preference_ids = [one["id"] for one in made["preferences"]]
    return found


def cells(records: Records) -> Iterator[tuple[str, str]]:
    """Yield every row of every table as text."""
    with records.reading() as tx:
        for table in Base.metadata.sorted_tables:
            for row in tx.session.execute(select(table)):
                yield table.name, json.dumps([str(cell) for cell in row], ensure_ascii=False)


def named_in(records: Records, names: list[str]) -> set[tuple[str, str]]:
    return {(table, name) for table, row in cells(records) for name in names if name in row}


def test_no_row_and_no_file_is_left_that_names_the_shopper(
    client: FlaskClient, records: Records, store: AwayStore, traces: Traces, settings: Settings
) -> None:
    tables = {table for table, _ in named_in(records, traces.names)}
    assert tables == {
        "shoppers", "preferences", "designs", "jobs", "attempts", "idempotency_keys", "deliveries",
    }  # fmt: skip
    answer = client.delete(PLACE)
    assert answer.status_code == 200, answer.get_json()
    assert named_in(records, traces.names) == set()
    assert not [key for key in traces.files if store.exists(key)]
    assert settings.artifact_folder is not None
    for path in settings.artifact_folder.rglob("*"):
        if path.is_file():
            held = str(path).encode() + path.read_bytes()
            assert not any(name.encode() in held for name in traces.names[1:])
    assert client.get(PLACE).status_code == 404
    for job_id in traces.job_ids:
        assert client.get(f"/v1/jobs/{job_id}").status_code == 404
    for design_id in traces.design_ids:
        assert client.get(f"/v1/designs/{design_id}/image").status_code == 404


def test_the_receipt_counts_and_proves_what_went_and_stays(
    client: FlaskClient, traces: Traces
) -> None:
    receipt = client.delete(PLACE).get_json()
    assert receipt["removed"] == {
        "artifacts": 2, "attempts": 3, "deliveries": 2, "designs": 4, "idempotency_keys": 1,
        "jobs": 4, "preferences": 3, "shoppers": 1,
    }  # fmt: skip
    went = {
        "artifacts": traces.files,
        "attempts": [f"{job_id} 1" for job_id in traces.job_ids[:3]],
        "deliveries": traces.delivery_ids,
        "designs": traces.design_ids,
        "idempotency_keys": ["order-7"],
        "jobs": traces.job_ids,
        "preferences": traces.preference_ids,
        "shoppers": [traces.shopper_id],
    }
    assert receipt["proof"] == proof_of(went)
    lines = {kind: sorted(went[kind]) for kind in sorted(went)}
    canonical = json.dumps(lines, separators=(",", ":"), ensure_ascii=False)
    assert receipt["proof"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert client.get(receipt["url"]).get_json() == receipt
    assert client.get("/v1/erasures").get_json()["items"] == [receipt]
    assert not any(name in json.dumps(receipt) for name in traces.names)


def test_other_shoppers_and_what_is_nobodys_stay(
    client: FlaskClient, records: Records, traces: Traces, shop: Shop
) -> None:
    like = {"kind": "like", "item": shop.garment_ids[0]}
    client.post("/v1/shoppers/c-8/preferences", json=like)
    before = {(table, row) for table, row in cells(records)}
    client.delete(PLACE)
    gone = before - set(cells(records))
    assert all(any(name in row for name in traces.names) for _, row in gone)
    assert len(client.get("/v1/shoppers/c-8/preferences").get_json()["items"]) == 1
    assert client.get(f"/v1/designs/{shop.design_ids[0]}/image").status_code == 200


def test_a_worker_that_makes_a_design_for_an_erased_shopper_publishes_nothing(
    client: FlaskClient, records: Records, store: AwayStore, traces: Traces, shop: Shop
) -> None:
    with records.reading() as tx:
        held = jobs.get(tx, traces.job_ids[2])
    assert held.state is JobState.RUNNING
    client.delete(PLACE)
    with records.transaction() as tx:
        assert seen.publish_for(tx, store, [held]) == ([], [])
    with records.transaction() as tx, pytest.raises(LeaseLostError):
        lifecycle.finish(tx, held, JobState.SUCCEEDED, result={})
    assert named_in(records, traces.names) == set()
    assert shop.site_id == held.site_id


def test_a_worker_is_stopped_before_the_first_file_goes(
    client: FlaskClient, records: Records, store: AwayStore, traces: Traces
) -> None:
    store.left = 0
    assert client.delete(PLACE).status_code == 503
    with records.transaction() as tx:
        states = {jobs.get(tx, job_id).state for job_id in traces.job_ids[2:]}
        assert states == {JobState.CANCELLED}
        held = jobs.get(tx, traces.job_ids[2])
        assert lifecycle.finish_all(tx, [(held, {})]) == frozenset()


def test_a_store_that_is_away_delays_an_erasure_and_the_same_request_finishes_it(
    client: FlaskClient, records: Records, store: AwayStore, traces: Traces
) -> None:
    store.left = 1
    answer = client.delete(PLACE)
    problem = answer.get_json()
    assert (answer.status_code, problem["reason"]) == (503, "store_unavailable")
    assert problem["retryable"]
    assert "not erased yet" in problem["detail"]
    assert client.get("/v1/erasures").get_json()["items"] == []
    store.left = None
    receipt = client.delete(PLACE).get_json()
    assert receipt["removed"]["artifacts"] == len(traces.files) == 2
    assert not [key for key in traces.files if store.exists(key)]
    assert named_in(records, traces.names) == set()


class BusyStore(LocalArtifacts):
    """A store during whose first deletion another design of the shopper is published."""

    def __init__(self, folder: Path, records: Records, shop: Shop, shopper_id: str) -> None:
        super().__init__(folder)
        self._records, self._shop, self._shopper_id = records, shop, shopper_id
        self.late: list[str] = []

    def delete(self, key: str) -> None:
        super().delete(key)
        if not self.late:
            with self._records.transaction() as tx:
                held = seen.held_for(tx, self._shop, self._shopper_id)
                _, self.late = seen.publish_for(tx, self, [held])


def test_a_design_that_is_published_meanwhile_is_erased_too(
    records: Records, settings: Settings, traces: Traces, shop: Shop
) -> None:
    assert settings.artifact_folder is not None
    busy = BusyStore(settings.artifact_folder, records, shop, traces.shopper_id)
    receipt = erase(records, busy, shop.site_id, "c-7")
    assert receipt.removed["artifacts"] == 3
    assert not busy.exists(busy.late[0])
    assert named_in(records, [*traces.names, *busy.late]) == set()


def test_nothing_can_be_asked_for_an_erased_shopper(
    client: FlaskClient, records: Records, traces: Traces, shop: Shop
) -> None:
    client.delete(PLACE)
    terms = Terms(shopper_id=traces.shopper_id)
    with records.transaction() as tx, pytest.raises(NotFoundError):
        enqueue(tx, shop.site_id, design_spec(shop), terms=terms)
    assert client.delete(PLACE).status_code == 404


def test_the_same_reference_is_a_new_shopper_afterwards(
    client: FlaskClient, traces: Traces, shop: Shop
) -> None:
    client.delete(PLACE)
    like = {"kind": "like", "item": shop.garment_ids[0]}
    assert client.post(f"{PLACE}/preferences", json=like).status_code == 201
    assert client.get(PLACE).get_json()["id"] != traces.shopper_id
    assert len(client.get(f"{PLACE}/preferences").get_json()["items"]) == 1


def test_a_session_cannot_erase(app: Application, traces: Traces) -> None:
    assert traces.shopper_id
    assert app.test_client().delete(PLACE).status_code == 401
