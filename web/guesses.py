"""Wrong keys, counted by the address that sends them, so that guessing is slow.

An address that has sent too many is asked to wait, before its key is looked at. Keys that were
found good by this process lately pass all the same: one who guesses does not lock out those behind
the same address.
"""

import ipaddress
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.errors import RateLimitedError
from shared.queue.allowances import Allowances, Policy
from shared.records.sites import hash_secret

_MOST: Final = 4096
_IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that one customer of a provider has at least."""


class Guesses:
    """Counts wrong keys.

    Args:
        allowances: where they are counted for all processes.
        a_minute: how many one address may send.
        now: seconds that only grow; for tests.
    """

    def __init__(
        self,
        allowances: Allowances,
        *,
        a_minute: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowances = allowances
        self._policy = Policy("guesses", a_minute / 60, a_minute)
        self._now = now
        self._lock = threading.Lock()
        self._blocked: dict[str, float] = {}
        self._good: dict[str, None] = {}

    def refuse(self, address: str, offered: str) -> None:
        """Refuse what an address offers, unless it may still guess or it is known to be good.

        Raises:
            RateLimitedError: it has sent too many wrong keys.
        """
        until = self._blocked.get(address)
        if until is None:
            return
        wait = until - self._now()
        if wait <= 0:
            with self._lock:
                self._blocked.pop(address, None)
        elif hash_secret(offered) not in self._good:
            raise RateLimitedError(
                f"From this address came more than {self._policy.burst:g} wrong keys a minute. "
                "Wait as long as Retry-After says, and look that the key is right.",
                policy=self._policy.name,
                limit=int(self._policy.burst),
                window=self._policy.window,
                retry_after=math.ceil(wait),
            )

    def was_wrong(self, address: str) -> None:
        """Count a wrong key."""
        key = self._policy, address
        standing = self._allowances.charge({key: 1}).get(key)
        if standing is None or (not standing.wait and standing.left):
            return
        wait = standing.wait or 1 / self._policy.rate
        with self._lock:
            if len(self._blocked) >= _MOST:
                self._blocked.clear()
            self._blocked[address] = self._now() + wait

    def was_good(self, offered: str) -> None:
        """Remember a good key, by its hash."""
        mark = hash_secret(offered)
        if mark in self._good:
            return
        with self._lock:
            if len(self._good) >= _MOST:
                self._good.clear()
            self._good[mark] = None


def address_of(environ: Mapping[str, Any], *, proxies: int) -> str:
    """Return from where a request comes; of IPv6, the network that one customer has.

    Args:
        environ: the request, as WSGI has it.
        proxies: how many reverse proxies before this process add the address that they see to
            X-Forwarded-For. What is further left in it was written by the caller.
    """
    address = str(environ.get("REMOTE_ADDR", ""))
    told = [one.strip() for one in str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
    if proxies and len(told) >= proxies and told[-proxies]:
        address = told[-proxies]
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:  # noqa: PLR2004 - the protocol's version
        mapped = parsed.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network((address.partition("%")[0], _IPV6_PREFIX), strict=False))
    return str(parsed)
