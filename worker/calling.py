"""Asking for upkeep where nobody else does: with beat dead, or with Redis' memory gone."""

import logging
from typing import Final

from redis import Redis

from shared.errors import QueueUnavailableError
from shared.queue.names import Task
from shared.queue.rounds import Rounds
from shared.queue.sender import Sender
from shared.settings import Settings

LOG: Final = logging.getLogger(__name__)

_PATIENCE: Final = 3
"""Rounds that may be missed before another asks: one is late whenever all workers are busy."""


class Caller:
    """Looks whether upkeep has gone round lately, and sends its message where it has not.

    Every worker's parent looks, every few seconds; of all that find it overdue at once, one sends.
    Upkeep is what mends everything else, so it must not hang on one process.
    """

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._every = settings.upkeep_seconds
        self._rounds = Rounds(redis)
        self._sender = Sender.from_settings(settings)

    def look(self) -> bool:
        """Ask for a round where one is overdue, or where Redis remembers none; returns whether."""
        if not self._rounds.is_overdue(seconds=_PATIENCE * self._every):
            return False
        if not self._rounds.call(seconds=self._every):
            return False
        try:
            self._sender.send(Task.UPKEEP, expires=self._every)
        except QueueUnavailableError as error:
            LOG.warning("Upkeep is overdue and cannot be asked for: %s", error)
            return False
        LOG.info("Asked for upkeep: beat has not, or Redis has lost its memory")
        return True
