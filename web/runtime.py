"""What a web process holds: settings and the ways out. It hangs on the app; nothing is global."""

import threading
from dataclasses import dataclass
from typing import Final

from flask import current_app
from redis import Redis

from shared.artifacts import ArtifactStore, open_store
from shared.provenance.signing import Signing
from shared.queue.allowances import Allowances
from shared.queue.connection import connect, connect_quickly
from shared.queue.pace import Paces
from shared.queue.presence import Presence
from shared.queue.sender import Sender
from shared.queue.status import StatusBoard
from shared.records import Records
from shared.settings import Settings
from web.admission import Admission
from web.endings import Endings
from web.galleries import Galleries
from web.guesses import Guesses
from web.keyring import KeyRing
from web.labels import DerivedLabels
from web.limits import Limits
from web.links import Links
from web.variants import Variants

EXTENSION: Final = "toile"
# Of all threads, the part that may sleep in long polls, so that submits always find one awake.
_WAITING_SHARE: Final = 0.75
# Strangers' pictures decoded at once: each takes up to 100 MB and a core.
_LOOKING: Final = 2


@dataclass(frozen=True)
class Runtime:
    """Everything that a request needs beyond itself."""

    settings: Settings
    records: Records
    store: ArtifactStore
    sender: Sender
    board: StatusBoard
    paces: Paces
    admission: Admission
    galleries: Galleries
    labels: DerivedLabels
    redis: Redis
    keys: KeyRing
    endings: Endings
    waiting: threading.BoundedSemaphore
    looking: threading.BoundedSemaphore
    signing: Signing
    limits: Limits
    guesses: Guesses
    links: Links
    variants: Variants
    counters: Redis

    def close(self) -> None:
        """Close all connections."""
        self.records.close()
        self.redis.close()
        self.counters.close()


def open_runtime(
    settings: Settings,
    *,
    records: Records | None = None,
    store: ArtifactStore | None = None,
    sender: Sender | None = None,
    board: StatusBoard | None = None,
) -> Runtime:
    """Open the ways out; what is passed in is used as it is."""
    redis = connect(settings)
    opened = records or Records(settings.database)
    kept = store or open_store(settings)
    counters = connect_quickly(settings)
    allowances = Allowances(counters)
    limits = Limits(settings, opened, allowances)
    presence = Presence(redis, seconds=settings.worker_grace_seconds)
    return Runtime(
        settings=settings,
        records=opened,
        store=kept,
        sender=sender or Sender.from_settings(settings),
        board=board or StatusBoard(redis),
        paces=Paces(redis),
        admission=Admission(settings, opened, presence, limits),
        galleries=Galleries(kept, memory=settings.galleries_memory),
        labels=DerivedLabels(kept, memory=settings.galleries_memory // 4),
        redis=redis,
        keys=KeyRing(opened),
        endings=Endings(opened),
        waiting=threading.BoundedSemaphore(max(1, int(settings.web_threads * _WAITING_SHARE))),
        looking=threading.BoundedSemaphore(_LOOKING),
        signing=Signing(settings),
        limits=limits,
        guesses=Guesses(allowances, a_minute=settings.guess_limit),
        links=Links(settings),
        variants=Variants(memory=settings.variants_memory),
        counters=counters,
    )


def runtime() -> Runtime:
    """Return the runtime of the app that serves this request."""
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Runtime):
        message = f"the app carries {found!r} as its runtime; make it with web.app.create_app"
        raise TypeError(message)
    return found
