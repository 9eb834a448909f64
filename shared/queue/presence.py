"""Which workers are there: each says so again and again, and is forgotten when it stops."""

from collections.abc import Mapping
from typing import Final

from pydantic import ConfigDict, Field, ValidationError
from redis import Redis
from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError
from shared.queue.names import Queue
from shared.schemas.base import Schema

ANNOUNCE_SECONDS: Final = 5.0
_PREFIX: Final = "toile:worker:"


class Offer(Schema):
    """What a worker says of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # a later version may say more

    queues: tuple[str, ...] = Field(description="Where it takes work from.")
    formats: tuple[int, ...] = Field((), description="Of releases, which it reads.")
    memory: int = Field(0, description="Bytes of releases that it keeps.")


class Presence:
    """The workers that were heard of lately, and what they said of themselves.

    Args:
        redis: where they say so.
        seconds: how long a worker counts as there after it was last heard of.
    """

    def __init__(self, redis: Redis, *, seconds: float) -> None:
        self._redis = redis
        self._seconds = seconds

    def announce(self, worker: str, offer: Offer) -> bool:
        """Say that a worker is there; returns whether Redis took it."""
        told = offer.model_dump_json()
        try:
            self._redis.set(_PREFIX + worker, told, px=max(1, int(1000 * self._seconds)))
        except RedisError:
            return False
        return True

    def leave(self, worker: str) -> None:
        """Say that a worker has stopped; where Redis is away it is forgotten by itself."""
        try:
            self._redis.delete(_PREFIX + worker)
        except RedisError:
            return

    def serving(self, queue: Queue) -> Mapping[str, Offer]:
        """Return the workers that take work from a queue, by name.

        Raises:
            QueueUnavailableError: Redis does not answer, so nobody can tell.
        """
        try:
            found = list(self._redis.scan_iter(f"{_PREFIX}*", count=1000))
            told = self._redis.mget(found) if found else []
        except RedisError as error:
            raise QueueUnavailableError(
                "Redis does not answer, so nobody can tell which workers are there."
            ) from error
        offers = {
            key.decode().removeprefix(_PREFIX): _offer(text)
            for key, text in zip(found, told, strict=True)
        }
        return {name: one for name, one in offers.items() if one and queue.value in one.queues}


def _offer(told: bytes | str | None) -> Offer | None:
    """Return what was said, or None where the worker has just gone or speaks as no version does."""
    if told is None:
        return None
    try:
        return Offer.model_validate_json(told)
    except ValidationError:
        return None
