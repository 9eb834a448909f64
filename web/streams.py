"""Event streams of jobs: one thread hears the news and looks at the rows, for all who watch.

A stream begins with the job as its row tells it, goes on with what its worker reports, and ends
with the job's end. It never depends on Redis: what is lost there is seen in the rows, which are
looked at every second or two in any case.
"""

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from shared.errors import (
    DatabaseUnavailableError,
    NotFoundError,
    QueueUnavailableError,
    StreamsFullError,
)
from shared.queue.events import PLACE, START, EventKind, JobEvent, Listener, News, order
from shared.records import Records, jobs
from shared.records.jobs import Standing
from shared.schemas.jobs import Job, JobRecord

LOG: Final = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 15.0
"""A proxy closes what is silent for a minute, and only a write tells that a client has gone."""
HEARTBEAT: Final = b": still here\n\n"

_RETRY: Final = b"retry: 2000\n\n"
_LOOK_SECONDS: Final = 2.0
_GATHER_SECONDS: Final = 0.02
_PAUSE_SECONDS: Final = 1.0
_LISTEN_SECONDS: Final = 0.5
_FAREWELL_SECONDS: Final = 2.0
_RETRY_AFTER: Final = 15
# Progress that a slow reader has not taken is worth less than the newest one.
_MOST_PENDING: Final = 65_536

_TOLD: Final = re.compile(rf"({PLACE.pattern})\.([a-z]+-\d{{1,9}}(?:-stopping)?)")
_FINAL: Final = re.compile(r"(?:succeeded|failed|cancelled)-.*")


@dataclass(frozen=True)
class Place:
    """What a reader has seen: up to where in the job's events, and which state of the row."""

    event: str = START
    mark: str = ""

    @classmethod
    def parse(cls, told: str | None) -> "Place | None":
        """Return what a `Last-Event-ID` says; None where it is none of ours."""
        found = None if told is None else _TOLD.fullmatch(told)
        return None if found is None else cls(found[1], found[2])

    @property
    def is_end(self) -> bool:
        """Whether the job's end was seen."""
        return _FINAL.fullmatch(self.mark) is not None

    def __str__(self) -> str:
        return f"{self.event}.{self.mark}"


@dataclass(eq=False)
class Stream:
    """One reader's view of a job.

    Attributes:
        job_id: the job.
        place: what was put into the stream so far.
        is_allowed: asked every few seconds; a reader whose key is revoked is sent away.
        wake: called when there is something to take.
    """

    job_id: str
    place: Place
    is_allowed: Callable[[], bool]
    wake: Callable[[], None] = lambda: None
    is_over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    _pending: deque[bytes] = field(default_factory=lambda: deque([_RETRY]))
    _size: int = 0

    def take(self) -> bytes:
        """Return what has come since the last time; nothing where nothing has."""
        with self.lock:
            taken = b"".join(self._pending)
            self._pending.clear()
            self._size = 0
        return taken

    def end(self) -> None:
        """Put nothing more in."""
        self.is_over = True
        self.wake()

    def put(self, event: str, body: str, place: Place, *, may_drop: bool = False) -> None:
        """Add an event, unless it may be dropped and the reader is far behind."""
        self.place = place
        frame = f"id: {place}\nevent: {event}\ndata: {body}\n\n".encode()
        with self.lock:
            if may_drop and self._size > _MOST_PENDING:
                return
            self._pending.append(frame)
            self._size += len(frame)


class Streams:
    """All streams of this process.

    Args:
        records: where jobs are.
        news: what is told of them meanwhile.
        tell: gives a job as callers see it.
        limit: how many may be open.
    """

    def __init__(
        self, records: Records, news: News, *, tell: Callable[[JobRecord], Job], limit: int
    ) -> None:
        self._records = records
        self._news = news
        self._tell = tell
        self._limit = limit
        self._lock = threading.Lock()
        # A stream is fed by whoever opens it and by the thread; both at once would tell twice.
        self._feeding = threading.Lock()
        self._watched: dict[str, list[Stream]] = {}
        self._open = 0
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def open_now(self) -> int:
        """How many streams are open."""
        return self._open

    def open(self, job_id: str, told: Place | None, *, is_allowed: Callable[[], bool]) -> Stream:
        """Return a stream of a job that its caller may see; `close` it in the end.

        Args:
            job_id: the job.
            told: what the reader saw before it came back, or None for a new one.
            is_allowed: whether the reader may go on.

        Raises:
            StreamsFullError: as many are open as may be.
            DatabaseUnavailableError: the job cannot be read.
        """
        stream = Stream(job_id, told or Place(self._news.newest(job_id)), is_allowed)
        with self._lock:
            if self._open >= self._limit or self._stopped:
                raise StreamsFullError(
                    f"{self._open} event streams are open, and this web process keeps "
                    f"{self._limit} (TOILE_STREAM_LIMIT). Ask again later, or poll.",
                    retry_after=_RETRY_AFTER,
                )
            self._open += 1
            self._watched.setdefault(job_id, []).append(stream)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
                self._thread.start()
        try:
            self._look([job_id])
        except BaseException:
            self.close(stream)
            raise
        return stream

    def close(self, stream: Stream) -> None:
        """Forget a stream; again is harmless."""
        with self._lock:
            others = self._watched.get(stream.job_id, [])
            if stream not in others:
                return
            others.remove(stream)
            self._open -= 1
            if not others:
                del self._watched[stream.job_id]

    def stop(self) -> None:
        """End all streams, and open none any more: this process is about to end.

        Returns once all readers were told, or after a moment.
        """
        with self._lock:
            self._stopped = True
            ending = [stream for streams in self._watched.values() for stream in streams]
            thread = self._thread
        for stream in ending:
            stream.end()
        if thread is not None:
            thread.join(2 * _LISTEN_SECONDS)
        until = time.monotonic() + _FAREWELL_SECONDS
        while self._open and time.monotonic() < until and ending:
            time.sleep(_GATHER_SECONDS)

    def _run(self) -> None:
        next_look = 0.0
        with self._news.listen() as listener:
            while not self._is_idle():
                changed = self._heard(listener)
                is_due = time.monotonic() >= next_look
                with self._lock:
                    ids = list(self._watched) if is_due else [*changed & self._watched.keys()]
                try:
                    self._look(ids)
                    if is_due:
                        self._send_away()
                        next_look = time.monotonic() + _LOOK_SECONDS
                except DatabaseUnavailableError as error:
                    LOG.warning("Streams stand still: %s", error)
                    time.sleep(_PAUSE_SECONDS)
                except Exception:
                    # Without this thread every stream would stand still for good.
                    LOG.exception("Streams stand still")
                    time.sleep(_PAUSE_SECONDS)

    def _is_idle(self) -> bool:
        with self._lock:
            if self._watched and not self._stopped:
                return False
            self._thread = None
            return True

    def _heard(self, listener: Listener) -> frozenset[str]:
        try:
            heard = listener.heard(_LISTEN_SECONDS)
            if heard:
                # What comes at once is looked at together: one query for a batch of jobs.
                until = time.monotonic() + _GATHER_SECONDS
                while (left := until - time.monotonic()) > 0:
                    heard |= listener.heard(left)
        except QueueUnavailableError:
            time.sleep(_LISTEN_SECONDS)
            return frozenset()
        return heard

    def _look(self, job_ids: Collection[str]) -> None:
        """Put into the streams of some jobs what their rows and workers tell anew."""
        if job_ids:
            with self._feeding:
                self._feed_all(job_ids)

    def _feed_all(self, job_ids: Collection[str]) -> None:
        with self._records.glance() as tx:
            standing = jobs.standing(tx, list(job_ids))
        with self._lock:
            watched = {one: list(self._watched.get(one, ())) for one in job_ids}
        running = {
            one: min((stream.place.event for stream in watched[one]), key=order)
            for one, now in standing.items()
            if watched[one] and now.fence
        }
        try:
            told = self._news.since(running)
        except QueueUnavailableError:
            told = {}
        for job_id, streams in watched.items():
            now = standing.get(job_id)
            if now is None:  # erased with its shopper, or too old to be kept
                for stream in streams:
                    stream.end()
            else:
                self._feed(job_id, streams, now, told.get(job_id, ()))

    def _feed(
        self, job_id: str, streams: Sequence[Stream], now: Standing, told: Sequence[JobEvent]
    ) -> None:
        # One event of a state is one look at the whole row, however many watch.
        is_news = any(one.place.mark != _mark(now) for one in streams)
        job = self._read(job_id) if is_news else None
        mark = _mark(now) if job is None else _mark_of(job)
        body = "" if job is None else self._tell(job).model_dump_json()
        is_over = job is not None and job.state.is_final
        for stream in streams:
            fresh = [one for one in told if order(one.place) > order(stream.place.event)]
            if not fresh and stream.place.mark == mark:
                continue
            if not is_over:
                _put_state(stream, "state", mark, body)
            _put_events(stream, now.fence, fresh)
            if is_over:
                _put_state(stream, "end", mark, body)
                stream.is_over = True
            stream.wake()

    def _read(self, job_id: str) -> JobRecord | None:
        with suppress(NotFoundError), self._records.glance() as tx:
            return jobs.get(tx, job_id)
        return None

    def _send_away(self) -> None:
        with self._lock:
            streams = [stream for streams in self._watched.values() for stream in streams]
        for stream in streams:
            if not stream.is_allowed():
                stream.end()


def frames(stream: Stream) -> Iterator[bytes]:
    """Yield a stream's bytes as they come, and a heartbeat where none do, until it is over.

    For servers that hand no connection over: it holds the caller's thread.
    """
    news = threading.Event()
    stream.wake = news.set
    while True:
        is_over = stream.is_over
        taken = stream.take()
        if taken:
            yield taken
        elif is_over:
            return
        elif not news.wait(HEARTBEAT_SECONDS):
            yield HEARTBEAT
        news.clear()


def _mark(now: Standing) -> str:
    return f"{now.state.value}-{now.fence}{'-stopping' if now.is_unwanted else ''}"


def _mark_of(job: JobRecord) -> str:
    return _mark(Standing(job.state, job.fence, job.cancel_requested_at is not None))


def _put_state(stream: Stream, event: str, mark: str, body: str) -> None:
    if stream.place.mark != mark:
        stream.put(event, body, Place(stream.place.event, mark))


def _put_events(stream: Stream, fence: int, told: Sequence[JobEvent]) -> None:
    for one in told:
        place = Place(one.place, stream.place.mark)
        if one.fence == fence:
            may_drop = one.kind is EventKind.PROGRESS
            stream.put(one.kind.value, one.body, place, may_drop=may_drop)
        else:  # of an attempt that has lost the job
            stream.place = place
