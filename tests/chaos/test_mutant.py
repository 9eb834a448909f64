"""The harness over processes that lost one of their safeguards: it must not find them sound."""

import os
import signal
import time

import pytest

from tests.chaos import counting
from tests.chaos.ledger import Ledger, Promise
from tests.chaos.run import Resting
from tests.chaos.verdict import Finding, Trouble
from tests.chaos.world import SIZE, World, running_world

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

_PROCESSES = {"web": "web", "beat": "beat", "chores": "chores", "generate.1": "generate"}
_JOBS = 20
_ASKS_FOR = 5
"""Seconds, more than a worker lets Redis look for a message at a time."""


def after_redis_was_emptied(world: World) -> list[Finding]:
    """Queue jobs that no worker has heard of, empty Redis, wait for progress, and count."""
    shop = world.shops[0]
    group = world.stack.processes["generate.1"].pid
    os.killpg(group, signal.SIGSTOP)
    # Redis still holds its question for a second or two, and would answer it into its socket.
    time.sleep(_ASKS_FOR)
    jobs = world.ways.submit(shop.site_id, shop.release_id, jobs=_JOBS, count=1, size=SIZE)
    world.broker.empty()
    os.killpg(group, signal.SIGCONT)
    resting = Resting(world, patience=12)
    while not (resting.is_over or resting.gave_up):
        time.sleep(0.1)
    ledger = Ledger()
    books = counting.read_books(world.ways.records, world.ways.store, known=world.known)
    for job in jobs:
        ledger.accepted(job.id, Promise("design", shop.name, [{"count": 1}]), (job.id,))
    found = counting.count(books, ledger, loads=lambda _files: None)
    return [one for one in found if one.trouble is not Trouble.MISJOINED]  # they had no keys


@pytest.mark.parametrize(
    ("app", "stuck"),
    [("tests.chaos.forgetful_worker", _JOBS), ("tests.chaos.worker", 0)],
    ids=["nothing is sent again", "as it is"],
)
def test_jobs_whose_message_is_gone_are_stuck_where_nothing_is_sent_again(
    app: str, stuck: int
) -> None:
    with running_world(shops=1, processes=_PROCESSES, app=app) as world:
        found = after_redis_was_emptied(world)
    assert [one.trouble for one in found] == [Trouble.STUCK] * stuck
