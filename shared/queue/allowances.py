"""Allowances: how much of something may be done in a while, counted in Redis for all processes.

A token bucket kept as one number, the time at which it will be full again (the generic cell rate
algorithm, ITU-T I.371): what is done moves it on, and it may lie at most a whole bucket ahead. So
the window slides, and nothing is to be swept.

It is a courtesy like all that Redis holds: where it is away, all is let through.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from redis import Redis
from redis.exceptions import RedisError

LOG: Final = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_PAUSE: Final = 5.0
"""Seconds in which a Redis that did not answer is not asked again: each request would wait."""

# KEYS[1]: the bucket. ARGV: tokens a second, tokens in a full bucket, tokens wanted, and 1 where
# they were used already, so that the bucket may run into debt. All times are Redis' own.
_SCRIPT: Final = """
local rate, cost = tonumber(ARGV[1]), tonumber(ARGV[3])
local most = tonumber(ARGV[2]) / rate
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local after = due + cost / rate
local over = after - now - most
if over > 0.0000005 and ARGV[4] == '0' then
  return {string.format('%.6f', due - now), string.format('%.6f', over)}
end
local kept = math.ceil((after - now) * 1000) + 1
redis.call('SET', KEYS[1], string.format('%.6f', after), 'PX', kept)
return {string.format('%.6f', after - now), string.format('%.6f', math.max(over, 0))}
"""


@dataclass(frozen=True)
class Policy:
    """How much may be done.

    Attributes:
        name: what it is of, as callers are told.
        rate: tokens a second that come back, over 0.
        burst: tokens in a full bucket, 1 or more.
    """

    name: str
    rate: float
    burst: float

    @property
    def window(self) -> int:
        """Seconds in which an empty bucket fills, 1 or more."""
        return max(1, math.ceil(self.burst / self.rate))

    @cached_property
    def told(self) -> str:
        """As callers are told of it, in RateLimit-Policy."""
        return f'"{self.name}";q={int(self.burst)};w={self.window}'


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bucket stands.

    Attributes:
        left: whole tokens in it, 0 or more.
        full_in: seconds until it is full.
        wait: seconds until what was asked, or one more, is possible; 0 where it is.
    """

    left: int
    full_in: float
    wait: float


class Allowances:
    """Buckets in Redis.

    Args:
        redis: a client that gives up quickly.
        now: seconds that only grow; for tests.
    """

    def __init__(self, redis: Redis, *, now: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._script = redis.register_script(_SCRIPT)
        self._now = now
        self._away_until = -math.inf
        self._is_away = False
        self._lock = threading.Lock()

    def take(self, policy: Policy, who: str) -> Standing | None:
        """Take one token, unless there is none; None where Redis is away."""
        return self._ask(
            lambda: _standing(policy, self._script([_key(policy, who)], _told(policy, 1, 0)))
        )

    def charge(self, used: Mapping[tuple[Policy, str], int]) -> dict[tuple[Policy, str], Standing]:
        """Take tokens that were used already, of many buckets in one round trip.

        Returns:
            How each stands; none where Redis is away.
        """

        def ask() -> dict[tuple[Policy, str], Standing]:
            with self._redis.pipeline(transaction=False) as pipe:
                for (policy, who), tokens in used.items():
                    self._script([_key(policy, who)], _told(policy, tokens, 1), client=pipe)
                found = pipe.execute()
            return {key: _standing(key[0], one) for key, one in zip(used, found, strict=True)}

        return self._ask(ask) or {}

    def _ask(self, ask: Callable[[], Answer]) -> Answer | None:
        if self._now() < self._away_until:
            return None
        try:
            answer = ask()
        except RedisError as error:
            self._note(error)
            return None
        if self._is_away:
            self._note(None)
        return answer

    def _note(self, error: RedisError | None) -> None:
        with self._lock:
            was_away, self._is_away = self._is_away, error is not None
            if error is not None:
                self._away_until = self._now() + _PAUSE
        if error is not None and not was_away:
            LOG.warning(
                "Redis is away, so that requests are not limited until it is back: %s", error
            )
        elif error is None and was_away:
            LOG.info("Redis is back: requests are limited again")


def _key(policy: Policy, who: str) -> str:
    return f"toile:allowance:{policy.name}:{who}"


def _told(policy: Policy, tokens: int, used: int) -> list[Any]:
    return [policy.rate, policy.burst, tokens, used]


def _standing(policy: Policy, found: Any) -> Standing:
    ahead, over = float(found[0]), float(found[1])
    # A hair more than what is left, so that 1999.9999 is told as 2000.
    left = int(max(0.0, policy.burst - ahead * policy.rate) + 1e-3)
    return Standing(left=left, full_in=ahead, wait=over)
