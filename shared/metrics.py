"""What is counted where work is done, and read where it is asked for (`GET /metrics`).

Workers live in many processes on many hosts, and come and go. So they add to one hash in Redis, and
whichever front is asked reads the sums: they outlive every process, and there is one place to ask.
Emptying Redis begins them anew, which Prometheus expects of counters. What is true now, such as who
waits, is not counted but asked of the rows.
"""

import bisect
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError
from shared.schemas.jobs import JobKind, JobRecord, JobState

_HASH: Final = "toile:metrics"
_SUM: Final = "sum"

_TO_AN_HOUR: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_IMAGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Measure:
    """Something that is counted; with bounds, in a histogram.

    Attributes:
        name: as Prometheus knows it, without `_total`.
        about: what it says, in a sentence.
        labels: what it is told apart by; each has few values.
        bounds: upper ends of a histogram's buckets.
    """

    name: str
    about: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


JOBS: Final = Measure("toile_jobs", "Jobs that ended.", ("kind", "state", "reason"))
ATTEMPTS: Final = Measure(
    "toile_attempts", "Tries at jobs, by how they ended.", ("kind", "outcome")
)
JOB_WAIT: Final = Measure(
    "toile_job_wait_seconds", "From submit to the first start.", ("kind",), _TO_AN_HOUR
)
JOB_RUN: Final = Measure(
    "toile_job_run_seconds", "From the first start to the end.", ("kind",), (*_TO_AN_HOUR, 14_400)
)
BATCH_IMAGES: Final = Measure("toile_batch_images", "Images in a forward pass.", (), _IMAGES)
BATCH_JOBS: Final = Measure("toile_batch_jobs", "Jobs in a forward pass.", (), _IMAGES)
BATCH_SECONDS: Final = Measure(
    "toile_batch_seconds", "What a forward pass took on the device.", (), _TO_AN_HOUR[:10]
)
DEVICE_SECONDS: Final = Measure(
    "toile_device_busy_seconds", "Seconds in which devices worked.", ("work",)
)
TRAINING_IMAGES: Final = Measure("toile_training_images", "Garments shown in trainings.")

COUNTED: Final = (
    JOBS, ATTEMPTS, JOB_WAIT, JOB_RUN, BATCH_IMAGES, BATCH_JOBS, BATCH_SECONDS, DEVICE_SECONDS,
    TRAINING_IMAGES,
)  # fmt: skip


class Tally:
    """What is to be added, gathered so that it is sent at once."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, ...], float] = {}

    def add(self, measure: Measure, amount: float, *labels: str) -> None:
        """Add to a counter. An amount that is no finite number is left out."""
        if math.isfinite(amount) and amount >= 0:
            self._add(_field(measure, labels), amount)

    def observe(self, measure: Measure, value: float, *labels: str) -> None:
        """Note one value of a histogram."""
        if not math.isfinite(value):
            return
        value = max(value, 0.0)  # clocks of two hosts
        place = bisect.bisect_left(measure.bounds, value)
        bound = "+Inf" if place == len(measure.bounds) else f"{measure.bounds[place]:g}"
        self._add(_field(measure, labels, bound), 1)
        self._add(_field(measure, labels, _SUM), value)

    def ended(self, job: JobRecord, state: JobState, reason: str | None, at: float) -> None:
        """Note that a job ended.

        Args:
            job: as it was claimed, or later.
            state: how it ended.
            reason: why, beyond the state.
            at: when, Unix time.
        """
        self.add(JOBS, 1, job.kind.value, state.value, reason or "")
        if job.started_at is not None:
            started = job.started_at.timestamp()
            self.add(ATTEMPTS, 1, job.kind.value, state.value)
            self.observe(JOB_WAIT, started - job.created_at.timestamp(), job.kind.value)
            self.observe(JOB_RUN, at - started, job.kind.value)

    def tried(self, kind: JobKind, outcome: str) -> None:
        """Note that an attempt ended and its job did not."""
        self.add(ATTEMPTS, 1, kind.value, outcome)

    def _add(self, name: tuple[str, ...], amount: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + amount


class Counters:
    """The sums in Redis. A courtesy: what is added while Redis is away is not counted."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def send(self, tally: Tally) -> bool:
        """Add a tally; returns whether Redis took it."""
        if not tally.sums:
            return True
        pipeline = self._redis.pipeline(transaction=False)
        add_by(pipeline, tally)
        try:
            pipeline.execute()
        except RedisError:
            return False
        return True

    def read(self) -> list[Metric]:
        """Return all that was counted, in Prometheus' terms.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        try:
            found: Any = self._redis.hgetall(_HASH)
        except RedisError as error:
            raise QueueUnavailableError("Redis does not answer, so nothing is counted.") from error
        sums = {tuple(json.loads(name)): float(value) for name, value in found.items()}
        return [_family(measure, sums) for measure in COUNTED]


def add_by(pipeline: Pipeline, tally: Tally) -> None:
    """Add a tally by a pipeline that carries more than that."""
    for name, amount in tally.sums.items():
        pipeline.hincrbyfloat(_HASH, _written(name), amount)


@lru_cache(maxsize=1024)  # names come again and again, and labels have few values
def _written(name: tuple[str, ...]) -> str:
    return json.dumps(name)


def _family(measure: Measure, sums: Mapping[tuple[str, ...], float]) -> Metric:
    ours = {name[1:]: value for name, value in sums.items() if name[0] == measure.name}
    if not measure.bounds:
        counter = CounterMetricFamily(measure.name, measure.about, labels=measure.labels)
        for labels, value in sorted(ours.items()):
            if len(labels) == len(measure.labels):
                counter.add_metric(labels, value)
        return counter
    histogram = HistogramMetricFamily(measure.name, measure.about, labels=measure.labels)
    for labels in sorted({name[:-1] for name in ours if len(name) == len(measure.labels) + 1}):
        found = {name[-1]: value for name, value in ours.items() if name[:-1] == labels}
        histogram.add_metric(labels, list(_buckets(measure, found)), sum_value=found.get(_SUM, 0.0))
    return histogram


def _buckets(measure: Measure, found: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield upper ends and how many lie below; each value was counted in one bucket alone."""
    below = 0.0
    for bound in [*(f"{one:g}" for one in measure.bounds), "+Inf"]:
        below += found.get(bound, 0.0)
        yield bound, below


def _field(measure: Measure, labels: Sequence[str], *more: str) -> tuple[str, ...]:
    if len(labels) != len(measure.labels):
        message = f"{measure.name} is told apart by {measure.labels}, and {labels} were given"
        raise ValueError(message)
    return (measure.name, *labels, *more)
