"""Wishes that workers drain: kept in Redis, read by each worker when it announces itself."""

from collections.abc import Collection
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError

_PREFIX: Final = "toile:drain:"
_DRAIN, _WORK = b"drain", b"work"
# A worker that lives renews its own. A host that was taken away leaves none for ever: its name may
# come again, and should work then.
_SECONDS: Final = 24 * 3600
_UNDONE_SECONDS: Final = 600


class Drains:
    """Which workers should take no more work, until they are told otherwise.

    A wish outlives the worker's process: one that its supervisor starts again goes on draining. It
    outlives Redis' memory too: no wish at all means `as you were`, and a worker that drains repeats
    its own, so that only an undo lets it work again.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def ask(self, workers: Collection[str]) -> None:
        """Ask workers to drain; again changes nothing.

        Raises:
            QueueUnavailableError: Redis does not answer, so nothing was asked.
        """
        self._write(workers, _DRAIN, _SECONDS)

    def undo(self, workers: Collection[str]) -> None:
        """Let workers take work again; again changes nothing.

        Raises:
            QueueUnavailableError: Redis does not answer, so nothing was asked.
        """
        self._write(workers, _WORK, _UNDONE_SECONDS)

    def wanted(self, worker: str) -> bool | None:
        """Return whether a worker should drain; None where nothing new is wished, or known."""
        try:
            found = self._redis.get(_PREFIX + worker)
        except RedisError:
            return None
        return None if found is None else found == _DRAIN

    def keep(self, worker: str) -> None:
        """Repeat the wish of a worker that drains, unless it was told to work again meanwhile."""
        try:
            if not self._redis.set(_PREFIX + worker, _DRAIN, nx=True, ex=_SECONDS):
                self._redis.expire(_PREFIX + worker, _SECONDS, gt=True)
        except RedisError:
            return

    def _write(self, workers: Collection[str], wish: bytes, seconds: int) -> None:
        try:
            for worker in workers:
                self._redis.set(_PREFIX + worker, wish, ex=seconds)
        except RedisError as error:
            raise QueueUnavailableError(
                "Redis does not answer, so no worker can be asked to drain. `toile doctor` tells "
                "why; a SIGTERM to the worker's own process needs no Redis."
            ) from error
