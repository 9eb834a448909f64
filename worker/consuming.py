"""What the main process of a worker takes from its queues, and whether it still does.

Separation of concerns: all that touches Celery's consumer is done here, in its own loop and thread,
once a second; `announcing` decides what is wished and tells others; `Watch` judges.
"""

import logging
import time
from dataclasses import dataclass, field
from typing import Any, Final

from celery.worker import state

from shared.queue.presence import Doing, Taking
from worker.runtime import DRAINING

LOG: Final = logging.getLogger(__name__)

_TICK_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Glimpse:
    """What a worker was seen to do, at one tick of its loop.

    Attributes:
        at: when, in seconds of the monotonic clock.
        accepted: messages that a child has begun, since the start.
        doing: what is in hand.
        pids: of the children that work, whatever they do now.
        taking: whether it takes work.
    """

    at: float
    accepted: int = 0
    doing: tuple[Doing, ...] = ()
    pids: tuple[int, ...] = ()
    taking: Taking = Taking.WORK


class Consumption:
    """A worker's taking of messages: stopped and begun again as is wished, and looked at.

    Args:
        consumer: Celery's, ready to take messages.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.queues: Final = tuple(consumer.app.amqp.queues.consume_from)
        self._drain: bool | None = None
        self._drains = False
        self.seen = Glimpse(time.monotonic())

    def begin(self) -> None:
        """Look once a second from now on. To be called in the consumer's own thread."""
        self._tick()
        self._consumer.timer.call_repeatedly(_TICK_SECONDS, self._tick)

    def wish(self, *, drain: bool) -> None:
        """Say whether the worker should drain; its loop does so at its next tick."""
        self._drain = drain

    @property
    def is_drained_by_wish(self) -> bool:
        """Whether it was told to drain, and does; a worker that only stops was not."""
        return self._drains

    def _tick(self) -> None:
        if self._drain is not None and self._drain is not self._drains:
            self._turn(drains=self._drain)
        doing = tuple(_doing(request) for request in list(state.active_requests))
        taking = Taking.WORK
        if DRAINING.is_set():
            taking = Taking.DRAINING if doing or state.reserved_requests else Taking.DRAINED
        self.seen = Glimpse(
            time.monotonic(), state.all_total_count[0], doing, self.children, taking
        )

    def _turn(self, *, drains: bool) -> None:
        """Stop taking messages and then tell the children, or the other way round.

        In this order no child is told to stop while a message can still reach it, which it would
        have to put back, and be sent again.
        """
        LOG.warning("Told to drain" if drains else "Told to work again")
        self._drains = drains
        if drains:
            for queue in self.queues:
                self._consumer.cancel_task_queue(queue)
            DRAINING.set()
            return
        DRAINING.clear()
        for queue in self.queues:
            self._consumer.add_task_queue(queue)

    @property
    def children(self) -> tuple[int, ...]:
        """The processes that work, by id; any thread may ask."""
        return tuple(self._consumer.pool.info.get("processes", ()))


def _doing(request: Any) -> Doing:
    arguments = request.args or ()
    began = request.time_start or time.time()  # Celery's own is of the wall clock
    return Doing(
        task=str(request.name).removeprefix("toile."),
        subject=str(arguments[0]) if arguments else None,
        seconds=round(max(0.0, time.time() - began), 1),
    )


@dataclass
class Watch:
    """Whether a worker still takes what waits for it: judged by what it does, not how.

    A consumer that is silently gone looks well from outside: its process lives, its connection too
    (celery#8030, #8091, #10205). Two things tell:

    - its loop no longer ticks;
    - messages wait in its queues, look after look, while it is idle and takes none. Where others
      take from the same queue, an idle worker gets its part of one that is never empty.

    Only time counts in which Redis answered: without it nobody takes anything, and Celery's own
    pauses between two tries to connect grow to half a minute.

    Args:
        limit: seconds after which it is over.
    """

    limit: float
    _since: float | None = field(default=None, init=False)
    _answers_since: float | None = field(default=None, init=False)
    _accepted: int = field(default=-1, init=False)

    def look(self, seen: Glimpse, *, now: float, waiting: int | None) -> str | None:
        """Return in words why the worker must be started again, or None.

        Args:
            seen: the newest glimpse.
            now: seconds of the monotonic clock.
            waiting: messages in its queues; None where Redis does not answer.
        """
        if waiting is None:
            self._since = self._answers_since = None
            return None
        if self._answers_since is None:
            self._answers_since = now
        silent = now - max(seen.at, self._answers_since)
        if silent > self.limit:
            return f"its loop has not turned for {silent:.0f} s"
        is_idle = not seen.doing and seen.accepted == self._accepted and seen.taking is Taking.WORK
        self._accepted = seen.accepted
        if not waiting or not is_idle:
            self._since = None
            return None
        if self._since is None:
            self._since = now
        if now - self._since <= self.limit:
            return None
        return (
            f"{waiting} messages wait in its queues, and in {now - self._since:.0f} s of idleness "
            "it has taken none"
        )
