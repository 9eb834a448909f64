"""Keys, remembered for a moment: most requests of a shop carry the same one."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from shared.records import Records, Transaction, shoppers, sites
from shared.schemas.keys import ApiKey
from shared.schemas.shoppers import Shopper

Found = TypeVar("Found")

# A revoked key must be useless within five seconds, and so must all that was made with it.
_SECONDS: Final = 3.0
_MOST: Final = 4096
_ORIGINS: Final = "origins"


@dataclass(frozen=True)
class _Remembered(Generic[Found]):
    found: Found
    until: float


class _Memory(Generic[Found]):
    """What was found lately, by its mark. Only what is there is remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._remembered: dict[str, _Remembered[Found]] = {}

    def get(self, mark: str, now: float) -> Found | None:
        with self._lock:
            known = self._remembered.get(mark)
        return known.found if known is not None and now < known.until else None

    def keep(self, mark: str, found: Found | None, until: float) -> None:
        with self._lock:
            if found is None:
                self._remembered.pop(mark, None)
                return
            if len(self._remembered) >= _MOST:
                self._remembered.clear()
            self._remembered[mark] = _Remembered(found, until)


class KeyRing:
    """Looks keys up, and what hangs on them. Of secrets only the hashes are remembered.

    Args:
        records: where keys are.
        on_use: told of the id of each key that was looked up.
        now: seconds, from any beginning.
    """

    def __init__(
        self,
        records: Records,
        *,
        on_use: Callable[[str], None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._on_use = on_use
        self._now = now
        self._keys: _Memory[ApiKey] = _Memory()
        self._shoppers: _Memory[Shopper] = _Memory()
        self._origins: _Memory[frozenset[str]] = _Memory()

    def by_secret(self, secret: str) -> ApiKey | None:
        """Return the key with this secret, or None where it is unknown, revoked or over."""
        mark = sites.hash_secret(secret)
        return self._key(mark, lambda tx: sites.find_key(tx, secret))

    def by_id(self, key_id: str) -> ApiKey | None:
        """Return the key of this id, or None where it is unknown, revoked or over."""
        return self._key(key_id, lambda tx: sites.get_key(tx, key_id))

    def shopper(self, site_id: str, shopper_id: str) -> Shopper | None:
        """Return a site's shopper by id, or None where there is none, or they were erased."""
        now = self._now()
        known = self._shoppers.get(f"{site_id} {shopper_id}", now)
        if known is not None:
            return known
        with self._records.reading() as tx:
            found = shoppers.by_id(tx, site_id, shopper_id)
        self._shoppers.keep(f"{site_id} {shopper_id}", found, now + _SECONDS)
        return found

    def origins(self) -> frozenset[str]:
        """Return the origins that any site's publishable key allows."""
        now = self._now()
        known = self._origins.get(_ORIGINS, now)
        if known is not None:
            return known
        with self._records.reading() as tx:
            found = sites.origins(tx)
        self._origins.keep(_ORIGINS, found, now + _SECONDS)
        return found

    def _key(self, mark: str, look_up: Callable[[Transaction], ApiKey | None]) -> ApiKey | None:
        now = self._now()
        known = self._keys.get(mark, now)
        if known is not None:
            return known
        with self._records.reading() as tx:
            key = look_up(tx)
            lasts = _SECONDS
            if key is not None and key.expires_at is not None:
                lasts = min(lasts, (key.expires_at - tx.now).total_seconds())
        self._keys.keep(mark, key, now + lasts)
        if key is not None and self._on_use is not None:
            self._on_use(key.id)
        return key
