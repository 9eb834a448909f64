"""What each site may use, remembered for a moment, and how much of it is used just now.

Requests are counted one by one in Redis. Status polls and pictures by signed link come a thousand
times a second and cost little: each process counts them by itself and settles with Redis four times
a second, so that the sum over all processes is right, and a site gets past its limit by at most
what several processes answer in a quarter of a second. One process alone passes it by one.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.jobs.quotas import Quotas
from shared.jobs.submit import Admit
from shared.queue.allowances import Allowances, Policy, Standing
from shared.records import Records, limits
from shared.schemas.usage import SiteLimits
from shared.settings import Settings

_SECONDS: Final = 3.0
"""How old what is known of a site may be: a rotated salt must end its links within five seconds."""
_SETTLE_SECONDS: Final = 0.25
_MOST: Final = 4096
_POLL_BURST_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class Known:
    """What holds for a site."""

    limits: SiteLimits
    link_salt: str
    requests: Policy | None
    polls: Policy | None
    links: Policy | None
    until: float


@dataclass(frozen=True, slots=True)
class Counted:
    """That something was counted against a policy, and how the site stands now."""

    policy: Policy
    standing: Standing

    @property
    def is_refused(self) -> bool:
        """Return whether it must not be answered."""
        return self.standing.wait > 0

    @property
    def headers(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """What the caller is told.

        Source: draft-ietf-httpapi-ratelimit-headers-10. The window is the time in which an empty
        bucket fills.
        """
        standing = self.standing
        left = f'"{self.policy.name}";r={standing.left};t={int(standing.full_in + 0.999)}'
        return ("RateLimit-Policy", self.policy.told), ("RateLimit", left)


class Limits:
    """The limits of all sites, as one process knows them."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        allowances: Allowances,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._records = records
        self._allowances = allowances
        self._now = now
        self._known: dict[str, Known] = {}
        self._tally = Tally(allowances, now=now)

    def of(self, site_id: str) -> Known:
        """Return what holds for a site.

        Raises:
            DatabaseUnavailableError: it is not known, and cannot be read.
        """
        known = self._known.get(site_id)
        if known is not None and self._now() < known.until:
            return known
        with self._records.glance() as tx:
            own = limits.own(tx, site_id)
        found = limits.resolved(self._settings, own)
        burst = float(found.burst)
        poll = found.poll_rate
        known = Known(
            limits=found,
            link_salt=own.link_salt or "",
            requests=None if found.rate is None else Policy("requests", found.rate, burst),
            polls=None if poll is None else _cheap("polls", poll),
            links=None if poll is None else _cheap("links", poll),
            until=self._now() + _SECONDS,
        )
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[site_id] = known
        return known

    def admit(self, site_id: str) -> Admit:
        """Return what lets a site's new jobs through, or refuses them.

        What holds for the site is looked up now, not in the transaction.
        """
        return Quotas(self.of(site_id).limits).admit

    def request(self, site_id: str) -> Counted | None:
        """Count a request; None where nothing limits it, or Redis is away."""
        policy = self.of(site_id).requests
        standing = None if policy is None else self._allowances.take(policy, site_id)
        return None if policy is None or standing is None else Counted(policy, standing)

    def poll(self, site_id: str) -> Counted | None:
        """Count a status poll; None where nothing limits it."""
        policy = self.of(site_id).polls
        return None if policy is None else Counted(policy, self._tally.count(policy, site_id))

    def link(self, site_id: str) -> Counted | None:
        """Count a picture by signed link; None where nothing limits it."""
        policy = self.of(site_id).links
        return None if policy is None else Counted(policy, self._tally.count(policy, site_id))


class _Count:
    """What one process counted of one bucket since it last settled."""

    __slots__ = ("blocked_until", "full_in", "left", "policy", "since")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.since = 0
        self.left = int(policy.burst)
        self.full_in = 0.0
        self.blocked_until = 0.0


class Tally:
    """Counts in this process, and settles with Redis from time to time."""

    def __init__(
        self, allowances: Allowances, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowances = allowances
        self._now = now
        self._lock = threading.Lock()
        self._settling = threading.Lock()
        self._counts: dict[tuple[str, str], _Count] = {}
        self._due = 0.0

    def count(self, policy: Policy, who: str) -> Standing:
        """Count one; what is refused is not counted."""
        now = self._now()
        one = self._counts.get((policy.name, who))
        if one is None or one.policy is not policy:
            one = self._open(policy, who)
        if now < one.blocked_until:
            return Standing(0, one.full_in, one.blocked_until - now)
        with self._lock:
            one.since += 1
        if now >= self._due or one.since > one.left:
            self._settle(now)
        return Standing(max(0, one.left - one.since), one.full_in + one.since / policy.rate, 0.0)

    def _open(self, policy: Policy, who: str) -> _Count:
        key = policy.name, who
        with self._lock:
            if len(self._counts) >= _MOST:
                self._counts = {key: one for key, one in self._counts.items() if one.since}
            known = self._counts.get(key)
            if known is None or known.policy != policy:
                known = self._counts[key] = _Count(policy)
            known.policy = policy  # what is known of a site is read anew, mostly unchanged
            return known

    def _settle(self, now: float) -> None:
        """Tell Redis what was counted; one thread does it for all."""
        if not self._settling.acquire(blocking=False):
            return
        try:
            self._due = now + _SETTLE_SECONDS
            with self._lock:
                busy = {
                    (one.policy, who): one for (_, who), one in self._counts.items() if one.since
                }
                used = {key: one.since for key, one in busy.items()}
                for one in busy.values():
                    one.since = 0
            for key, standing in self._allowances.charge(used).items():
                one = busy[key]
                one.left, one.full_in = standing.left, standing.full_in
                one.blocked_until = now + standing.wait if standing.wait else 0.0
        finally:
            self._settling.release()


def _cheap(name: str, rate: float) -> Policy:
    return Policy(name, rate, max(1.0, rate * _POLL_BURST_SECONDS))
