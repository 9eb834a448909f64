"""The verbs of the API as methods: schemas go in and come out."""

from datetime import date

import httpx

from shared.client.catalogs import CatalogCalls
from shared.client.designs import DesignCalls
from shared.client.failures import ApiError
from shared.client.http import Request
from shared.client.jobs import JobCalls, NotFinishedError
from shared.client.models import ModelCalls
from shared.client.shoppers import ShopperCalls
from shared.client.trends import TrendCalls
from shared.client.webhooks import Webhooks
from shared.schemas.health import Readiness
from shared.schemas.jobs import Job, JobState
from shared.schemas.usage import Usage

__all__ = ["Client", "NotFinishedError", "ended_well"]


class Client(CatalogCalls, JobCalls, ModelCalls, DesignCalls, TrendCalls, ShopperCalls):
    """A site's way to its Toile.

    Every request that changes something carries an idempotency key, so that it is sent again
    without harm when a connection breaks.

    Args:
        url: the server's address, such as ``http://127.0.0.1:8000``.
        key: an API key of the site.
        transport: what carries the requests, where not the network; for tests.
        options: see `Http`.
    """

    def readiness(self) -> Readiness:
        """Return what the server can do just now; needs no key."""
        return self._get("/readyz", Readiness)

    def usage(self, *, first: date | None = None, last: date | None = None) -> Usage:
        """Return what the site used, by day; unset, of the last 30 days."""
        query = {"from": first, "to": last}
        told = {name: day.isoformat() for name, day in query.items() if day is not None}
        return self._read(Request("GET", "/v1/usage", query=told), Usage)

    @property
    def webhooks(self) -> Webhooks:
        """The site's webhooks."""
        return Webhooks(self._http)


def ended_well(job: Job) -> Job:
    """Return the job if it succeeded.

    Raises:
        ApiError: it failed or was cancelled.
    """
    if job.state is JobState.SUCCEEDED:
        return job
    reason = job.error.reason if job.error else (job.reason or job.state.value)
    message = job.error.message if job.error else f"it was {job.state}"
    raise ApiError(
        httpx.codes.CONFLICT,
        reason,
        f"The {job.kind} job {job.id} ended as {job.state}: {message}",
        details=job.error.details if job.error else {},
    )
