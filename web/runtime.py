"""What a web process holds: settings and the ways out. It hangs on the app; nothing is global."""

import threading
from dataclasses import dataclass
from functools import partial
from typing import Final

from flask import current_app
from prometheus_client import CollectorRegistry, ProcessCollector
from redis import Redis

from shared.artifacts import ArtifactStore
from shared.jobs.view import view_now
from shared.keeping.opening import open_checked
from shared.keeping.room import Room
from shared.metrics import Counters
from shared.provenance.signing import Signing
from shared.queue.allowances import Allowances
from shared.queue.connection import connect, connect_quickly
from shared.queue.events import News
from shared.queue.pace import Paces
from shared.queue.presence import Presence
from shared.queue.sender import Sender
from shared.queue.status import StatusBoard
from shared.records import Records
from shared.settings import Settings
from web.admission import Admission
from web.endings import Endings
from web.galleries import Galleries
from web.gauges import Gauges
from web.guesses import Guesses
from web.keyring import KeyRing
from web.labels import DerivedLabels
from web.limits import Limits
from web.links import Links
from web.observing import Requests
from web.sessions import Sessions
from web.sockets import Sockets
from web.streams import Streams
from web.uses import Uses
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
    uses: Uses
    sessions: Sessions
    endings: Endings
    waiting: threading.BoundedSemaphore
    looking: threading.BoundedSemaphore
    signing: Signing
    news: News
    streams: Streams
    sockets: Sockets
    counters: Counters
    registry: CollectorRegistry
    requests: Requests
    room: Room
    limits: Limits
    guesses: Guesses
    links: Links
    variants: Variants
    quick: Redis

    def close(self) -> None:
        """Close all connections."""
        self.uses.close()
        self.streams.stop()
        self.records.close()
        self.redis.close()
        self.quick.close()


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
    uses = Uses(opened)
    kept = store or open_checked(settings, opened)
    sending = sender or Sender.from_settings(settings)
    opened.on_announced = sending.hint_webhooks
    quick = connect_quickly(settings)
    allowances = Allowances(quick)
    limits = Limits(settings, opened, allowances)
    presence = Presence(redis, seconds=settings.worker_grace_seconds)
    registry, counters = CollectorRegistry(), Counters(redis)
    ProcessCollector(registry=registry)
    shown, paces, news = board or StatusBoard(redis), Paces(redis), News(redis)
    tell = partial(view_now, opened, board=shown, paces=paces)
    streams = Streams(opened, news, tell=tell, limit=settings.stream_limit)
    Gauges(opened, counters, presence, streams).register(registry)
    return Runtime(
        settings=settings,
        records=opened,
        store=kept,
        sender=sending,
        board=shown,
        paces=paces,
        admission=Admission(settings, opened, presence, limits),
        galleries=Galleries(kept, memory=settings.galleries_memory),
        labels=DerivedLabels(kept, memory=settings.galleries_memory // 4),
        redis=redis,
        keys=KeyRing(opened, on_use=uses.note),
        uses=uses,
        sessions=Sessions(settings),
        endings=Endings(opened),
        waiting=threading.BoundedSemaphore(max(1, int(settings.web_threads * _WAITING_SHARE))),
        looking=threading.BoundedSemaphore(_LOOKING),
        signing=Signing(settings),
        news=news,
        streams=streams,
        sockets=Sockets(),
        counters=counters,
        registry=registry,
        requests=Requests(registry),
        room=Room.of(settings),
        limits=limits,
        guesses=Guesses(allowances, a_minute=settings.guess_limit),
        links=Links(settings),
        variants=Variants(memory=settings.variants_memory),
        quick=quick,
    )


def runtime() -> Runtime:
    """Return the runtime of the app that serves this request."""
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Runtime):
        message = f"the app carries {found!r} as its runtime; make it with web.app.create_app"
        raise TypeError(message)
    return found
