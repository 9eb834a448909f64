"""What may happen once happens once."""

import pytest
from redis import Redis

from shared.errors import QueueUnavailableError
from shared.queue.once import first_use
from shared.queue.status import StatusBoard


def test_only_the_first_use_is_the_first(redis: Redis) -> None:
    assert first_use(redis, "a", seconds=60)
    assert not first_use(redis, "a", seconds=60)
    assert first_use(redis, "b", seconds=60)


def test_a_token_does_not_stand_in_redis_as_it_is(redis: Redis) -> None:
    first_use(redis, "a-secret-token", seconds=60)
    assert b"a-secret-token" not in b"".join(redis.scan_iter())


def test_without_redis_nobody_is_the_first() -> None:
    with Redis.from_url("unix:///nowhere.sock") as away:
        with pytest.raises(QueueUnavailableError):
            first_use(away, "a", seconds=60)
        assert not StatusBoard(away).answers()
