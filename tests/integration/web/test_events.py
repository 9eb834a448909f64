"""Following a job by server-sent events: through Flask, and over real sockets."""

import http.client
import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from shared.artifacts.local import LocalArtifacts
from shared.jobs import lifecycle
from shared.queue.events import News
from shared.records import Records, sites
from shared.schemas.jobs import JobRecord, JobState, Progress
from tests.fixtures.shop import Shop, fill_shop, open_shop, running, training_spec
from tests.fixtures.stack import Stack, running_stack


def begin(records: Records, shop: Shop) -> JobRecord:
    with records.transaction() as tx:
        return running(tx, shop, training_spec(shop))


def end(records: Records, redis: Redis, job: JobRecord) -> None:
    with records.transaction() as tx:
        lifecycle.finish(tx, job, JobState.SUCCEEDED, result={"made": 1})
    News(redis).changed([job.id])


def events(text: str) -> list[dict[str, str]]:
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return [
        dict(line.split(": ", 1) for line in lines)
        for lines in blocks
        if any(line.startswith("event: ") for line in lines)
    ]


def test_a_job_that_is_over_is_told_and_the_stream_ends(client: FlaskClient, shop: Shop) -> None:
    answer = client.get(f"/v1/jobs/{shop.jobs['training']}/events")
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Cache-Control"] == "no-store"
    (told,) = events(answer.text)
    assert answer.text.startswith("retry: ")
    assert told["event"] == "end"
    plain = client.get(f"/v1/jobs/{shop.jobs['training']}").get_json()
    assert json.loads(told["data"]) == plain
    again = client.get(
        f"/v1/jobs/{shop.jobs['training']}/events", headers={"Last-Event-ID": told["id"]}
    )
    assert (again.status_code, again.text) == (204, "")


def test_a_running_job_is_followed_to_its_end(
    client: FlaskClient, records: Records, redis: Redis, shop: Shop
) -> None:
    job = begin(records, shop)

    def go_on() -> None:
        time.sleep(0.2)
        News(redis).progress(job.id, Progress(fraction=0.5, message="half"), fence=job.fence)
        time.sleep(0.2)
        end(records, redis, job)

    worker = threading.Thread(target=go_on)
    worker.start()
    told = events(client.get(f"/v1/jobs/{job.id}/events").text)
    worker.join()
    assert [one["event"] for one in told] == ["state", "progress", "end"]
    assert json.loads(told[0]["data"])["state"] == "running"
    assert json.loads(told[1]["data"])["fraction"] == 0.5
    assert json.loads(told[2]["data"])["state"] == "succeeded"


def test_others_see_nothing_of_it(
    rival: FlaskClient, nobody: FlaskClient, client: FlaskClient, shop: Shop
) -> None:
    place = f"/v1/jobs/{shop.jobs['training']}/events"
    assert rival.get(place).status_code == 404
    assert nobody.get(place).status_code == 401
    assert client.head(place).status_code == 200
    assert client.post(place).status_code == 405


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, valkey_url: str
) -> Iterator[tuple[Stack, Records, Shop]]:
    """The front as it really runs, with room for five streams and four threads."""
    folder = tmp_path_factory.mktemp("streams")
    settings = {"stream_limit": 5, "web_threads": 4}
    with running_stack(folder, valkey_url, **settings) as made:
        records = Records(made.settings.database)
        shop = fill_shop(records, LocalArtifacts(folder / "var" / "artifacts"), "shop")
        yield made, records, shop
        records.close()


class Reader:
    """A client of one stream, without any library in between."""

    def __init__(self, stack: Stack, secret: str, job_id: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
        said = {"Authorization": f"Bearer {secret}", **headers}
        self._connection.request("GET", f"/v1/jobs/{job_id}/events", headers=said)
        self.answer = self._connection.getresponse()

    def next(self) -> dict[str, str]:
        """Return the next event."""
        lines: dict[str, str] = {}
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            if not line and "event" in lines:
                return lines
            name, _, value = line.partition(": ")
            lines[name] = value

    def rest(self) -> bytes:
        """Return all that comes until the answer is whole."""
        try:
            return self.answer.read()
        finally:
            self.close()

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


def is_full(stack: Stack, secret: str, job_id: str) -> bool:
    reader = Reader(stack, secret, job_id)
    reader.close()
    return reader.answer.status == 503


def test_more_streams_than_threads_are_open_and_the_rest_is_quick(
    stack: tuple[Stack, Records, Shop], redis: Redis
) -> None:
    front, records, shop = stack
    job = begin(records, shop)
    readers = [Reader(front, shop.secret, job.id) for _ in range(5)]
    assert {one.next()["event"] for one in readers} == {"state"}
    refused = Reader(front, shop.secret, job.id)
    assert refused.answer.status == 503
    assert int(refused.answer.headers["Retry-After"]) > 0
    assert json.loads(refused.rest())["reason"] == "streams_full"
    with front.client(shop.secret) as client:
        began = time.monotonic()
        for _ in range(20):
            assert client.get(f"/v1/jobs/{job.id}").status_code == 200
        assert client.post("/v1/design-jobs", json={"model": "default"}).status_code < 504
        assert time.monotonic() - began < 5
    News(redis).progress(job.id, Progress(fraction=0.5), fence=job.fence)
    assert {one.next()["event"] for one in readers} == {"progress"}
    end(records, redis, job)
    for one in readers:
        assert one.next()["event"] == "end"
        assert one.rest() == b""  # the answer is whole, chunk by chunk


def test_a_reader_that_leaves_makes_room_at_once(
    stack: tuple[Stack, Records, Shop], redis: Redis
) -> None:
    front, records, shop = stack
    job = begin(records, shop)
    for _ in range(3):
        readers = [Reader(front, shop.secret, job.id) for _ in range(5)]
        assert [one.answer.status for one in readers] == [200] * 5
        for one in readers:
            one.close()
        until = time.monotonic() + 5
        while is_full(front, shop.secret, job.id):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.2)
    end(records, redis, job)


def test_a_revoked_key_loses_its_streams_within_five_seconds(
    stack: tuple[Stack, Records, Shop],
) -> None:
    front, records, shop = stack
    with records.transaction() as tx:
        key = sites.create_key(tx, shop.site_id, name="soon gone")
    job = begin(records, shop)
    reader = Reader(front, key.secret, job.id)
    assert reader.next()["event"] == "state"
    with records.transaction() as tx:
        sites.revoke_key(tx, key.id)
    began = time.monotonic()
    assert b"event" not in reader.rest()
    assert time.monotonic() - began < 6.5  # five, and a busy machine


def test_http_1_0_is_served_without_chunks(stack: tuple[Stack, Records, Shop]) -> None:
    front, _, shop = stack
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
    vars(connection).update(_http_vsn=10, _http_vsn_str="HTTP/1.0")
    connection.request(
        "GET", f"/v1/jobs/{shop.jobs['training']}/events",
        headers={"Authorization": f"Bearer {shop.secret}"},
    )  # fmt: skip
    answer = connection.getresponse()
    assert answer.headers["Transfer-Encoding"] is None
    assert answer.read().endswith(b"}\n\n")
    connection.close()


def test_a_server_that_is_told_to_stop_ends_its_streams_and_stops_in_time(
    tmp_path: Path, valkey_url: str, redis: Redis
) -> None:
    with running_stack(tmp_path, valkey_url) as front:
        records = Records(front.settings.database)
        shop = open_shop(records, "stopping")
        job = begin(records, shop)
        reader = Reader(front, shop.secret, job.id)
        told = reader.next()
        process = front.processes.pop("web")
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert b"event: end" not in reader.rest()  # whole, so that a client comes back
        assert time.monotonic() - began < 5
        assert process.wait(30) == 0
        front.start("web")
        again: Any = None
        while again is None:
            try:
                again = Reader(front, shop.secret, job.id, **{"Last-Event-ID": told["id"]})
            except OSError:
                time.sleep(0.1)
        end(records, redis, job)
        assert again.next()["event"] == "end"
        again.close()
        records.close()
