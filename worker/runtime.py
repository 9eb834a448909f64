"""What a worker process holds: the settings and the ways out, opened after the fork."""

import multiprocessing
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis import Redis

from shared.artifacts import ArtifactStore, open_store
from shared.queue.connection import connect
from shared.queue.pace import Paces
from shared.queue.sender import Sender
from shared.queue.status import StatusBoard
from shared.records import Records
from shared.settings import Settings

# Made before the fork, so that the parent, which gets the SIGTERM, can tell its children.
DRAINING: Final = multiprocessing.get_context("fork").Event()


@dataclass(frozen=True)
class Runtime:
    """Everything that a job needs beyond its row."""

    settings: Settings
    records: Records
    store: ArtifactStore
    sender: Sender
    board: StatusBoard
    paces: Paces
    redis: Redis
    worker: str

    @property
    def lease(self) -> timedelta:
        """How long a claim holds without a heartbeat."""
        return timedelta(seconds=self.settings.lease_seconds)

    @property
    def first_delay(self) -> timedelta:
        """The pause before the second try at a job; it doubles with each."""
        return timedelta(seconds=self.settings.retry_delay_seconds)


def open_runtime(settings: Settings) -> Runtime:
    """Open the ways out. Call it in the process that works: connections do not survive a fork."""
    redis = connect(settings)
    return Runtime(
        settings=settings,
        records=Records(settings.database),
        store=open_store(settings),
        sender=Sender.from_settings(settings),
        board=StatusBoard(redis),
        paces=Paces(redis),
        redis=redis,
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )
