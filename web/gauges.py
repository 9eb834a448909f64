"""What is true now, as `/metrics` tells it: queues, workers, and whether the parts answer."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.clock import utc_now
from shared.errors import DatabaseUnavailableError, QueueUnavailableError
from shared.metrics import Counters
from shared.queue.names import Queue
from shared.queue.presence import Presence
from shared.records import Records, queues
from web.streams import Streams

_SITES: Final = 50
"""Sites that are named: each is a series for ever in whoever keeps them."""
_SECONDS: Final = 5.0
_SHARE: Final = 20
"""A look that takes long is made more seldom, so that it takes a twentieth of a core at most."""


class Gauges(Collector):
    """Tells what is true now, and what was counted; asked often, it looks every few seconds."""

    def __init__(
        self,
        records: Records,
        counters: Counters,
        presence: Presence,
        streams: Streams,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._counters = counters
        self._presence = presence
        self._streams = streams
        self._clock = clock
        self._lock = threading.Lock()
        self._known: list[Metric] = []
        self._until = -1.0

    def register(self, registry: CollectorRegistry) -> None:
        """Let a registry ask here. It does not ask at once: nothing may be there yet."""
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Name nothing: the registry would look everything up to know the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all, from a moment ago."""
        with self._lock:
            began = self._clock()
            if began >= self._until:
                self._known = [*self._rows(), *self._redis()]
                self._until = began + max(_SECONDS, _SHARE * (self._clock() - began))
            known = self._known
        yield from known
        told = GaugeMetricFamily("toile_open_streams", "Event streams open in this process.")
        told.add_metric([], self._streams.open_now)
        yield told

    def _rows(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("toile_queue_jobs", "Jobs that wait.", labels=["kind", "site"])
        oldest = GaugeMetricFamily(
            "toile_queue_oldest_seconds", "Age of the oldest job that waits.",
            labels=["kind", "site"],
        )  # fmt: skip
        running = GaugeMetricFamily("toile_running_jobs", "Jobs in work.", labels=["kind"])
        up = GaugeMetricFamily("toile_database_up", "Whether the database answers.")
        try:
            with self._records.reading() as tx:
                found, in_work = queues.depths(tx, sites=_SITES), queues.running(tx)
        except DatabaseUnavailableError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        now = utc_now()
        for one in found:
            jobs.add_metric([one.kind.value, one.site], one.jobs)
            age = max(0.0, (now - one.since).total_seconds())
            oldest.add_metric([one.kind.value, one.site], age)
        for kind, number in in_work.items():
            running.add_metric([kind.value], number)
        yield from (up, jobs, oldest, running)

    def _redis(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("toile_redis_up", "Whether Redis answers.")
        workers = GaugeMetricFamily(
            "toile_workers", "Workers that take work from a queue.", labels=["queue"]
        )
        try:
            counted = self._counters.read()
            for queue in Queue:
                workers.add_metric([queue.value], len(self._presence.serving(queue)))
        except QueueUnavailableError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield from (up, workers, *counted)
