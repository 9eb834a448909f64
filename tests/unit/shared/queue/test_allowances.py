"""Allowances in a real Valkey."""

import logging
import threading
import time

import pytest
from redis import Redis

from shared.queue.allowances import Allowances, Policy

SLOW = Policy("requests", rate=2, burst=5)


def test_a_full_bucket_lets_its_burst_through_and_no_more(redis: Redis) -> None:
    allowances = Allowances(redis)
    left = []
    for _ in range(5):
        standing = allowances.take(SLOW, "site_1")
        assert standing is not None
        assert standing.wait == 0
        left.append(standing.left)
    assert left == [4, 3, 2, 1, 0]
    refused = allowances.take(SLOW, "site_1")
    assert refused is not None
    assert 0 < refused.wait <= 0.5
    assert refused.full_in == pytest.approx(2.5, abs=0.3)


def test_what_is_refused_is_not_counted_and_tokens_come_back_one_by_one(redis: Redis) -> None:
    allowances, policy = Allowances(redis), Policy("requests", rate=20, burst=2)
    passed, until = 0, time.monotonic() + 1
    while time.monotonic() < until:
        standing = allowances.take(policy, "site_1")
        assert standing is not None
        passed += standing.wait == 0
        time.sleep(0.002)
    assert 15 <= passed <= 23


def test_buckets_are_of_one_site_and_one_policy(redis: Redis) -> None:
    allowances = Allowances(redis)
    once = Policy("requests", rate=0.1, burst=1)
    other = Policy("polls", rate=0.1, burst=1)
    for policy, who in ((once, "site_1"), (once, "site_2"), (other, "site_1")):
        standing = allowances.take(policy, who)
        assert standing is not None
        assert standing.wait == 0
    again = allowances.take(once, "site_1")
    assert again is not None
    assert again.wait > 9


def test_two_processes_share_a_bucket(redis: Redis) -> None:
    policy = Policy("requests", rate=0.01, burst=50)
    passed: list[int] = []

    def knock() -> None:
        allowances = Allowances(redis)
        standings = [allowances.take(policy, "site_1") for _ in range(40)]
        passed.append(sum(one is not None and one.wait == 0 for one in standings))

    threads = [threading.Thread(target=knock) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 50


def test_what_was_used_already_may_run_into_debt(redis: Redis) -> None:
    allowances = Allowances(redis)
    key = SLOW, "site_1"
    assert allowances.charge({key: 4})[key].wait == 0
    assert allowances.charge({key: 5})[key].wait == pytest.approx(2, abs=0.1)


def test_an_empty_bucket_of_redis_is_a_full_one_and_is_kept_no_longer_than_needed(
    redis: Redis,
) -> None:
    allowances = Allowances(redis)
    allowances.take(SLOW, "site_1")
    (name,) = redis.keys("toile:allowance:*")
    assert 0 < redis.pttl(name) <= 501


def test_where_redis_is_away_all_is_let_through_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    gone = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
    allowances = Allowances(gone, now=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            assert allowances.take(SLOW, "site_1") is None
            assert allowances.charge({(SLOW, "site_1"): 1}) == {}
            now[0] += 1
    told = [one for one in caplog.records if "not limited" in one.message]
    assert len(told) == 1


def test_after_redis_is_back_it_counts_again(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    gone = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
    allowances = Allowances(gone, now=lambda: now[0])
    assert allowances.take(SLOW, "site_1") is None
    allowances._redis = redis
    allowances._script = redis.register_script(allowances._script.script)
    assert allowances.take(SLOW, "site_1") is None, "it is not asked again at once"
    now[0] += 6
    with caplog.at_level(logging.INFO):
        standing = allowances.take(SLOW, "site_1")
    assert standing is not None
    assert standing.left == 4
    assert "limited again" in caplog.text
