"""Saying that a worker is there, from its main process, for as long as it takes work."""

import threading
from collections.abc import Collection
from typing import Final

from shared.queue.connection import connect
from shared.queue.presence import ANNOUNCE_SECONDS, Presence
from shared.settings import Settings


class Announcer:
    """A thread that says again and again which queues a worker takes from."""

    def __init__(self, settings: Settings, worker: str, queues: Collection[str]) -> None:
        self._presence: Final = Presence(connect(settings), seconds=settings.worker_grace_seconds)
        self._worker = worker
        self._queues = tuple(queues)
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
            self._presence.announce(self._worker, self._queues)
            self._over.wait(ANNOUNCE_SECONDS)
