"""When upkeep last went round: a mark in Redis, whose absence says that Redis lost its memory."""

import math
import time
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

_MARK: Final = "toile:upkeep"
_CALL: Final = "toile:upkeep:called"


class Rounds:
    """The rounds of upkeep, seen by all who could ask for one.

    The mark never expires: only a Redis that was emptied, or started without its file, has none.
    Then every message is lost with it. Times are Unix times of whichever host wrote them; hosts
    whose clocks differ only ask for a round too early or too late.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def has_mark(self) -> bool:
        """Return whether Redis remembers an earlier round.

        Raises:
            RedisError: Redis does not answer.
        """
        return bool(self._redis.exists(_MARK))

    def note(self) -> None:
        """Say that a round is through; where Redis is away, the next one says so.

        Called last, so that of a round that dies half-way nobody believes that it sent all.
        """
        try:
            self._redis.set(_MARK, time.time())
        except RedisError:
            return

    def is_overdue(self, *, seconds: float) -> bool:
        """Return whether the last round is longer ago than so many seconds, or not remembered."""
        try:
            found = self._redis.get(_MARK)
        except RedisError:
            return False  # nothing could be sent either
        try:
            last = float(found) if isinstance(found, bytes) else -math.inf
        except ValueError:  # another version's
            last = -math.inf
        return abs(time.time() - last) > seconds

    def call(self, *, seconds: float) -> bool:
        """Return whether it is for the caller to ask for a round, and not for another who just did.

        Args:
            seconds: how long the others keep quiet.
        """
        try:
            return bool(self._redis.set(_CALL, 1, nx=True, px=max(1, int(1000 * seconds))))
        except RedisError:
            return False
