"""What a worker process holds: the settings and the ways out, opened after the fork."""

import multiprocessing
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from shared import tracing
from shared.artifacts import ArtifactStore
from shared.keeping.opening import open_checked
from shared.metrics import Counters, Tally, add_by
from shared.queue.connection import connect
from shared.queue.events import News
from shared.queue.pace import Paces
from shared.queue.sender import Sender
from shared.queue.status import StatusBoard
from shared.records import Records
from shared.schemas.jobs import JobRecord, JobState
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
    def news(self) -> News:
        """Tells those who watch a job."""
        return News(self.redis)

    @property
    def counters(self) -> Counters:
        """Counts what was done."""
        return Counters(self.redis)

    def end(
        self,
        ended: Sequence[JobRecord],
        state: JobState,
        reason: str | None = None,
        *,
        beside: Tally | None = None,
    ) -> None:
        """Tell those who watch, and count, that jobs ended; call it once that is committed.

        Args:
            ended: the jobs, as they were claimed or later.
            state: how they ended.
            reason: why, beyond the state.
            beside: what else is to be counted.
        """
        tally, now = beside or Tally(), time.time()
        for job in ended:
            tally.ended(job, state, reason, now)
        self._tell(ended, tally)

    def put_back(self, back: JobRecord, reason: str) -> None:
        """Tell those who watch, and count, that an attempt ended and its job, mostly, did not."""
        if back.state.is_final:  # its caller had asked for it to stop
            self.end([back], back.state, back.reason)
            return
        tally = Tally()
        tally.tried(back.kind, reason)
        self._tell([back], tally)

    def _tell(self, changed: Sequence[JobRecord], tally: Tally) -> None:
        """Call and count in one round trip: a batch's end is waited for. Both are courtesies."""
        pipeline = self.redis.pipeline(transaction=False)
        News(pipeline).changed([job.id for job in changed])
        add_by(pipeline, tally)
        with suppress(RedisError):
            pipeline.execute()

    @property
    def first_delay(self) -> timedelta:
        """The pause before the second try at a job; it doubles with each."""
        return timedelta(seconds=self.settings.retry_delay_seconds)


def open_runtime(settings: Settings) -> Runtime:
    """Open the ways out. Call it in the process that works: connections do not survive a fork."""
    tracing.configure(settings, service="toile-worker")
    redis = connect(settings)
    records, sender = Records(settings.database), Sender.from_settings(settings)
    records.on_announced = sender.hint_webhooks
    return Runtime(
        settings=settings,
        records=records,
        store=open_checked(settings, records),
        sender=sender,
        board=StatusBoard(redis),
        paces=Paces(redis),
        redis=redis,
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )
