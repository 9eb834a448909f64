import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from shared.client import ApiError, Client
from shared.client.client import NotFinishedError, ended_well
from shared.client.keyfile import key_path, save_key, saved_key
from shared.schemas.catalogs import GarmentFields
from shared.schemas.designs import DesignRequest
from shared.schemas.jobs import Budget, Job, JobState
from shared.schemas.models import TrainingRequest
from shared.settings import Settings
from tests.fixtures.api import AT, FakeApi, fake_api, in_turn, job_document, listing, problem


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as server:
        yield server


@pytest.fixture
def client(api: FakeApi) -> Iterator[Client]:
    with Client(api.url, "toile_key") as opened:
        yield opened


CATALOG = {
    "id": "cat_1",
    "name": "summer 2026",
    "version": 1,
    "garments": 3,
    "image_size": 32,
    "channels": 3,
    "attributes": {"category": {"dress": 3}},
    "created_at": AT,
    "updated_at": AT,
    "url": "/v1/catalogs/cat_1",
}


def test_a_catalog_is_read_by_a_name_with_a_space(api: FakeApi, client: Client) -> None:
    api["GET /v1/catalogs/summer%202026"] = (200, CATALOG)
    assert client.catalog("summer 2026").attributes == {"category": {"dress": 3}}


def test_a_catalog_that_is_there_already_is_taken(api: FakeApi, client: Client) -> None:
    api["POST /v1/catalogs"] = (409, problem(409, "conflict", "There is one of that name."))
    api["GET /v1/catalogs/summer%202026"] = (200, CATALOG)
    assert client.create_catalog("summer 2026").id == "cat_1"


def test_fields_that_a_newer_server_adds_are_passed_over(api: FakeApi, client: Client) -> None:
    api["GET /v1/catalogs"] = listing({**CATALOG, "mood": "sunny"})
    assert [one.name for one in client.catalogs()] == ["summer 2026"]


def test_a_list_is_read_to_its_last_page(api: FakeApi, client: Client) -> None:
    first = {"items": [CATALOG], "next_cursor": "cat_1"}
    api["GET /v1/catalogs"] = in_turn((200, first), listing({**CATALOG, "id": "cat_2"}))
    assert [one.id for one in client.catalogs()] == ["cat_1", "cat_2"]
    assert "cursor=cat_1" in api.sent[1].path


def test_an_archive_is_uploaded_as_a_part(api: FakeApi, client: Client, tmp_path: Path) -> None:
    archive = tmp_path / "garments.zip"
    archive.write_bytes(b"PK-content")
    api["POST /v1/catalogs/cat_1/garments"] = (202, job_document("ingest"))
    assert client.add_archive("cat_1", archive).kind == "ingest"
    (sent,) = api.sent
    assert sent.headers["Content-Type"].startswith("multipart/form-data")
    assert b'name="archive"; filename="garments.zip"' in sent.body
    assert b"PK-content" in sent.body


def test_a_picture_is_uploaded_with_its_fields(
    api: FakeApi, client: Client, tmp_path: Path
) -> None:
    picture = tmp_path / "dress.png"
    picture.write_bytes(b"png")
    api["POST /v1/catalogs/cat_1/garments"] = (202, job_document("ingest"))
    fields = GarmentFields(attributes={"category": "dress"}, date=date(2026, 3, 1))
    client.add_image("cat_1", picture, fields)
    (sent,) = api.sent
    told = sent.body.split(b'name="fields"\r\n\r\n')[1].split(b"\r\n")[0]
    assert json.loads(told) == {
        "attributes": {"category": "dress"},
        "date": "2026-03-01",
        "weight": 1.0,
    }


def test_a_path_on_the_server_goes_as_json(api: FakeApi, client: Client) -> None:
    api["POST /v1/catalogs/cat_1/garments"] = (202, job_document("ingest"))
    client.add_path("cat_1", "/data/summer")
    assert api.bodies("POST /v1/catalogs/cat_1/garments") == [{"path": "/data/summer"}]


def test_a_training_and_a_design_are_asked_for_in_the_servers_words(
    api: FakeApi, client: Client
) -> None:
    api["POST /v1/training-jobs"] = (202, job_document())
    api["POST /v1/design-jobs"] = (202, job_document("design"))
    client.train(TrainingRequest(catalog="summer", budget=Budget(minutes=3)))
    client.design(DesignRequest(model="summer", count=4, condition={"colour": "#1f3a5f"}))
    (training,) = api.bodies("POST /v1/training-jobs")
    assert training["budget"] == {"minutes": 3.0}
    assert TrainingRequest.model_validate(training).catalog == "summer"
    (design,) = api.bodies("POST /v1/design-jobs")
    assert design["condition"] == {"colour": "#1f3a5f"}
    assert "release" not in design


def test_two_releases_are_compared_by_one_figure_or_by_all(api: FakeApi, client: Client) -> None:
    api["GET /v1/releases/compare"] = (
        200,
        {"first": "rel_1", "second": "rel_2", "figures": [], "not_compared": []},
    )
    assert client.compare("rel_1", "rel_2").second == "rel_2"
    client.compare("rel_1", "rel_2", figure="fd_indomain[A@1a2b3c4d]")
    plain, named = (one.path for one in api.sent)
    assert "figure" not in plain
    assert "figure=fd_indomain%5BA%401a2b3c4d%5D" in named


def test_waiting_ends_when_the_job_is_over_and_shows_progress(api: FakeApi, client: Client) -> None:
    api["GET /v1/jobs/job_1"] = in_turn(
        (200, job_document()),
        (200, job_document(state="running", progress={"fraction": 0.5, "message": "training"})),
        (200, job_document(state="succeeded", result={"release_id": "rel_1"})),
    )
    seen: list[Job] = []
    done = client.wait("job_1", on_progress=seen.append)
    assert done.result == {"release_id": "rel_1"}
    assert [one.state for one in seen] == ["queued", "running", "succeeded"]
    first, *polls = (sent.path for sent in api.sent)
    assert first == "/v1/jobs/job_1/events"  # which this server does not know
    assert all("wait=" in path for path in polls)


def stream(*events: tuple[str, str, Any]) -> tuple[int, bytes]:
    frames = [f"id: {at}\nevent: {name}\ndata: {json.dumps(told)}\n\n" for at, name, told in events]
    return 200, ("retry: 2000\n\n: still here\n\n" + "".join(frames)).encode()


def test_a_job_is_followed_by_its_events_and_a_broken_stream_is_taken_up(
    api: FakeApi, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    api["GET /v1/jobs/job_1/events"] = in_turn(
        stream(
            ("1-0.running-1", "state", job_document(state="running")),
            ("2-0.running-1", "progress", {"fraction": 0.5, "new": "word"}),
            ("3-0.running-1", "later", {"unknown": True}),
        ),
        stream(
            ("4-0.running-1", "preview", {"url": "/grid", "step": 3}),
            ("4-0.succeeded-1", "end", job_document(state="succeeded")),
        ),
    )
    told = list(client.events("job_1"))
    assert [one.name for one in told] == ["state", "progress", "preview", "end"]
    resumed = api.sent[1].headers
    assert resumed["Last-Event-ID"] == "2-0.running-1"


def test_waiting_with_progress_follows_events_and_asks_nothing_else(
    api: FakeApi, client: Client
) -> None:
    api["GET /v1/jobs/job_1/events"] = stream(
        ("1-0.running-1", "state", job_document(state="running")),
        ("2-0.succeeded-1", "end", job_document(state="succeeded")),
    )
    seen: list[Job] = []
    assert client.wait("job_1", on_progress=seen.append).state is JobState.SUCCEEDED
    assert [one.state for one in seen] == ["running", "succeeded"]
    assert len(api.sent) == 1


def test_a_server_without_room_for_a_stream_is_polled_at_once(api: FakeApi, client: Client) -> None:
    api["GET /v1/jobs/job_1/events"] = (503, problem(503, "streams_full", "Full.", retry_after=15))
    api["GET /v1/jobs/job_1"] = (200, job_document(state="succeeded"))
    assert client.wait("job_1", on_progress=lambda _job: None).state is JobState.SUCCEEDED
    assert len(api.sent) == 2


def test_waiting_has_an_end_of_its_own(api: FakeApi, client: Client) -> None:
    api["GET /v1/jobs/job_1"] = (200, job_document(state="running"))
    with pytest.raises(NotFinishedError, match="toile jobs wait job_1"):
        client.wait("job_1", timeout=0.1)


def test_a_job_that_failed_is_an_error_with_its_reason(client: Client) -> None:  # noqa: ARG001
    failed = job_document(
        state="failed",
        reason="diverged",
        error={"reason": "diverged", "message": "The losses are no longer finite.", "details": {}},
    )
    with pytest.raises(ApiError, match="losses are no longer finite") as caught:
        ended_well(Job.model_validate(failed))
    assert caught.value.reason == "diverged"
    cancelled = Job.model_validate(job_document(state="cancelled", reason="cancelled_by_caller"))
    assert cancelled.state is JobState.CANCELLED
    with pytest.raises(ApiError, match="cancelled"):
        ended_well(cancelled)


def test_jobs_are_cancelled_and_retried(api: FakeApi, client: Client) -> None:
    api["POST /v1/jobs/job_1/cancel"] = (200, job_document(state="cancelled"))
    api["POST /v1/jobs/job_1/retry"] = (202, job_document(id="job_2"))
    assert client.cancel("job_1").state == "cancelled"
    assert client.retry("job_1").id == "job_2"


def test_no_more_jobs_are_asked_for_than_wanted(api: FakeApi, client: Client) -> None:
    page = {"items": [job_document(id=f"job_{n}") for n in range(3)], "next_cursor": "job_2"}
    api["GET /v1/jobs"] = (200, page)
    assert len(client.jobs(limit=3, state="queued")) == 3
    assert len(api.sent) == 1
    assert "limit=3" in api.sent[0].path
    assert "state=queued" in api.sent[0].path


def test_a_training_without_a_grid_yet_has_no_preview(api: FakeApi, client: Client) -> None:
    assert client.preview("job_1") is None
    api["GET /v1/jobs/job_1/preview"] = (200, b"png")
    assert client.preview("job_1") == b"png"


def test_a_download_appears_whole_under_its_name(
    api: FakeApi, client: Client, tmp_path: Path
) -> None:
    api["GET /v1/designs/des_1/image"] = (200, b"picture")
    target = client.download("/v1/designs/des_1/image", tmp_path / "new" / "one.png")
    assert target.read_bytes() == b"picture"
    with pytest.raises(ApiError):
        client.download("/v1/designs/des_2/image", tmp_path / "new" / "two.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["one.png"]


def test_a_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    assert saved_key(settings) is None
    save_key(settings, "toile_first")
    save_key(settings, "toile_second")
    assert saved_key(settings) == "toile_second"
    assert key_path(settings).stat().st_mode & 0o777 == 0o600
