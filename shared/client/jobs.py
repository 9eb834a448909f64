"""Jobs: following them to their end."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx

from shared.client.calls import PAGE, Calls, part_of
from shared.client.events import MEDIA_TYPE, Event, parse
from shared.client.failures import ApiError, UnreachableError
from shared.client.http import Request
from shared.errors import ConflictError
from shared.schemas.jobs import Job, Progress

_POLL_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 1.0  # how old the progress that is shown may get
_SILENCE_SECONDS: Final = 40.0
_MARGIN_SECONDS: Final = 30.0  # how much later than asked a long poll may be answered


class NotFinishedError(ConflictError):
    """A job was not over when the time to wait for it was."""

    reason = "not_finished"
    retryable = True


class JobCalls(Calls):
    """Jobs: following them to their end."""

    def jobs(
        self, *, kind: str | None = None, state: str | None = None, limit: int = 20
    ) -> list[Job]:
        """Return the newest jobs."""
        query = {"kind": kind, "state": state}
        found: list[Job] = []
        for job in self._every("/v1/jobs", Job, query=query, page=min(limit, PAGE)):
            found.append(job)
            if len(found) >= limit:
                break
        return found

    def job(self, job_id: str, *, wait: float = 0) -> Job:
        """Return a job; with `wait`, once it is over or after so many seconds."""
        query = {"wait": f"{wait:g}"} if wait else {}
        path = f"/v1/jobs/{part_of(job_id)}"
        return self._read(Request("GET", path, query=query, seconds=wait + _MARGIN_SECONDS), Job)

    def events(self, job_id: str, *, patience: float = _SILENCE_SECONDS) -> Iterator[Event]:
        """Yield what happens to a job, as it happens, up to its end.

        A stream that breaks is taken up where it was.

        Args:
            job_id: the job.
            patience: seconds of silence after which the server counts as gone; it says something
                every 15.

        Raises:
            ApiError: the server refuses: it has no room, or is too old to know of events.
            UnreachableError: the stream broke, and nothing new came before it broke again.
        """
        last = ""
        while True:
            before = last
            try:
                for event in self._events(job_id, last, patience):
                    last = event.id
                    yield event
                    if event.name == "end":
                        return
            except UnreachableError:
                if last == before:
                    raise
            else:
                if last == before:
                    return  # nothing is told, or somebody in between answers
                time.sleep(_WATCH_SECONDS)  # a server that stops ends its streams

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[Job], None] | None = None,
    ) -> Job:
        """Return a job once it is over, however it ended.

        Args:
            job_id: the job.
            timeout: seconds after which to give up; None waits for ever.
            on_progress: called with the job about once a second, and once when it is over.

        Raises:
            NotFinishedError: the time is over and the job is not.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if on_progress is not None:
            followed = self._followed(job_id, deadline, on_progress)
            if followed is not None:
                return followed
        turn = _POLL_SECONDS if on_progress is None else _WATCH_SECONDS
        while True:
            left = turn if deadline is None else deadline - time.monotonic()
            asked = time.monotonic()
            job = self.job(job_id, wait=max(0.0, min(turn, left)))
            if on_progress is not None:
                on_progress(job)
            if job.state.is_final:
                return job
            if deadline is not None and time.monotonic() >= deadline:
                raise NotFinishedError(
                    f"{job.kind} job {job.id} is {job.state} after {timeout:g} s; it goes on. "
                    f"`toile jobs wait {job.id}` waits for it.",
                    job=job.id,
                )
            if time.monotonic() - asked < _WATCH_SECONDS / 2:
                time.sleep(_WATCH_SECONDS / 2)  # a busy server answers at once

    def cancel(self, job_id: str) -> Job:
        """Cancel a job, or ask its worker to stop."""
        return self._post(f"/v1/jobs/{part_of(job_id)}/cancel", Job)

    def retry(self, job_id: str) -> Job:
        """Make a new job of one that failed or was cancelled."""
        return self._post(f"/v1/jobs/{part_of(job_id)}/retry", Job)

    def preview(self, job_id: str) -> bytes | None:
        """Return the newest sample grid of a running training, PNG, or None before the first."""
        try:
            return self.read(f"/v1/jobs/{part_of(job_id)}/preview")
        except ApiError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def _events(self, job_id: str, last: str, patience: float) -> Iterator[Event]:
        headers = {"Accept": MEDIA_TYPE, **({"Last-Event-ID": last} if last else {})}
        path = f"/v1/jobs/{part_of(job_id)}/events"
        with self._http.once(Request("GET", path, headers=headers, seconds=patience)) as answer:
            yield from parse(answer.iter_lines())

    def _followed(
        self, job_id: str, deadline: float | None, on_progress: Callable[[Job], None]
    ) -> Job | None:
        """Return a job once it is over, by its events; None where polls must do."""
        left = math.inf if deadline is None else deadline - time.monotonic()
        now: Job | None = None
        told_at = -math.inf
        try:
            for event in self.events(job_id, patience=max(0.1, min(_SILENCE_SECONDS, left))):
                if isinstance(event.told, Job):
                    now, told_at = event.told, -math.inf
                elif isinstance(event.told, Progress) and now is not None:
                    now = now.model_copy(update={"progress": event.told})
                if now is not None and time.monotonic() - told_at >= _WATCH_SECONDS / 2:
                    told_at = time.monotonic()
                    on_progress(now)
                if now is not None and now.state.is_final:
                    return now
                if deadline is not None and time.monotonic() >= deadline:
                    return None
        except (ApiError, UnreachableError):
            return None
        return None
