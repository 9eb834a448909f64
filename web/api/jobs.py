"""Jobs: what became of what was asked."""

import time
from typing import Final

from flask import Response
from pydantic import Field

from shared.artifacts import keys
from shared.errors import ConflictError, NotFoundError
from shared.jobs import lifecycle
from shared.jobs.view import view
from shared.metrics import Tally
from shared.records import Transaction, jobs
from shared.records.rows import Page
from shared.schemas.base import Schema
from shared.schemas.jobs import (
    SPEC,
    AttemptView,
    Job,
    JobKind,
    JobRecord,
    JobState,
    Spec,
)
from shared.schemas.keys import Scope
from shared.schemas.listing import Listing
from web import answers, auth
from web.accept import Promise, accept
from web.api.noun import FOR_SHOPPERS, ListQuery, accepted_job, binary, not_modified, noun, problems
from web.idempotency import Done, once
from web.polls import told
from web.runtime import runtime

api: Final = noun("jobs", "What was asked for, how far it is, and how it ended.")

# Each put-back takes a fence of its own, and only the newest attempts' grids are of interest.
_FENCES: Final = 16


class JobPath(Schema):
    """A job by id."""

    job: str = Field(description="Job id.")


class JobQuery(ListQuery):
    """Which jobs to list."""

    kind: JobKind | None = None
    state: JobState | None = None


class WaitQuery(Schema):
    """How long to wait for a job to end."""

    wait: float = Field(
        0,
        ge=0,
        le=86_400,
        description="Answer when the job is over, or after so many seconds, at most "
        "TOILE_LONG_POLL_LIMIT. A busy server may answer sooner; look at `state` and ask again.",
    )


class JobList(Listing[Job]):
    """A page of jobs."""


class AttemptList(Listing[AttemptView]):
    """All tries at a job."""


@api.get("/jobs", responses={"200": JobList})
def list_jobs(query: JobQuery) -> Response:
    """List the site's jobs, newest first."""
    here = runtime()
    with here.records.reading() as tx:
        page = jobs.page(
            tx,
            auth.site_id(),
            kind=query.kind,
            state=query.state,
            cursor=query.cursor,
            limit=query.limit,
        )
    return answers.listing(Page([view(job, here.board) for job in page.items], page.next_cursor))


@api.get("/jobs/<job>", responses={"200": Job}, security=FOR_SHOPPERS)
@auth.for_shoppers
def get_job(path: JobPath, query: WaitQuery) -> Response:
    """Read a job; with `?wait=30` the answer comes when it is over."""
    job = read_job(path.job)
    here = runtime()
    if query.wait and not job.state.is_final and here.waiting.acquire(blocking=False):
        try:
            here.endings.wait(job.id, min(query.wait, here.settings.long_poll_limit))
        finally:
            here.waiting.release()
        job = read_job(job.id)
    return answers.document(told(here, job))


@api.get("/jobs/<job>/attempts", responses={"200": AttemptList})
def list_attempts(path: JobPath) -> Response:
    """List the tries at a job, oldest first."""
    job = read_job(path.job)
    with runtime().records.reading() as tx:
        tries = jobs.attempts_at(tx, job.id)
    return answers.listing(Page(tries, None))


@api.post("/jobs/<job>/cancel", responses={"200": Job, **problems(409)})
@auth.needs(Scope.DESIGN, Scope.TRAIN)
def cancel_job(path: JobPath, header: Promise) -> Response:
    """Cancel a queued job, or ask the worker of a running one to stop.

    Who may ask for such a job may cancel it: designs need the scope `design`, all else `train`.
    """
    here = runtime()
    _may(read_job(path.job))

    ended: list[JobRecord] = []

    def effect(tx: Transaction) -> Done:
        job = lifecycle.request_cancel(tx, path.job, site_id=auth.site_id())
        if job.finished_at == tx.now:
            ended.append(job)
        return Done(answers.document(view(job, here.board)), job_id=job.id)

    answer = once(header, {}, effect)
    here.news.changed([path.job])
    for job in ended:  # a worker counts those that it stops
        tally = Tally()
        tally.ended(job, job.state, job.reason, time.time())
        here.counters.send(tally)
    return answer


@api.post("/jobs/<job>/retry", responses={"202": accepted_job(), **problems(409)})
@auth.needs(Scope.DESIGN, Scope.TRAIN)
def retry_job(path: JobPath, header: Promise) -> Response:
    """Ask again for what a failed or cancelled job was asked: a new job, the same spec."""
    job = _may(read_job(path.job))
    return accept(header, {}, lambda: _again(job))


@api.get("/jobs/<job>/preview", responses={"200": binary("image/png"), "304": not_modified()})
def get_preview(path: JobPath) -> Response:
    """Read the newest sample grid of a training, PNG."""
    job = read_job(path.job)
    store = runtime().store
    for fence in range(job.fence, max(job.fence - _FENCES, -1), -1):
        try:
            grid = store.read(keys.preview(job.id, fence))
        except FileNotFoundError:
            continue
        return answers.changing(grid, media_type="image/png")
    raise NotFoundError(f"Job {job.id} has shown no sample grid yet.", id=job.id)


def read_job(job_id: str) -> JobRecord:
    """Return a job that the caller may see.

    Raises:
        NotFoundError: it is another site's, or in a session another shopper's.
    """
    with runtime().records.glance() as tx:
        job = jobs.get(tx, job_id, site_id=auth.site_id())
    if not auth.owns(job.shopper_id):
        raise NotFoundError(f"There is no job {job_id!r}.", id=job_id)
    return job


def _may(job: JobRecord) -> JobRecord:
    """Return a job that the caller may change: one that they could have asked for."""
    auth.need(Scope.DESIGN if job.kind is JobKind.DESIGN else Scope.TRAIN)
    return job


def _again(job: JobRecord) -> Spec:
    if job.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise ConflictError(
            f"Job {job.id} is {job.state}; only a failed or cancelled one can be retried.",
            state=job.state,
        )
    return SPEC.validate_python(job.spec)
