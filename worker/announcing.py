"""Saying that a worker is there, from its main process, and hearing whether it should drain."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError

from shared.queue.connection import connect
from shared.queue.drains import Drains
from shared.queue.presence import ANNOUNCE_SECONDS, Offer, Presence, Taking
from shared.queue.pulse import Pulse
from shared.settings import Settings
from worker.calling import Caller
from worker.consuming import Consumption, Watch
from worker.gan.versions import READABLE
from worker.runtime import DRAINING

LOG: Final = logging.getLogger(__name__)

STUCK: Final = 75
"""The exit code of a worker that no longer took what waits (EX_TEMPFAIL of sysexits.h)."""

_PUT_BACK_SECONDS: Final = 20.0


def end_now(pids: Sequence[int], *, busy: bool) -> None:
    """End this process and its children, after a while in which work in hand may be put back."""
    if busy:
        DRAINING.set()
        time.sleep(_PUT_BACK_SECONDS)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    logging.shutdown()
    # Not sys.exit: this is a thread, and the main one is what does not answer.
    os._exit(STUCK)


class Announcer:
    """A thread that says again and again what a worker takes, does, and can make.

    It hears at once what the operator wishes (`toile drain`), and ends a worker that no longer
    takes what waits, so that its supervisor starts it again. It also looks whether upkeep goes
    round, which is what finds work that was lost.

    Args:
        settings: as they were read.
        worker: its whole name.
        consumption: what it takes.
        end: what ends the process, given the children and whether they work.
    """

    def __init__(
        self,
        settings: Settings,
        worker: str,
        consumption: Consumption,
        *,
        end: Callable[..., None] = end_now,
    ) -> None:
        self._redis: Final = connect(settings)
        self._presence: Final = Presence(self._redis, seconds=settings.worker_grace_seconds)
        self._drains: Final = Drains(self._redis)
        self._caller: Final = Caller(settings, self._redis)
        self._pulse: Final = Pulse(settings, worker)
        self._worker = worker
        self._consumption = consumption
        self._watch = Watch(settings.consumer_seconds)
        self._pause = min(ANNOUNCE_SECONDS, settings.consumer_seconds / 4)
        self._memory = settings.models_memory
        self._end = end
        self._ending = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)

    def start(self) -> None:
        """Announce now, and every few seconds from now on.

        What is wished is heard first, in the caller's thread: a worker that was told to drain and
        is started again takes nothing even in its first second.
        """
        self._hear()
        self._consumption.begin()
        self._thread.start()

    def let_end(self) -> None:
        """Judge no more whether the worker takes what waits: it was told to stop."""
        self._ending = True

    def stop(self) -> None:
        """Say that the worker stops; those who ask no longer count on it."""
        self._over.set()
        self._presence.leave(self._worker)
        self._pulse.stop()

    def _run(self) -> None:
        while not self._over.is_set():
            self._hear()
            self._tell()
            self._judge()
            self._caller.look()
            self._over.wait(self._pause)

    def _hear(self) -> None:
        if self._ending:  # whoever stops is not set to work again
            return
        wanted = self._drains.wanted(self._worker)
        if wanted is not None:
            self._consumption.wish(drain=wanted)

    def _tell(self) -> None:
        seen = self._consumption.seen
        offer = Offer(
            queues=self._consumption.queues,
            formats=READABLE,
            memory=self._memory,
            taking=Taking.DRAINING if self._ending else seen.taking,
            doing=seen.doing,
        )
        self._presence.announce(self._worker, offer)
        self._pulse.beat(offer)
        if self._consumption.is_drained_by_wish:
            self._drains.keep(self._worker)

    def _judge(self) -> None:
        seen = self._consumption.seen
        why = self._watch.look(seen, now=time.monotonic(), waiting=self._waiting())
        if why is None or self._ending:
            return
        LOG.critical(
            "This worker no longer takes work: %s. It ends with code %d, to be started again",
            why, STUCK,
        )  # fmt: skip
        self._end(seen.pids, busy=bool(seen.doing))

    def _waiting(self) -> int | None:
        try:
            return sum(int(self._redis.llen(queue)) for queue in self._consumption.queues)
        except RedisError:
            return None
