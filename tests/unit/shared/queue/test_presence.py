"""Who is there, what they say of themselves, and who was asked to drain."""

import json
import time

from redis import Redis

from shared.queue.drains import Drains
from shared.queue.names import Queue
from shared.queue.presence import Doing, Offer, Presence, Taking

OFFER = Offer(queues=("generate", "upkeep"), formats=(2,), memory=10)


def draining(taking: Taking) -> Offer:
    return OFFER.model_copy(update={"taking": taking})


def test_a_worker_is_there_with_what_it_does_and_since_when_it_was_heard_of(redis: Redis) -> None:
    presence = Presence(redis, seconds=60)
    busy = OFFER.model_copy(
        update={"doing": (Doing(task="generate", subject="rel_1", seconds=2.5),)}
    )
    assert presence.announce("generate@a", busy)
    time.sleep(0.3)
    (heard,) = presence.everyone()
    assert (heard.name, heard.offer.doing) == ("generate@a", busy.doing)
    assert heard.age is not None
    assert 0.25 < heard.age < 20
    presence.leave("generate@a")
    assert presence.everyone() == []


def test_one_that_drains_is_there_but_takes_from_no_queue(redis: Redis) -> None:
    presence = Presence(redis, seconds=60)
    presence.announce("a", OFFER)
    presence.announce("b", draining(Taking.DRAINING))
    presence.announce("c", draining(Taking.DRAINED))
    assert [one.name for one in presence.everyone()] == ["a", "b", "c"]
    assert list(presence.serving(Queue.GENERATE)) == ["a"]


def test_a_worker_of_an_older_version_is_understood(redis: Redis) -> None:
    redis.set("toile:worker:old", json.dumps({"queues": ["train"]}), ex=60)
    (heard,) = Presence(redis, seconds=60).everyone()
    assert (heard.offer.taking, heard.age) == (Taking.WORK, None)


def test_a_wish_to_drain_stands_until_it_is_undone(redis: Redis) -> None:
    drains = Drains(redis)
    assert drains.wanted("a") is None
    drains.ask(["a"])
    drains.ask(["a"])
    assert drains.wanted("a") is True
    assert drains.wanted("b") is None
    drains.undo(["a"])
    assert drains.wanted("a") is False


def test_a_worker_that_drains_goes_on_where_redis_lost_its_memory(redis: Redis) -> None:
    drains = Drains(redis)
    drains.ask(["a"])
    redis.flushall()
    assert drains.wanted("a") is None, "as it was"
    drains.keep("a")
    assert drains.wanted("a") is True


def test_repeating_a_wish_does_not_take_back_its_undoing(redis: Redis) -> None:
    drains = Drains(redis)
    drains.ask(["a"])
    drains.undo(["a"])
    drains.keep("a")
    assert drains.wanted("a") is False
