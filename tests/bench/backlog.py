"""Rows that the serving benchmarks begin with, and what the rows tell afterwards."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import distinct, func, select

from shared import ids
from shared.artifacts import ArtifactStore, open_store
from shared.errors import NotFoundError
from shared.jobs.submit import Asked, Terms, submit_all
from shared.queue.sender import Sender
from shared.records import Records, models, sites
from shared.records.tables import DesignRow, JobRow, ReleaseRow
from shared.schemas.designs import ImageFormat, Priority
from shared.schemas.jobs import DesignSpec, JobRecord, JobState
from shared.settings import Settings
from tests.fixtures.rows import a_site, an_ingest_job

AT_ONCE = 1000
"""Jobs in one request, as many as the API takes."""


@dataclass(frozen=True)
class Backlog:
    """Ways in for one who submits without HTTP: the same functions that the front calls."""

    settings: Settings
    records: Records
    store: ArtifactStore
    sender: Sender

    def submit(
        self,
        site_id: str,
        release_id: str,
        *,
        jobs: int,
        count: int,
        size: int,
        priority: Priority = Priority.NORMAL,
    ) -> list[JobRecord]:
        """Submit jobs of `count` images each, a thousand at a time."""
        made: list[JobRecord] = []
        for start in range(0, jobs, AT_ONCE):
            asked = [
                Asked(_spec(release_id, count, size, place), Terms(priority=priority))
                for place in range(start, min(start + AT_ONCE, jobs))
            ]
            made += submit_all(self.records, self.sender, site_id, asked)
        return made

    def site_of(self, release_id: str) -> str:
        """Return whose a release is."""
        with self.records.reading() as tx:
            return tx.session.execute(
                select(ReleaseRow.site_id).where(ReleaseRow.id == release_id)
            ).scalar_one()

    def wait_until_over(self, release_id: str, *, seconds: float) -> None:
        """Return once no job of a release is open.

        Raises:
            TimeoutError: they took longer than that.
        """
        until = time.monotonic() + seconds
        open_ones = select(func.count()).where(
            JobRow.release_id == release_id,
            JobRow.state.in_([JobState.QUEUED, JobState.RUNNING]),
        )
        while time.monotonic() < until:
            with self.records.reading() as tx:
                if not tx.session.execute(open_ones).scalar_one():
                    return
            time.sleep(0.1)
        raise TimeoutError(f"Jobs of {release_id} were still open after {seconds:g} s.")

    def wait_for(self, job_id: str, *, seconds: float = 60) -> None:
        """Return once one job is over; looks every millisecond.

        Raises:
            TimeoutError: it took longer than that.
        """
        until = time.monotonic() + seconds
        state = select(JobRow.state).where(JobRow.id == job_id)
        with self.records.engine.connect() as connection:
            while time.monotonic() < until:
                with connection.begin():
                    found = connection.execute(state).scalar_one()
                if JobState(found).is_final:
                    return
                time.sleep(0.001)
        raise TimeoutError(f"{job_id} was not over after {seconds:g} s.")

    def told(self, release_id: str) -> dict[str, float]:
        """Return what the rows say of all jobs of a release, by the database's clock.

        Returns:
            jobs, images, batches, seconds from the first claim to the last end, and how many
            images a batch held on average. Where no job is a shopper's, a batch is one artifact.
        """
        times = select(
            func.count(), func.min(JobRow.started_at), func.max(JobRow.finished_at)
        ).where(JobRow.release_id == release_id, JobRow.state == JobState.SUCCEEDED)
        made = select(func.count(), func.count(distinct(DesignRow.artifact))).where(
            DesignRow.release_id == release_id
        )
        with self.records.reading() as tx:
            jobs, began, ended = tx.session.execute(times).one()
            images, batches = tx.session.execute(made).one()
        return {
            "jobs": jobs,
            "images": images,
            "batches": batches,
            "seconds": (ended - began).total_seconds() if began and ended else 0.0,
            "fill": images / max(batches, 1),
        }


@contextmanager
def opened(settings: Settings) -> Iterator[Backlog]:
    """Yield the ways in, closed with the block."""
    records = Records(settings.database)
    try:
        yield Backlog(settings, records, open_store(settings), Sender.from_settings(settings))
    finally:
        records.close()


def new_site(records: Records, name: str) -> str:
    """Return the id of a new site."""
    return a_site(records, name)


def site_named(records: Records, name: str) -> str:
    """Return the id of a site that is there.

    Raises:
        NotFoundError: there is none of that name.
    """
    with records.reading() as tx:
        found = sites.by_name(tx, name)
    if found is None:
        raise NotFoundError(f"There is no site {name!r}.")
    return found.id


def new_release(
    backlog: Backlog,
    site_id: str,
    files: Mapping[str, bytes],
    *,
    size: int,
    vocabulary: Mapping[str, Sequence[str]],
    channels: int = 3,
) -> str:
    """Return the id of a release of a model of its own, whose files are in the store."""
    release_id = ids.new_id(ids.RELEASE)
    job = an_ingest_job(backlog.records, site_id, catalog=f"for {release_id}")
    folder = f"releases/{job.id}/"
    for name, data in files.items():
        backlog.store.put(f"{folder}{name}", data)
    values: dict[str, Any] = {
        "job_id": job.id,
        "catalog_id": job.spec["catalog_id"],
        "catalog_version": 1,
        "size": size,
        "channels": channels,
        "vocabulary": {name: list(values) for name, values in vocabulary.items()},
        "card": {},
        "artifact": folder,
        "sha256": "0" * 64,
    }
    with backlog.records.transaction() as tx:
        models.publish(tx, site_id, model=release_id, release_id=release_id, values=values)
    return release_id


def _spec(release_id: str, count: int, size: int, place: int) -> DesignSpec:
    return DesignSpec(
        release_id=release_id,
        count=count,
        condition={},
        seed=place * count % 2**31,
        size=size,
        format=ImageFormat.PNG,
    )
