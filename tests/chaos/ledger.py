"""What clients were promised: each request that was accepted, under its idempotency key."""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx

_KIND_OF: Final = {
    "/v1/design-jobs": "design",
    "/v1/design-jobs/batch": "design",
    "/v1/training-jobs": "training",
    "/v1/trend-reports": "trend_report",
}


@dataclass
class Promise:
    """A request that was answered with 202 at least once.

    Attributes:
        kind: of its jobs.
        site: whose request it was.
        asked: the bodies, one a job.
        answers: the jobs that each 202 named, one answer a try.
    """

    kind: str
    site: str
    asked: Sequence[Mapping[str, Any]]
    answers: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def jobs(self) -> tuple[str, ...]:
        """The jobs as they were first named."""
        return self.answers[0]


class Ledger:
    """All promises of a run, by idempotency key; several clients write at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.promises: dict[str, Promise] = {}
        self.statuses: Counter[int] = Counter()
        self.lost_answers = 0
        self.broken = 0
        self.refusals: list[str] = []

    def accepted(self, key: str, promise: Promise, answer: tuple[str, ...]) -> None:
        """Keep that a request was accepted, and which jobs the answer named."""
        with self._lock:
            self.promises.setdefault(key, promise).answers.append(answer)

    def status(self, status: int) -> None:
        """Count an answer."""
        with self._lock:
            self.statuses[status] += 1

    def lost(self) -> None:
        """Count an answer that came and was kept from its client."""
        with self._lock:
            self.lost_answers += 1

    def broke(self) -> None:
        """Count a request that had no answer."""
        with self._lock:
            self.broken += 1

    def refused(self, told: str) -> None:
        """Keep what a client was told that is no answer to a sound request."""
        with self._lock:
            self.refusals.append(told)

    @property
    def accepted_by_kind(self) -> dict[str, int]:
        """How many jobs were promised, by kind."""
        with self._lock:
            counts: Counter[str] = Counter()
            for promise in self.promises.values():
                counts[promise.kind] += len(promise.jobs)
            return dict(counts)


class Witness(httpx.BaseTransport):
    """Carries a client's requests, writes down what was accepted, and loses some answers.

    A client whose answer is lost sends the same request under the same key again, as it does when
    a connection breaks after the server has committed.
    """

    def __init__(self, ledger: Ledger, site: str, *, loses: float, seed: int) -> None:
        self._ledger = ledger
        self._site = site
        self._loses = loses
        self._random = Random(seed)
        self._carrier = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on, and remember."""
        try:
            response = self._carrier.handle_request(request)
            response.read()
        except httpx.TransportError:
            self._ledger.broke()
            raise
        self._ledger.status(response.status_code)
        kind = _KIND_OF.get(request.url.path)
        if request.method == "POST" and kind and response.status_code == httpx.codes.ACCEPTED:
            self._accepted(request, response, kind)
            if self._random.random() < self._loses:
                self._ledger.lost()
                response.close()
                raise httpx.ReadError("The answer was lost on its way.", request=request)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._carrier.close()

    def _accepted(self, request: httpx.Request, response: httpx.Response, kind: str) -> None:
        body, answer = json.loads(request.content), json.loads(response.content)
        asked = body.get("requests", [body])
        made = answer.get("jobs", [answer])
        promise = Promise(kind, self._site, asked)
        key = request.headers["Idempotency-Key"]
        self._ledger.accepted(key, promise, tuple(job["id"] for job in made))
