"""Publishing batches of designs while the device makes the next one."""

import logging
import queue
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from shared import ids
from shared.artifacts import keys
from shared.errors import StoreUnavailableError
from shared.jobs import lifecycle
from shared.jobs.ends import LeaseLostError
from shared.metrics import BATCH_IMAGES, BATCH_JOBS, BATCH_SECONDS, DEVICE_SECONDS, Tally
from shared.queue.pace import Pace
from shared.records import designs, usage
from shared.schemas.jobs import DesignSpec, JobRecord, JobState
from worker.attempt import CancelledError, end_badly
from worker.designs.batch import Member, is_out_of_memory
from worker.designs.encoding import Made, encoded, hashes_of
from worker.heartbeat import Heartbeat
from worker.jobs import spans
from worker.jobs.design_rows import result_of, row_of
from worker.jobs.metering import used_by
from worker.jobs.spans import Pass
from worker.outgrown import put_back_apart
from worker.patience import until_back
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

_ENCODERS: Final = 4
_WORTH_A_THREAD: Final = 2**19
"""Bytes of pixels: threads that encode small pictures wait for each other's interpreter."""


@dataclass(frozen=True)
class Batch:
    """What the device made for some jobs.

    Attributes:
        release_id: the release that made it.
        jobs: as they were claimed.
        members: one a job, in the same order.
        seconds: what the device took.
        encoder: whose embeddings the designs carry, or None.
        trace: `traceparent` of its span, where traces are kept.
        began: when the device began, Unix time.
    """

    release_id: str
    jobs: Sequence[JobRecord]
    members: Sequence[Member]
    seconds: float
    encoder: str | None = None
    trace: str | None = None
    began: float = 0.0

    @property
    def drawn(self) -> int:
        """Images that the device made, those that are not shown too."""
        return sum(len(member.drawn) for member in self.members)


@dataclass(frozen=True)
class _Stored:
    """A batch whose pictures are in the store, and of which no row tells yet.

    Attributes:
        batch: what the device made.
        made: one a job: its pictures, or why there are none.
        good: the jobs that have pictures, each with its spec and its pictures.
        rows: the designs' columns of all of these.
        since: when it was begun, Unix time.
    """

    batch: Batch
    made: Sequence[Made]
    good: Sequence[tuple[JobRecord, DesignSpec, Made]]
    rows: Sequence[dict[str, Any]]
    since: float


class Publisher:
    """Encodes, stores and publishes batches in their order, behind the device.

    In two threads, one behind the other: while the disk keeps the rows of one batch, the pictures
    of the next are encoded and stored. Both wait for the disk more than they work.

    Whatever happens to a member ends as a state of its job; nothing that a batch raises stops the
    next one.
    """

    def __init__(self, runtime: Runtime, heartbeat: Heartbeat) -> None:
        self._runtime = runtime
        self._heartbeat = heartbeat
        # One waits while one is stored: a device that is faster than the disk must wait too.
        self._queue: queue.Queue[Batch | None] = queue.Queue(maxsize=1)
        self._stored: queue.Queue[_Stored | None] = queue.Queue(maxsize=1)
        self._caught_up = threading.Event()
        self._caught_up.set()
        self._threads = [
            threading.Thread(target=self._store_all, name="storer", daemon=True),
            threading.Thread(target=self._end_all, name="publisher", daemon=True),
        ]
        self._encoders = ThreadPoolExecutor(_ENCODERS, thread_name_prefix="encoder")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._encoders.shutdown()

    def is_behind(self) -> bool:
        """Return whether a made batch waits for another to be published."""
        return not self._caught_up.is_set()

    def catch_up(self) -> None:
        """Return once no made batch waits for another to be published.

        What is claimed earlier than that is made no sooner, and closed to an urgent job.
        """
        self._caught_up.wait()

    def settle(self) -> None:
        """Return once all that was handed over is published, and no job of it is held."""
        self._queue.join()

    def publish(self, batch: Batch) -> None:
        """Hand a batch over; waits while another one waits."""
        self._caught_up.wait()
        self._caught_up.clear()
        self._queue.put(batch)

    def _store_all(self) -> None:
        while (batch := self._queue.get()) is not None:
            self._caught_up.set()
            try:
                stored = self._store(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, each member must end
                end_batch_badly(self._runtime, batch.jobs, error)
                self._let_go(batch)
            else:
                # Not more than one lies between the device and its end.
                self._stored.join()
                self._stored.put(stored)
        self._stored.put(None)

    def _end_all(self) -> None:
        while (stored := self._stored.get()) is not None:
            try:
                self._end(stored)
            except Exception as error:  # noqa: BLE001 - whatever it is, each member must end
                end_batch_badly(self._runtime, stored.batch.jobs, error)
            finally:
                self._stored.task_done()
                self._let_go(stored.batch)

    def _let_go(self, batch: Batch) -> None:
        self._heartbeat.let_go(batch.jobs)
        self._queue.task_done()

    def _store(self, batch: Batch) -> _Stored:
        """Encode a batch's pictures and store them."""
        since = time.time()
        made = self._encoded(batch)
        good = [
            (job, member.spec, one)
            for job, member, one in zip(batch.jobs, batch.members, made, strict=True)
            if one.error is None
        ]
        packed = [row for together in _packs(good) for row in self._store_pack(together)]
        rows = [{**row, "encoder": batch.encoder if row["embedding"] else None} for row in packed]
        return _Stored(batch, made, good, rows, since)

    def _end(self, stored: _Stored) -> None:
        """End a batch's jobs, each in its way, and tell of them."""
        batch, made = stored.batch, stored.made
        failed = [(job, one.error) for job, one in zip(batch.jobs, made, strict=True) if one.error]
        published = self._write(stored)
        for job, cause in failed:
            end_badly(self._runtime, job, cause)
        images = sum(len(one.pictures) for one in made)
        whose = {
            "jobs": [job.id for job in batch.jobs],
            "requests": sorted({job.request_id for job in batch.jobs if job.request_id}),
        }
        told = (images, len(batch.jobs), batch.release_id)
        LOG.info("Made %d images for %d jobs of %s", *told, extra=whose)
        times = Pass(
            batch.trace, batch.began, batch.began + batch.seconds, stored.since, time.time()
        )
        spans.tell(
            batch.jobs, times, lease=self._runtime.lease, published=published,
            failed={job.id: str(cause) or type(cause).__name__ for job, cause in failed},
        )  # fmt: skip
        if drawn := batch.drawn:
            pace = Pace(seconds=batch.seconds, images=drawn, at=time.time())
            self._runtime.paces.note(batch.release_id, pace)

    def _encoded(self, batch: Batch) -> list[Made]:
        """Encode, large pictures in a few threads, each with a part of the batch."""
        pairs = list(zip(batch.jobs, batch.members, strict=True))
        pixels = sum(one.pixels.nbytes for member in batch.members for one in member.drawn)
        threads = min(_ENCODERS, 1 + pixels // _WORTH_A_THREAD)
        if threads == 1:
            return self._encode_part(pairs)
        parts = [pairs[place::threads] for place in range(threads)]
        made: list[Made] = [Made()] * len(pairs)
        for place, part in enumerate(self._encoders.map(self._encode_part, parts)):
            made[place::threads] = part
        return made

    def _encode_part(self, part: Sequence[tuple[JobRecord, Member]]) -> list[Made]:
        return [self._encode(job, member) for job, member in part]

    def _encode(self, job: JobRecord, member: Member) -> Made:
        if self._heartbeat.has_lost(job.id):
            return Made(error=LeaseLostError(f"Job {job.id} is over, or another's.", id=job.id))
        if self._heartbeat.is_cancelled(job.id):
            return Made(error=CancelledError())
        return encoded(member)

    def _write(self, stored: _Stored) -> frozenset[str]:
        """Publish all that is still held in one transaction, and tell.

        Returns:
            The jobs that succeeded, by id.
        """
        batch, rows, good = stored.batch, stored.rows, stored.good
        if not good:
            self._runtime.counters.send(_counted(batch))
            return frozenset()
        by_job: dict[str, list[dict[str, Any]]] = {job.id: [] for job, _, _ in good}
        for row in rows:
            by_job[row["job_id"]].append(row)
        results = [(job, result_of(spec, made, by_job[job.id])) for job, spec, made in good]

        def publish() -> frozenset[str]:
            with self._runtime.records.transaction() as tx:
                ended = lifecycle.finish_all(tx, results)
                published = [row for row in rows if row["job_id"] in ended]
                designs.publish(tx, published)
                made_for = [row["job_id"] for row in published]
                took = batch.seconds
                usage.add(tx, used_by(batch.jobs, seconds=took, ended=ended, designs=made_for))
            return ended

        ended = until_back(publish)
        succeeded = [job for job, _ in results if job.id in ended]
        self._runtime.end(succeeded, JobState.SUCCEEDED, beside=_counted(batch))
        for job, _ in results:
            if job.id not in ended:
                LOG.warning(
                    "Nothing written for %s: it was cancelled, is over, or another worker's", job.id
                )
        kept = {row["artifact"] for row in rows if row["job_id"] in ended}
        self._forget({row["artifact"] for row in rows} - kept)
        return ended

    def _forget(self, packs: Collection[str]) -> None:
        """Delete the packs that no row came to point at: an erased shopper's must not be left."""
        try:
            for key in packs:
                self._runtime.store.delete(key)
        except StoreUnavailableError as error:
            LOG.warning("Packs that nobody points at are left in the store: %s", error)

    def _store_pack(
        self, packed: Sequence[tuple[JobRecord, DesignSpec, Made]]
    ) -> list[dict[str, Any]]:
        pictures = [picture for _, _, made in packed for picture in made.pictures]
        key = keys.designs(ids.new_id(ids.PACK))
        artifact = self._runtime.store.put(key, b"".join(one.data for one in pictures))
        rows, start, hashes = [], 0, iter(hashes_of(pictures))
        for job, spec, made in packed:
            for position, picture in enumerate(made.pictures):
                row = row_of(job, spec, picture, artifact, position=position, start=start)
                rows.append({**row, "perceptual_hash": next(hashes)})
                start += len(picture.data)
        return rows


def _counted(batch: Batch) -> Tally:
    """Return what a pass adds to the metrics."""
    tally = Tally()
    tally.observe(BATCH_IMAGES, batch.drawn)
    tally.observe(BATCH_JOBS, len(batch.jobs))
    tally.observe(BATCH_SECONDS, batch.seconds)
    tally.add(DEVICE_SECONDS, batch.seconds, "designs")
    return tally


def end_batch_badly(runtime: Runtime, batch: Sequence[JobRecord], error: Exception) -> None:
    """Turn what a whole batch raised into its jobs' states.

    Where there was too little memory for all of them, each is tried alone: one may be to blame.
    Nothing is raised: a publishing thread that ended here would be waited for for ever.
    """
    if len(batch) > 1 and is_out_of_memory(error):
        most = runtime.settings.max_attempts
        with _held_by_its_lease(batch):
            put_back_apart(runtime.records, runtime.sender, batch, max_attempts=most)
        return
    for job in batch:
        with _held_by_its_lease([job]):
            end_badly(runtime, job, error)


@contextmanager
def _held_by_its_lease(jobs: Sequence[JobRecord]) -> Iterator[None]:
    """Leave jobs whose end cannot be written to their leases, and the others to theirs."""
    try:
        yield
    except Exception:
        told = ", ".join(job.id for job in jobs)
        LOG.exception("How %s ended cannot be written; it is tried again after its lease", told)


def _packs(
    good: Sequence[tuple[JobRecord, DesignSpec, Made]],
) -> list[list[tuple[JobRecord, DesignSpec, Made]]]:
    """Put a batch's pictures together, so that one flush of the disk keeps them all.

    A shopper's lie by themselves, so that they can be erased.
    """
    together = [one for one in good if one[0].shopper_id is None]
    own = [[one] for one in good if one[0].shopper_id is not None]
    return [*([together] if together else []), *own]
