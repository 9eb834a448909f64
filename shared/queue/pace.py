"""How fast releases are worked off: measured by workers, told to those who wait."""

import math
from typing import Final

from pydantic import Field, ValidationError
from redis import Redis
from redis.exceptions import RedisError

from shared.schemas.base import Schema

_SECONDS: Final = 86_400
_NEWEST: Final = 0.2
"""Part of the newest batch in the running mean: some ten batches count."""
_PAUSE: Final = 0.2
"""Seconds in which one batch stands for all: a quick device makes fifty in a second, and telling of
each would cost it two round trips."""


class Pace(Schema):
    """A running mean of a release's batches."""

    seconds: float = Field(gt=0, description="A batch on the device.")
    images: float = Field(gt=0, description="A batch's images.")
    at: float = Field(description="When it was last measured, Unix time.")


class Paces:
    """The paces of releases. A courtesy: where Redis is away, nobody knows one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._noted: dict[str, float] = {}

    def note(self, release_id: str, newest: Pace) -> None:
        """Count one more batch in, unless one of the same release was just counted."""
        if abs(newest.at - self._noted.get(release_id, -math.inf)) < _PAUSE:
            return
        self._noted[release_id] = newest.at
        before = self.of(release_id)
        mean = newest if before is None else _mixed(before, newest)
        try:
            self._redis.set(_key(release_id), mean.model_dump_json(), ex=_SECONDS)
        except RedisError:
            return

    def of(self, release_id: str) -> Pace | None:
        """Return a release's pace, or None where no batch was made lately."""
        try:
            found = self._redis.get(_key(release_id))
        except RedisError:
            return None
        if not isinstance(found, bytes):
            return None
        try:
            return Pace.model_validate_json(found)
        except ValidationError:
            return None


def _mixed(before: Pace, newest: Pace) -> Pace:
    return Pace(
        seconds=before.seconds + _NEWEST * (newest.seconds - before.seconds),
        images=before.images + _NEWEST * (newest.images - before.images),
        at=newest.at,
    )


def _key(release_id: str) -> str:
    return f"toile:pace:{release_id}"
