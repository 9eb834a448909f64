"""Status documents: what polls read while a job runs, kept in Redis and rebuilt from SQL.

Each fence has a document of its own, so that a worker that lost its lease can neither write over
what the newer one says nor take it away: nobody reads what it writes.
"""

from typing import Final

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError

from shared.schemas.base import Schema
from shared.schemas.jobs import Progress

# A worker that dies leaves its document behind; it must not tell of progress for long.
_SECONDS: Final = 120


class StatusDocument(Schema):
    """How far the attempt under one fence is."""

    fence: int
    progress: Progress


class StatusBoard:
    """Progress of running jobs. It may be lost at any time; states are never read from it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def answers(self) -> bool:
        """Return whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except RedisError:
            return False

    def write(self, job_id: str, document: StatusDocument) -> bool:
        """Show a job's progress; returns whether Redis took it, for progress must stop no job."""
        try:
            self._redis.set(_key(job_id, document.fence), document.model_dump_json(), ex=_SECONDS)
        except RedisError:
            return False
        return True

    def read(self, job_id: str, *, fence: int) -> Progress | None:
        """Return the progress that the attempt under this fence wrote, or None."""
        try:
            found = self._redis.get(_key(job_id, fence))
        except RedisError:
            return None
        if not isinstance(found, bytes):
            return None
        try:
            document = StatusDocument.model_validate_json(found)
        except ValidationError:
            return None
        return document.progress

    def clear(self, job_id: str, *, fence: int) -> None:
        """Forget the progress of the attempt under a fence; it may already be forgotten."""
        try:
            self._redis.delete(_key(job_id, fence))
        except RedisError:
            return


def _key(job_id: str, fence: int) -> str:
    return f"toile:job:{job_id}:{fence}"
