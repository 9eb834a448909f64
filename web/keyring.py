"""Keys, remembered for a moment: most requests of a shop carry the same one."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.records import Records, Transaction, sites
from shared.schemas.sites import ApiKey

# A revoked key must be useless within five seconds.
_SECONDS: Final = 3.0
_MOST: Final = 4096


@dataclass(frozen=True)
class _Remembered:
    key: ApiKey
    until: float


class KeyRing:
    """Looks keys up. Only keys that exist are remembered, and no secret is."""

    def __init__(self, records: Records, *, now: Callable[[], float] = time.monotonic) -> None:
        self._records = records
        self._now = now
        self._lock = threading.Lock()
        self._remembered: dict[str, _Remembered] = {}

    def by_secret(self, secret: str) -> ApiKey | None:
        """Return the key with this secret, or None where it is unknown or revoked."""
        mark = sites.hash_secret(secret)
        return self._find(mark, lambda tx: sites.find_key(tx, secret))

    def by_id(self, key_id: str) -> ApiKey | None:
        """Return the key of this id, or None where it is unknown or revoked."""
        return self._find(key_id, lambda tx: sites.get_key(tx, key_id))

    def _find(self, mark: str, look_up: Callable[[Transaction], ApiKey | None]) -> ApiKey | None:
        now = self._now()
        with self._lock:
            known = self._remembered.get(mark)
        if known is not None and now < known.until:
            return known.key
        with self._records.reading() as tx:
            key = look_up(tx)
        self._remember(mark, key, now)
        return key

    def _remember(self, mark: str, key: ApiKey | None, now: float) -> None:
        with self._lock:
            if key is None:
                self._remembered.pop(mark, None)
                return
            if len(self._remembered) >= _MOST:
                self._remembered.clear()
            self._remembered[mark] = _Remembered(key, now + _SECONDS)
