"""Asking for jobs, following them, stopping them, asking again."""

import threading
import time
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from redis import Redis

from shared.artifacts import ArtifactStore, keys
from shared.jobs import lifecycle
from shared.jobs.submit import enqueue
from shared.queue.status import StatusBoard, StatusDocument
from shared.records import Records, jobs
from shared.schemas.jobs import JobRecord, JobState, Progress
from tests.fixtures.shop import Shop, design_spec, grid, running, training_spec
from web.app import Application

WAIT = 10


def finish_later(records: Records, job: JobRecord, *, seconds: float) -> threading.Thread:
    def finish() -> None:
        time.sleep(seconds)
        with records.transaction() as tx:
            lifecycle.finish(tx, job, JobState.SUCCEEDED, result={})

    thread = threading.Thread(target=finish)
    thread.start()
    return thread


@pytest.fixture
def held(records: Records, shop: Shop) -> JobRecord:
    with records.transaction() as tx:
        return running(tx, shop, training_spec(shop, model="new"))


def test_a_job_that_never_existed_is_not_found(client: FlaskClient) -> None:
    never = "/v1/jobs/job_000000000000000000000000"
    for answer in (
        client.get(never),
        client.get(f"{never}?wait=30"),
        client.get(f"{never}/attempts"),
        client.get(f"{never}/preview"),
        client.post(f"{never}/cancel"),
        client.post(f"{never}/retry"),
    ):
        assert answer.status_code == 404
        assert answer.get_json()["reason"] == "not_found"


def test_a_running_job_shows_the_progress_of_its_newest_attempt(
    client: FlaskClient, redis: Redis, held: JobRecord
) -> None:
    board = StatusBoard(redis)
    board.write(held.id, StatusDocument(fence=held.fence, progress=Progress(fraction=0.25)))
    assert client.get(f"/v1/jobs/{held.id}").get_json()["progress"]["fraction"] == 0.25
    board.write(held.id, StatusDocument(fence=held.fence - 1, progress=Progress(fraction=0.9)))
    assert client.get(f"/v1/jobs/{held.id}").get_json()["progress"]["fraction"] == 0.25


def test_a_long_poll_answers_when_the_job_is_over(
    client: FlaskClient, records: Records, held: JobRecord
) -> None:
    began = time.monotonic()
    thread = finish_later(records, held, seconds=0.3)
    answer = client.get(f"/v1/jobs/{held.id}?wait={WAIT}")
    thread.join()
    assert answer.get_json()["state"] == "succeeded"
    assert 0.25 < time.monotonic() - began < WAIT / 2


def test_a_long_poll_answers_after_its_time(client: FlaskClient, held: JobRecord) -> None:
    began = time.monotonic()
    answer = client.get(f"/v1/jobs/{held.id}?wait=0.3")
    assert answer.get_json()["state"] == "running"
    assert 0.28 < time.monotonic() - began < WAIT


def test_a_long_poll_of_a_job_that_is_over_answers_at_once(client: FlaskClient, shop: Shop) -> None:
    began = time.monotonic()
    client.get(f"/v1/jobs/{shop.jobs['training']}?wait={WAIT}")
    assert time.monotonic() - began < WAIT / 2


def test_a_long_poll_is_not_longer_than_the_server_allows(
    app: Application, client: FlaskClient, held: JobRecord
) -> None:
    here = app.extensions["toile"]
    short = here.settings.model_copy(update={"long_poll_limit": 0.2})
    object.__setattr__(here, "settings", short)
    began = time.monotonic()
    assert client.get(f"/v1/jobs/{held.id}?wait=3600").status_code == 200
    assert time.monotonic() - began < WAIT


def test_long_polls_never_take_all_threads(
    app: Application, client: FlaskClient, held: JobRecord
) -> None:
    waiting = app.extensions["toile"].waiting
    while waiting.acquire(blocking=False):
        pass
    began = time.monotonic()
    assert client.get(f"/v1/jobs/{held.id}?wait={WAIT}").get_json()["state"] == "running"
    assert time.monotonic() - began < WAIT / 2


@pytest.mark.parametrize("wait", ["-1", "soon", "nan", "inf"])
def test_a_wait_that_is_no_time_is_refused(client: FlaskClient, held: JobRecord, wait: str) -> None:
    assert client.get(f"/v1/jobs/{held.id}?wait={wait}").status_code == 422


def test_jobs_are_listed_newest_first_by_kind_and_state(
    client: FlaskClient, held: JobRecord
) -> None:
    items = client.get("/v1/jobs").get_json()["items"]
    assert items[0]["id"] == held.id
    trainings = client.get("/v1/jobs?kind=training").get_json()["items"]
    assert {one["kind"] for one in trainings} == {"training"}
    assert [one["id"] for one in client.get("/v1/jobs?state=running").get_json()["items"]] == [
        held.id
    ]


def test_a_page_follows_the_other_without_gap_or_repetition(client: FlaskClient) -> None:
    everything = [one["id"] for one in client.get("/v1/jobs?limit=200").get_json()["items"]]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"&cursor={cursor}" if cursor else ""
        page = client.get(f"/v1/jobs?limit=1{query}").get_json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == everything


def test_a_queued_job_is_cancelled_at_once(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    with records.transaction() as tx:
        queued = enqueue(tx, shop.site_id, design_spec(shop))
    for _ in range(2):
        answer = client.post(f"/v1/jobs/{queued.id}/cancel")
        assert answer.status_code == 200
        assert (answer.get_json()["state"], answer.get_json()["reason"]) == (
            "cancelled",
            "cancelled_by_caller",
        )


def test_a_running_job_is_asked_to_stop(client: FlaskClient, held: JobRecord) -> None:
    answer = client.post(f"/v1/jobs/{held.id}/cancel")
    assert (answer.get_json()["state"], answer.get_json()["cancel_requested"]) == ("running", True)


def test_a_job_that_succeeded_cannot_be_cancelled(client: FlaskClient, shop: Shop) -> None:
    answer = client.post(f"/v1/jobs/{shop.jobs['design']}/cancel")
    assert (answer.status_code, answer.get_json()["reason"]) == (409, "conflict")


def test_a_failed_job_is_asked_again_as_a_new_one(
    client: FlaskClient, records: Records, held: JobRecord
) -> None:
    with records.transaction() as tx:
        error = {"reason": "diverged", "message": "It diverged."}
        lifecycle.finish(tx, held, JobState.FAILED, error=error, reason="diverged")
    headers = {"Idempotency-Key": "again"}
    first, second = (client.post(f"/v1/jobs/{held.id}/retry", headers=headers) for _ in range(2))
    assert first.status_code == 202
    assert first.get_json()["id"] == second.get_json()["id"] != held.id
    assert first.get_json()["spec"] == held.spec
    assert client.get(f"/v1/jobs/{held.id}").get_json()["error"]["message"] == "It diverged."


def test_a_job_that_did_not_fail_is_not_asked_again(
    client: FlaskClient, shop: Shop, held: JobRecord
) -> None:
    for job_id in (held.id, shop.jobs["training"]):
        assert client.post(f"/v1/jobs/{job_id}/retry").status_code == 409


def test_attempts_are_listed_with_their_outcome(
    client: FlaskClient, records: Records, held: JobRecord
) -> None:
    with records.transaction() as tx:
        lifecycle.put_back(tx, held, reason="drained", delay=timedelta(0))
    (attempt,) = client.get(f"/v1/jobs/{held.id}/attempts").get_json()["items"]
    assert (attempt["number"], attempt["outcome"]) == (1, "drained")


def test_a_preview_is_the_newest_grid_and_is_asked_for_each_time(
    client: FlaskClient, store: ArtifactStore, records: Records, held: JobRecord
) -> None:
    place = f"/v1/jobs/{held.id}/preview?v=abc"
    assert client.get(place).status_code == 404
    old, new = grid(columns=2, rows=1), grid(columns=3, rows=1)
    store.put(keys.preview(held.id, held.fence), old)
    first = client.get(place)
    assert (first.data, first.headers["Cache-Control"]) == (old, "private, no-cache")
    with records.transaction() as tx:
        back = lifecycle.put_back(tx, held, reason="drained", delay=timedelta(0))
    assert client.get(place).data == old
    store.put(keys.preview(held.id, back.fence), new)
    second = client.get(place, headers={"If-None-Match": first.headers["ETag"]})
    assert (second.status_code, second.data) == (200, new)


def test_a_row_whose_spec_no_longer_fits_can_still_be_read(
    client: FlaskClient, records: Records, held: JobRecord
) -> None:
    with records.transaction() as tx:
        jobs.change(tx, held.id, states=[JobState.RUNNING], values={"spec": {"kind": "old"}})
    assert client.get(f"/v1/jobs/{held.id}").get_json()["spec"] == {"kind": "old"}
