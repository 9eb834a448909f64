import time

from redis import Redis

from shared.queue.rounds import Rounds


def test_a_redis_that_was_emptied_remembers_no_round(redis: Redis) -> None:
    rounds = Rounds(redis)
    assert not rounds.has_mark()
    rounds.note()
    assert rounds.has_mark()
    redis.flushall()
    assert not rounds.has_mark()


def test_a_round_is_overdue_when_none_is_remembered_or_the_last_is_long_ago(redis: Redis) -> None:
    rounds = Rounds(redis)
    assert rounds.is_overdue(seconds=60)
    rounds.note()
    assert not rounds.is_overdue(seconds=60)
    time.sleep(0.02)
    assert rounds.is_overdue(seconds=0.01)


def test_of_many_who_find_it_overdue_one_asks(redis: Redis) -> None:
    rounds = Rounds(redis)
    assert [rounds.call(seconds=60) for _ in range(3)] == [True, False, False]


def test_with_redis_away_nobody_asks() -> None:
    with Redis.from_url("redis://127.0.0.1:1/0") as away:
        rounds = Rounds(away)
        rounds.note()
        assert not rounds.is_overdue(seconds=0.01)
        assert not rounds.call(seconds=1)
