"""Sending what is due to webhooks: several at once, and no slow one before the others.

What you can rely on:
- An event that was committed is sent at least once, however often a worker dies on the way: what
  was taken and not written off is due again when its lease is over, under the same event id.
- Two who send at once take different deliveries. One at a time is enough, so a second goes home.
- Each webhook has a few tries under way at most, one while it fails; a round takes from each in
  turn. So one that is slow or dead keeps a few threads busy, and nobody waits for it.
"""

import logging
import random
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from redis.exceptions import RedisError

from shared.clock import utc_now
from shared.queue.sender import WEBHOOKS_HINT
from shared.records import Transaction, deliveries
from shared.records.deliveries import Taken
from shared.records.webhooks import Salts
from shared.settings import Settings
from shared.webhooks.addresses import networks_of
from shared.webhooks.schedule import at_once, judge
from shared.webhooks.sending import Answer, Post
from shared.webhooks.signing import ForeignSecretError, headers_of, secret_of
from worker.runtime import DRAINING, Runtime

LOG: Final = logging.getLogger(__name__)

KEPT: Final = timedelta(days=30)
"""How long the log of deliveries is kept."""

_THREADS: Final = 32
_LEASE: Final = timedelta(seconds=30)  # a try takes 10 s at most, and waits for no other
_ROUND_SECONDS: Final = 10.0
_TOGETHER_SECONDS: Final = 0.01
_LOOK_SECONDS: Final = 0.25
"""How soon a round that waits for slow ones sees what is new."""
_LOCK: Final = "toile:webhooks:sending"
_LOCK_SECONDS: Final = 40
_TIDIED: Final = "toile:webhooks:tidied"
_TIDY_SECONDS: Final = 60
_TIDY_MOST: Final = 2_000

_RELEASE: Final = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
)


@dataclass(frozen=True)
class Limits:
    """How much a round may take.

    Attributes:
        threads: tries at once.
        lease: how long a delivery is held unheard of.
        seconds: how long a round takes new ones; a chores worker has other work too.
    """

    threads: int = _THREADS
    lease: timedelta = _LEASE
    seconds: float = _ROUND_SECONDS


USUAL: Final = Limits()


def send_due(runtime: Runtime, *, post: Post | None = None, limits: Limits = USUAL) -> int:
    """Send what is due, for a while; returns how many tries there were.

    Args:
        runtime: this process' ways out.
        post: what sends; one over the settings' networks where None.
        limits: how much to take.
    """
    _quietly(lambda: runtime.redis.delete(WEBHOOKS_HINT))
    sending = post or Post(networks_of(runtime.settings.webhook_networks))
    with ThreadPoolExecutor(limits.threads, thread_name_prefix="webhook") as pool:
        found = Round(runtime, sending, pool, limits)
        with _alone(runtime) as is_alone:
            if is_alone:
                found.take_what_is_due()
                _tidy(runtime)
        # Whoever came meanwhile went home: what they were told of must not wait for the next beat,
        # nor for the slow ones that are still under way here.
        if is_alone and not DRAINING.is_set() and _has_more(runtime):
            runtime.sender.hint_webhooks()
        found.finish()
    return found.tries


@dataclass
class Round:
    """One worker's round over what is due."""

    runtime: Runtime
    post: Post
    pool: ThreadPoolExecutor
    limits: Limits = USUAL
    chance: Callable[[], float] = random.random
    tries: int = 0
    under_way: dict[Future[tuple[datetime, Answer]], Taken] = field(default_factory=dict)

    def take_what_is_due(self) -> None:
        """Take, send and write off until all is sent or the time is over."""
        until = time.monotonic() + self.limits.seconds
        while time.monotonic() < until and not DRAINING.is_set():
            self._turn(self._ended(seconds=_LOOK_SECONDS), take=True)
            if not self.under_way:
                return

    def finish(self) -> None:
        """Wait for what is under way, and write it off."""
        while self.under_way:
            self._turn(self._ended(seconds=None), take=False)

    def _ended(self, *, seconds: float | None) -> list[tuple[Taken, datetime, Answer]]:
        """Wait for a try to end; return it with those that end about then, for one transaction."""
        if not self.under_way:
            return []
        done, _ = wait(self.under_way, timeout=seconds, return_when=FIRST_COMPLETED)
        if done:
            done, _ = wait(self.under_way, timeout=_TOGETHER_SECONDS)
        self.tries += len(done)
        return [(self.under_way.pop(one), *one.result()) for one in done]

    def _turn(self, ended: list[tuple[Taken, datetime, Answer]], *, take: bool) -> None:
        """Write off what ended, and take more, in one transaction; none where there is neither."""
        room = self.limits.threads - len(self.under_way) if take else 0
        if not ended and not (room and _has_more(self.runtime)):
            return
        taken: list[Taken] = []
        with self.runtime.records.transaction() as tx:
            self._settle(tx, ended)
            if room:
                taken = deliveries.claim(tx, room=room, lease=self.limits.lease, at_once=at_once)
        for one in taken:
            self.under_way[self.pool.submit(_try, self.runtime.settings, self.post, one)] = one

    def _settle(self, tx: Transaction, ended: list[tuple[Taken, datetime, Answer]]) -> None:
        # In one order everywhere: two who lock the same webhooks must not wait for each other.
        for taken, began, answer in sorted(ended, key=lambda one: (one[0].webhook_id, one[0].id)):
            tried = judge(taken, answer, began=began, now=tx.now, chance=self.chance())
            disabled = deliveries.settle(tx, taken, tried)
            _log(taken, answer)
            if disabled is not None and disabled.disabled is not None:
                LOG.warning("Webhook %s: %s", taken.webhook_id, disabled.disabled.message)


def _try(settings: Settings, post: Post, taken: Taken) -> tuple[datetime, Answer]:
    began = utc_now()
    try:
        signing = [
            secret_of(settings, Salts(salt=salt, key_mark=taken.key_mark)) for salt in taken.salts
        ]
    except ForeignSecretError as error:
        return began, Answer(0.0, error=error.message, is_theirs=False)
    headers = headers_of(signing, event_id=taken.event_id, at=began, payload=taken.payload)
    try:
        return began, post.send(taken.address, headers, taken.payload)
    except Exception as error:
        LOG.exception("Delivery %s broke", taken.id)
        told = f"Something broke in Toile ({type(error).__name__}); its log has the whole of it."
        return began, Answer(0.0, error=told, is_theirs=False)


def _log(taken: Taken, answer: Answer) -> None:
    level = logging.INFO if answer.is_theirs else logging.ERROR
    LOG.log(
        level, "Delivery %s of %s, try %d: %s in %.0f ms",
        taken.id, taken.event_id, taken.attempts, answer.status or answer.error,
        1000 * answer.seconds,
    )  # fmt: skip


def _has_more(runtime: Runtime) -> bool:
    with runtime.records.reading() as tx:
        return deliveries.is_due(tx)


def _tidy(runtime: Runtime) -> None:
    """End what is over and forget what is old, once a minute."""
    first = _quietly(lambda: runtime.redis.set(_TIDIED, 1, nx=True, ex=_TIDY_SECONDS))
    if not first:
        return
    with runtime.records.transaction() as tx:
        ended = deliveries.expire(tx)
        deliveries.forget(tx, before=tx.now - KEPT, most=_TIDY_MOST)
    if ended:
        LOG.info("Gave up %d deliveries whose day was over", ended)


@contextmanager
def _alone(runtime: Runtime) -> Iterator[bool]:
    """Tell whether nobody else sends now. Without Redis all may: their claims keep them apart."""
    mark = secrets.token_hex(8)
    try:
        is_alone = bool(runtime.redis.set(_LOCK, mark, nx=True, ex=_LOCK_SECONDS))
    except RedisError:
        is_alone = True
    try:
        yield is_alone
    finally:
        if is_alone:
            _quietly(lambda: runtime.redis.eval(_RELEASE, 1, _LOCK, mark))


def _quietly(ask: Callable[[], object]) -> object:
    """Return what Redis says; None where it is away, for all of this is courtesy."""
    try:
        return ask()
    except RedisError:
        return None
