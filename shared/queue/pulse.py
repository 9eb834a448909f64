"""A file that a worker's main process writes again and again, so that its host can tell it lives.

On the disk, not in Redis: a worker is not ill while Redis is away, and must not be started anew.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.queue.presence import ANNOUNCE_SECONDS, Offer
from shared.settings import Settings

BEATS_SECONDS: Final = 6 * ANNOUNCE_SECONDS
"""A pulse older than this is none: some announcements may be late on a busy machine."""

_FORGOTTEN_SECONDS: Final = 24 * 3600.0


class Pulse:
    """The pulse of one worker.

    Args:
        settings: they say where the files lie.
        worker: its whole name, such as ``train@host``.
    """

    def __init__(self, settings: Settings, worker: str) -> None:
        self._folder = settings.home.resolve() / "workers"
        self._path = self._folder / f"{worker.replace('/', '_')}.json"

    def beat(self, offer: Offer) -> None:
        """Say that the worker lives. A disk without room is no reason to die of: it is passed."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_text(offer.model_dump_json())
            new.replace(self._path)

    def stop(self) -> None:
        """Say that the worker has stopped, and drop what workers of long ago left."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            for left in self._folder.glob("*.json"):
                if _age(left) > _FORGOTTEN_SECONDS:
                    left.unlink(missing_ok=True)

    def age(self) -> float | None:
        """Return how many seconds ago the worker said that it lives, or None where it never did."""
        try:
            return _age(self._path)
        except FileNotFoundError:
            return None


def _age(path: Path) -> float:
    return max(0.0, time.time() - path.stat().st_mtime)
