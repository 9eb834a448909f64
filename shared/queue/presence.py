"""Which workers are there: each says so again and again, and is forgotten when it stops."""

import json
from collections.abc import Collection, Sequence
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError
from shared.queue.names import Queue

ANNOUNCE_SECONDS: Final = 5.0
_PREFIX: Final = "toile:worker:"


class Presence:
    """The workers that were heard of lately, and the queues that they take work from.

    Args:
        redis: where they say so.
        seconds: how long a worker counts as there after it was last heard of.
    """

    def __init__(self, redis: Redis, *, seconds: float) -> None:
        self._redis = redis
        self._seconds = seconds

    def announce(self, worker: str, queues: Collection[str]) -> bool:
        """Say that a worker is there; returns whether Redis took it."""
        told = json.dumps(sorted(queues))
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

    def serving(self, queue: Queue) -> Sequence[str]:
        """Return the workers that take work from a queue.

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
        return [
            key.decode().removeprefix(_PREFIX)
            for key, queues in zip(found, told, strict=True)
            if queues is not None and queue.value in json.loads(queues)
        ]
