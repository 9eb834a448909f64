"""Streams of jobs: what is told, in which order, and where a reader goes on."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from redis import Redis

from shared.errors import StreamsFullError
from shared.jobs import lifecycle
from shared.jobs.view import view_now
from shared.queue.events import News
from shared.queue.status import StatusBoard
from shared.records import Records
from shared.schemas.jobs import JobRecord, JobState, Preview, Progress
from tests.fixtures.shop import open_shop, running, training_spec
from web.streams import Place, Stream, Streams

Events = list[tuple[str, str]]


@pytest.fixture
def news(redis: Redis) -> News:
    return News(redis)


@pytest.fixture
def streams(records: Records, redis: Redis, news: News) -> Iterator[Streams]:
    from shared.queue.pace import Paces

    tell = partial(view_now, records, board=StatusBoard(redis), paces=Paces(redis))
    made = Streams(records, news, tell=tell, limit=3)
    yield made
    for stream in [one for many in made._watched.values() for one in many]:
        made.close(stream)
    made.stop()


@pytest.fixture
def job(records: Records) -> JobRecord:
    shop = open_shop(records, "shop")
    with records.transaction() as tx:
        return running(tx, shop, training_spec(shop))


def watch(streams: Streams, job: JobRecord, told: str | None = None) -> Stream:
    return streams.open(job.id, Place.parse(told), is_allowed=lambda: True)


def events_of(text: bytes) -> Events:
    """Return names and ids."""
    found = []
    for block in text.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], lines["id"]))
    return found


def wait_for(stream: Stream, is_there: Callable[[Events], bool], seconds: float = 5) -> Events:
    text, until = b"", time.monotonic() + seconds
    while not is_there(events_of(text)):
        assert time.monotonic() < until, text
        text += stream.take()
        time.sleep(0.01)
    return events_of(text)


def end(records: Records, job: JobRecord) -> None:
    with records.transaction() as tx:
        lifecycle.finish(tx, job, JobState.SUCCEEDED, result={"made": 1})


def test_a_stream_tells_the_state_then_what_is_reported_then_the_end(
    streams: Streams, records: Records, news: News, job: JobRecord
) -> None:
    stream = watch(streams, job)
    news.progress(job.id, Progress(fraction=0.25, message="one\ntwo"), fence=job.fence)
    news.preview(job.id, Preview(url="/grid?v=1", step=4), fence=job.fence)
    wait_for(stream, lambda found: len(found) == 3)
    end(records, job)
    news.changed([job.id])
    told = wait_for(stream, bool)
    assert [name for name, _ in told] == ["end"]
    assert stream.is_over


def test_a_reader_that_comes_back_gets_what_it_missed_and_nothing_twice(
    streams: Streams, news: News, job: JobRecord
) -> None:
    first = watch(streams, job)
    news.progress(job.id, Progress(fraction=0.1), fence=job.fence)
    seen = wait_for(first, lambda found: len(found) == 2)
    streams.close(first)
    for part in (0.2, 0.3):
        news.progress(job.id, Progress(fraction=part), fence=job.fence)
    second = watch(streams, job, seen[-1][1])
    missed = wait_for(second, lambda found: len(found) >= 2)
    assert [name for name, _ in missed] == ["progress", "progress"]
    assert not {place for _, place in missed} & {place for _, place in seen}


def test_the_end_is_told_without_any_news_and_after_redis_was_emptied(
    streams: Streams, records: Records, redis: Redis, job: JobRecord
) -> None:
    stream = watch(streams, job)
    redis.flushall()
    end(records, job)
    told = wait_for(stream, lambda found: any(name == "end" for name, _ in found), seconds=8)
    assert [name for name, _ in told] == ["state", "end"]


def test_what_a_worker_tells_that_has_lost_the_job_is_left_out(
    streams: Streams, records: Records, news: News, job: JobRecord
) -> None:
    with records.transaction() as tx:
        lifecycle.put_back(tx, job, reason="drained", delay=timedelta(0))
    stream = watch(streams, job)
    news.progress(job.id, Progress(fraction=0.9), fence=job.fence)
    end_of_wait = time.monotonic() + 0.5
    text = b""
    while time.monotonic() < end_of_wait:
        text += stream.take()
        time.sleep(0.02)
    assert [name for name, _ in events_of(text)] == ["state"]


def test_a_line_break_in_a_message_is_no_new_line_of_the_stream(
    streams: Streams, news: News, job: JobRecord
) -> None:
    stream = watch(streams, job)
    stream.take()
    news.progress(job.id, Progress(message="x\n\nevent: end\ndata: {}\r\n"), fence=job.fence)
    told = wait_for(stream, bool)
    assert [name for name, _ in told] == ["progress"]


def test_a_reader_that_is_far_behind_misses_progress_but_never_previews_nor_the_end(
    streams: Streams, records: Records, news: News, job: JobRecord
) -> None:
    stream = watch(streams, job)
    long = Progress(message="m" * 4_000)
    for _ in range(40):
        news.progress(job.id, long, fence=job.fence)
    news.preview(job.id, Preview(url="/grid"), fence=job.fence)
    end(records, job)
    news.changed([job.id])
    until = time.monotonic() + 5
    while not stream.is_over and time.monotonic() < until:
        time.sleep(0.01)
    text = stream.take()
    names = [name for name, _ in events_of(text)]
    assert names[-2:] == ["preview", "end"]
    assert len(text) < 90_000


def test_only_so_many_streams_are_open_and_a_closed_one_makes_room(
    streams: Streams, job: JobRecord
) -> None:
    opened = [watch(streams, job) for _ in range(3)]
    with pytest.raises(StreamsFullError) as refused:
        watch(streams, job)
    assert refused.value.details["retry_after"] > 0
    streams.close(opened[0])
    streams.close(opened[0])
    watch(streams, job)
    assert streams.open_now == 3


def test_a_reader_whose_key_was_revoked_is_sent_away(streams: Streams, job: JobRecord) -> None:
    allowed = threading.Event()
    allowed.set()
    stream = streams.open(job.id, None, is_allowed=allowed.is_set)
    allowed.clear()
    until = time.monotonic() + 5
    while not stream.is_over:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    "text", ["", "x", "1-1", "1-1.", "1-1.running", "1-1.running-1\n", "1-1.RUNNING-1", "9" * 300]
)
def test_a_place_that_is_none_of_ours_is_a_new_beginning(text: str) -> None:
    assert Place.parse(text) is None
    assert Place.parse("17-0.succeeded-3") == Place("17-0", "succeeded-3")
