"""When keys were last used, written aside: no request waits for it."""

import logging
import threading
import time
from typing import Final

from shared.records import Records, sites

LOG: Final = logging.getLogger(__name__)

_PAUSE: Final = 60.0
"""Seconds between two writes: what is told of a key is as old as that."""
_FIRST: Final = 2.0


class Uses:
    """Gathers which keys were used, and writes it from a thread of its own.

    The thread lives as long as there is something to write. What a process has gathered when it
    ends is lost: that is a minute of a time that nobody decides by.
    """

    def __init__(self, records: Records, *, first: float = _FIRST, pause: float = _PAUSE) -> None:
        self._records = records
        self._first = first
        self._pause = pause
        self._lock = threading.Lock()
        self._used: set[str] = set()
        self._writes = False
        self._last = float("-inf")
        self._closed = threading.Event()

    def note(self, key_id: str) -> None:
        """Take down that a key was used now."""
        with self._lock:
            self._used.add(key_id)
            if self._writes or self._closed.is_set():
                return
            self._writes = True
        threading.Thread(target=self._write, name="uses", daemon=True).start()

    def close(self) -> None:
        """Write no more."""
        self._closed.set()

    def _write(self) -> None:
        while True:
            since = time.monotonic() - self._last
            if self._closed.wait(max(self._first, self._pause - since)):
                return
            with self._lock:
                used, self._used = self._used, set()
                if not used:
                    self._writes = False
                    return
            self._last = time.monotonic()
            self._note(used)

    def _note(self, used: set[str]) -> None:
        try:
            with self._records.transaction() as tx:
                sites.note_use(tx, used)
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a write meets
            LOG.warning("When %d keys were last used is not written: %s", len(used), error)
