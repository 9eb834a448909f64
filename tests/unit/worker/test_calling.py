from redis import Redis

from shared.queue.names import Queue
from shared.queue.rounds import Rounds
from shared.settings import Settings
from worker.calling import Caller


def test_with_beat_dead_workers_ask_for_upkeep_once(settings: Settings, redis: Redis) -> None:
    callers = [Caller(settings, redis) for _ in range(3)]
    assert [one.look() for one in callers] == [True, False, False]
    assert redis.llen(Queue.UPKEEP) == 1


def test_while_upkeep_goes_round_nobody_asks(settings: Settings, redis: Redis) -> None:
    Rounds(redis).note()
    assert not Caller(settings, redis).look()
    assert redis.llen(Queue.UPKEEP) == 0


def test_a_redis_that_was_emptied_is_noticed_at_the_next_look(
    settings: Settings, redis: Redis
) -> None:
    Rounds(redis).note()
    redis.flushall()
    assert Caller(settings, redis).look()
