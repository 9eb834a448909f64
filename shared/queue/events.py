"""News of jobs: kept for a while for those who come back, and a call that wakes those who listen.

Progress and previews of a job are kept in a stream of its own, short and for an hour, so that a
reader who lost the connection goes on where it was. States are not kept here: the row tells them.
A change of state is only called out, in one message for a whole batch, so that what Redis holds
does not grow with the number of jobs. Whatever is lost here is harmless: readers look at the rows
anyway.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self

from pydantic import Field, ValidationError
from redis import Redis
from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError
from shared.schemas.base import Schema
from shared.schemas.jobs import Preview, Progress

START: Final = "0-0"
"""Before the first event of a job."""
PLACE: Final = re.compile(r"\d{1,16}-\d{1,12}")
"""How Redis names an event: milliseconds and a number."""

_CHANNEL: Final = "toile:news"
_KEPT: Final = 200
_SECONDS: Final = 3_600


class EventKind(StrEnum):
    """What a kept event tells of."""

    PROGRESS = "progress"
    PREVIEW = "preview"


class JobEvent(Schema):
    """Something that one attempt told while it ran.

    Attributes:
        place: its name in the job's stream; later ones are greater, see `order`.
        fence: of the attempt that told it.
        body: `Progress` or `Preview` as JSON, in one line.
    """

    place: str
    fence: int = Field(ge=0)
    kind: EventKind
    body: str


class News:
    """Tells of jobs, and reads what was told. A courtesy: where Redis is away, nobody hears it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def progress(self, job_id: str, progress: Progress, *, fence: int) -> bool:
        """Tell how far an attempt is; returns whether Redis took it."""
        return self._keep(job_id, EventKind.PROGRESS, progress, fence)

    def preview(self, job_id: str, preview: Preview, *, fence: int) -> bool:
        """Tell of a new sample grid; returns whether Redis took it."""
        return self._keep(job_id, EventKind.PREVIEW, preview, fence)

    def changed(self, job_ids: Sequence[str]) -> bool:
        """Say that the rows of some jobs have changed; call it once that is committed.

        One message, however many jobs. Returns whether Redis took it.
        """
        if not job_ids:
            return True
        try:
            self._redis.publish(_CHANNEL, " ".join(job_ids))
        except RedisError:
            return False
        return True

    def newest(self, job_id: str) -> str:
        """Return the place of a job's newest event; `START` where none is known."""
        try:
            found: Any = self._redis.xrevrange(_key(job_id), count=1)
        except RedisError:
            return START
        return found[0][0].decode() if found else START

    def since(self, places: Mapping[str, str]) -> dict[str, list[JobEvent]]:
        """Return what was told of jobs after a place in each one's stream, oldest first.

        Args:
            places: job id -> place.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        if not places:
            return {}
        pipeline = self._redis.pipeline(transaction=False)
        for job_id, place in places.items():
            pipeline.xrange(_key(job_id), min=f"({place}", count=_KEPT)
        try:
            found = pipeline.execute()
        except RedisError as error:
            raise QueueUnavailableError("Redis does not answer, so no news is read.") from error
        return {
            job_id: [event for entry in entries if (event := _event(*entry)) is not None]
            for job_id, entries in zip(places, found, strict=True)
        }

    def listen(self) -> "Listener":
        """Return something that hears which jobs there is news of."""
        return Listener(self._redis)

    def _keep(self, job_id: str, kind: EventKind, told: Schema, fence: int) -> bool:
        pipeline = self._redis.pipeline(transaction=False)
        entry: Any = {"fence": fence, "kind": kind.value, "body": told.model_dump_json()}
        pipeline.xadd(_key(job_id), entry, maxlen=_KEPT, approximate=True)
        pipeline.expire(_key(job_id), _SECONDS)
        pipeline.publish(_CHANNEL, job_id)
        try:
            pipeline.execute()
        except RedisError:
            return False
        return True


class Listener:
    """Hears which jobs there is news of, from the moment that it is entered."""

    def __init__(self, redis: Redis) -> None:
        self._pubsub: Any = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._subscribed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(RedisError):
            self._pubsub.close()

    def heard(self, seconds: float) -> frozenset[str]:
        """Return jobs that there is news of, after at most so many seconds.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        try:
            if not self._subscribed:
                self._pubsub.subscribe(_CHANNEL)
                self._subscribed = True
            message = self._pubsub.get_message(timeout=seconds)
        except (RedisError, OSError) as error:
            self._subscribed = False
            raise QueueUnavailableError("Redis does not answer, so no news is heard.") from error
        if message is None or message["type"] != "message":
            return frozenset()
        return frozenset(message["data"].decode().split())


def order(place: str) -> tuple[int, int]:
    """Return what places of one stream are compared by."""
    milliseconds, _, number = place.partition("-")
    return int(milliseconds), int(number)


def _event(place: bytes, entry: Mapping[bytes, bytes]) -> JobEvent | None:
    """Return an event, or None where it was told in words that this version does not know."""
    told = {name.decode(): value.decode() for name, value in entry.items()}
    try:
        return JobEvent.model_validate_strings({"place": place.decode(), **told})
    except ValidationError:
        return None


def _key(job_id: str) -> str:
    return f"toile:events:{job_id}"
