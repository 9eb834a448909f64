"""Which workers are there: each says so again and again, and is forgotten when it stops."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import ConfigDict, Field, ValidationError
from redis import Redis
from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError
from shared.queue.names import Queue
from shared.schemas.base import Schema

ANNOUNCE_SECONDS: Final = 5.0
_PREFIX: Final = "toile:worker:"


class Taking(StrEnum):
    """Whether a worker takes work."""

    WORK = "work"
    DRAINING = "draining"
    DRAINED = "drained"


class Doing(Schema):
    """One piece of work that a worker has in hand."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: str = Field(description="What it does.")
    subject: str | None = Field(None, description="On what: a job, or a release.")
    seconds: float = Field(description="For how long, so far.")


class Offer(Schema):
    """What a worker says of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # a later version may say more

    queues: tuple[str, ...] = Field(description="Where it takes work from.")
    formats: tuple[int, ...] = Field((), description="Of releases, which it reads.")
    memory: int = Field(0, description="Bytes of releases that it keeps.")
    taking: Taking = Field(Taking.WORK, description="Whether it takes work.")
    doing: tuple[Doing, ...] = Field((), description="What it has in hand.")
    kept_seconds: float = Field(0, description="How long it is remembered unheard of.")


@dataclass(frozen=True)
class Heard:
    """A worker, what it said of itself, and how many seconds ago (None: it did not say)."""

    name: str
    offer: Offer
    age: float | None


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
        told = offer.model_copy(update={"kept_seconds": self._seconds}).model_dump_json()
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

    def everyone(self) -> list[Heard]:
        """Return all workers that are there, by name.

        Raises:
            QueueUnavailableError: Redis does not answer, so nobody can tell.
        """
        try:
            found = sorted(set(self._redis.scan_iter(f"{_PREFIX}*", count=1000)))
            with self._redis.pipeline(transaction=False) as asked:
                for key in found:
                    asked.get(key)
                    asked.pttl(key)
                told = asked.execute()
        except RedisError as error:
            raise QueueUnavailableError(
                "Redis does not answer, so nobody can tell which workers are there."
            ) from error
        heard = []
        for key, text, left in zip(found, told[::2], told[1::2], strict=True):
            offer = _offer(text)
            if offer is not None:
                name = key.decode().removeprefix(_PREFIX)
                heard.append(Heard(name, offer, _age(offer, left)))
        return heard

    def serving(self, queue: Queue) -> Mapping[str, Offer]:
        """Return the workers that take work from a queue, by name; one that drains takes none.

        Raises:
            QueueUnavailableError: Redis does not answer, so nobody can tell.
        """
        return {
            one.name: one.offer
            for one in self.everyone()
            if queue.value in one.offer.queues and one.offer.taking is Taking.WORK
        }


def _offer(told: bytes | str | None) -> Offer | None:
    """Return what was said, or None where the worker has just gone or speaks as no version does."""
    if told is None:
        return None
    try:
        return Offer.model_validate_json(told)
    except ValidationError:
        return None


def _age(offer: Offer, left_ms: int) -> float | None:
    """Return how long ago a worker spoke, by Redis' clock alone: hosts' clocks differ."""
    if not offer.kept_seconds or left_ms < 0:
        return None
    return max(0.0, offer.kept_seconds - left_ms / 1000)
