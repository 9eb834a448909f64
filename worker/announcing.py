"""Saying that a worker is there, from its main process, for as long as it takes work.

It also looks whether upkeep goes round, which is what finds work that was lost.
"""

import threading
from collections.abc import Collection
from typing import Final

from shared.queue.connection import connect
from shared.queue.presence import ANNOUNCE_SECONDS, Offer, Presence
from shared.settings import Settings
from worker.calling import Caller
from worker.gan.versions import READABLE


class Announcer:
    """A thread that says again and again what a worker takes, and what it can make."""

    def __init__(self, settings: Settings, worker: str, queues: Collection[str]) -> None:
        redis = connect(settings)
        self._presence: Final = Presence(redis, seconds=settings.worker_grace_seconds)
        self._caller: Final = Caller(settings, redis)
        self._worker = worker
        self._offer = Offer(queues=tuple(queues), formats=READABLE, memory=settings.models_memory)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)

    def start(self) -> None:
        """Announce now, and every few seconds from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Say that the worker stops; those who ask no longer count on it."""
        self._over.set()
        self._presence.leave(self._worker)

    def _run(self) -> None:
        while not self._over.is_set():
            self._presence.announce(self._worker, self._offer)
            self._caller.look()
            self._over.wait(ANNOUNCE_SECONDS)
