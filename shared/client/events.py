"""A job's events as a client reads them: lines of `text/event-stream` into schemas."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared.schemas.base import Schema
from shared.schemas.jobs import Job, Preview, Progress

MEDIA_TYPE: Final = "text/event-stream"
# What a newer server may tell besides is passed over.
_SCHEMAS: Final[dict[str, type[Schema]]] = {
    "state": Job, "end": Job, "progress": Progress, "preview": Preview,
}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        id: where to go on after it.
        name: `state`, `progress`, `preview` or `end`.
        told: the job, its progress, or its new sample grid.
    """

    id: str
    name: str
    told: Job | Progress | Preview


def parse(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events in the lines of a stream (HTML Living Standard, 9.2.6).

    Raises:
        ValidationError: an event does not hold what its name says.
    """
    fields: dict[str, list[str]] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        schema = _SCHEMAS.get(fields.get("event", [""])[-1])
        if schema is not None and "data" in fields:
            told: Any = schema.model_validate_json("\n".join(fields["data"]), extra="ignore")
            yield Event(fields.get("id", [""])[-1], fields["event"][-1], told)
        fields = {}
