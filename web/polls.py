"""Status polls, answered before Flask: the question that is asked most, a thousand times a second.

Flask, its request objects and its routing take two thirds of what a poll costs. Here only the plain
case is answered: a GET of a job by its id, with a secret key in the header that may read, that
finds it. Whatever else comes (no key, a wrong one, one that may not read, a browser's, another
site's job, `?wait=`, an error) goes the usual way, which words all answers. Both ways give the same
bytes and the same headers.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from shared import ids
from shared.errors import ToileError
from shared.jobs.view import view_now
from shared.logging import note_site
from shared.records import jobs
from shared.schemas.jobs import Job, JobRecord
from shared.schemas.keys import Scope
from web.answers import SECURE
from web.cors import VARY
from web.limits import Counted
from web.observing import REQUEST_ID, ROUTE
from web.runtime import Runtime

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

# The front's own log, so that both ways write the same line.
LOG: Final = logging.getLogger("web.app")

_PATH: Final = re.compile(rf"/v1/jobs/({ids.JOB}_[0-9a-z]{{24}})")
_ROUTE: Final = "/v1/jobs/<job>"
_SCHEME: Final = "bearer "
# A body, or what a browser sends: neither is plain.
_NOT_PLAIN: Final = frozenset(
    {"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_ORIGIN", "HTTP_X_TOILE_KEY"}
)

Environ = dict[str, Any]
Wsgi = Callable[[Environ, "StartResponse"], Iterable[bytes]]


class Polls:
    """A WSGI application before another one.

    Args:
        usual: answers all else.
        runtime: where keys and jobs are found.
    """

    def __init__(self, usual: Wsgi, runtime: Runtime) -> None:
        self._usual = usual
        self._runtime = runtime

    def __call__(self, environ: Environ, start: "StartResponse") -> Iterable[bytes]:
        """Answer a plain poll here, and all else the usual way."""
        began = time.monotonic()
        found = self._found(environ)
        if found is None:
            return self._usual(environ, start)
        job, counted = found
        body = job.model_dump_json().encode()
        request_id = environ[REQUEST_ID]
        environ[ROUTE] = _ROUTE
        headers = [
            ("Content-Type", "application/json"), ("Content-Length", str(len(body))),
            ("X-Request-Id", request_id), *SECURE.items(), ("Cache-Control", "no-store"),
            ("Vary", VARY), *(() if counted is None else counted.headers),
        ]  # fmt: skip
        start("200 OK", headers)
        took = 1000 * (time.monotonic() - began)
        noted = {"route": _ROUTE, "status": 200, "ms": round(took, 1)}
        LOG.info("%s %s %d %.0f ms", "GET", environ["PATH_INFO"], 200, took, extra=noted)
        return [body]

    def _found(self, environ: Environ) -> tuple[Job, Counted | None] | None:
        """Return what a plain poll asks for, or None where this is none or does not find it."""
        if environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING"):
            return None
        path = _PATH.fullmatch(environ["PATH_INFO"])
        header = environ.get("HTTP_AUTHORIZATION", "")
        if path is None or header[: len(_SCHEME)].lower() != _SCHEME or _NOT_PLAIN & environ.keys():
            return None
        here = self._runtime
        try:
            key = here.keys.by_secret(header[len(_SCHEME) :].strip())
            if key is None or key.publishable or Scope.READ not in key.scopes:
                return None
            note_site(key.site_id)
            counted = here.limits.poll(key.site_id)
            if counted is not None and counted.is_refused:
                return None
            job = jobs.find(here.records, path[1], site_id=key.site_id)
            return told(here, job), counted
        except ToileError:
            return None


def told(here: Runtime, job: JobRecord) -> Job:
    """Return what a caller is told of a job now."""
    return view_now(here.records, job, here.board, here.paces)
