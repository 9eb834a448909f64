"""Health: whether this process lives, and what it can do."""

import shutil
from typing import Final, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from shared.artifacts import keys
from shared.errors import (
    DatabaseUnavailableError,
    QueueUnavailableError,
    StoreUnavailableError,
)
from shared.queue.names import Queue
from shared.queue.presence import Presence, Taking
from shared.records.migrate import is_current
from shared.schemas.health import Health, Part, Readiness
from web import answers
from web.api.noun import problems
from web.runtime import Runtime, runtime

api: Final = APIBlueprint(
    "health",
    __name__,
    abp_tags=[Tag(name="health", description="For load balancers and `toile doctor`.")],
    abp_responses=problems(500),
)

_WELL: Final = Part(ok=True)
_NEEDED: Final = frozenset({"database", "migrations", "store"})
_LEAST_BYTES: Final = 2**30
_WORK_OF: Final = {
    Queue.TRAIN: "trains (queue train)",
    Queue.GENERATE: "makes designs and moodboards (queue generate)",
    Queue.CHORES: "takes catalogs and feeds in and makes reports (queue chores)",
    Queue.UPKEEP: "does upkeep, without which lost work is not found (queue upkeep)",
}


@api.get("/healthz", responses={200: Health})
def healthz() -> Response:
    """Say that the process lives; it looks at nothing else."""
    return answers.document(Health())


@api.get("/readyz", responses={200: Readiness, 503: Readiness})
def readyz() -> Response:
    """Say what works: 503 when requests cannot be served, naming the part.

    Without Redis, without workers for some queue, or with little room on the disk the answer is
    still 200, `degraded`: reads work, and jobs are taken and kept.
    """
    here = runtime()
    serving, told = _workers(here)
    parts = {
        **_database(here),
        "store": _store(here),
        "redis": _redis(here),
        "workers": told,
        "disk": _disk(here),
    }
    broken = {name for name, part in parts.items() if not part.ok}
    if broken & _NEEDED:
        unready = Readiness(status="unready", parts=parts, workers=serving)
        response = answers.document(unready)
        response.status_code = 503
        response.headers["Retry-After"] = "5"
        return response
    status: Literal["ready", "degraded"] = "degraded" if broken else "ready"
    return answers.document(Readiness(status=status, parts=parts, workers=serving))


def _database(here: Runtime) -> dict[str, Part]:
    try:
        current = is_current(here.records)
    except DatabaseUnavailableError as error:
        unknown = Part(ok=False, message="Unknown while the database is away.")
        return {"database": Part(ok=False, message=error.message), "migrations": unknown}
    behind = Part(ok=False, message="The tables are of another version. Run `toile migrate`.")
    return {"database": _WELL, "migrations": _WELL if current else behind}


def _redis(here: Runtime) -> Part:
    if here.board.answers():
        return _WELL
    return Part(ok=False, message="Redis does not answer. `toile doctor` tells why.")


def _store(here: Runtime) -> Part:
    try:
        here.store.put(keys.probe(), b"ok")
    except StoreUnavailableError as error:
        return Part(ok=False, message=error.message)
    return _WELL


def _workers(here: Runtime) -> tuple[dict[str, int], Part]:
    """Return how many workers take from each queue, and what is not done for want of one."""
    presence = Presence(here.redis, seconds=here.settings.worker_grace_seconds)
    try:
        found = [one.offer for one in presence.everyone()]
    except QueueUnavailableError as error:
        return {}, Part(ok=False, message=error.message)
    serving = {
        queue.value: sum(
            queue.value in offer.queues and offer.taking is Taking.WORK for offer in found
        )
        for queue in Queue
    }
    lacking = [_WORK_OF[queue] for queue in Queue if not serving[queue.value]]
    if not lacking:
        return serving, _WELL
    message = (
        f"No worker {', '.join(lacking)}. Such jobs wait. Start the Procfile's processes for them, "
        "or `toile up`; `toile workers` lists those that are there, and which drain."
    )
    return serving, Part(ok=False, message=message)


def _disk(here: Runtime) -> Part:
    """Look at the disks of this host alone: what lies elsewhere, its own host must watch."""
    kept = (here.settings.home.resolve(), here.settings.artifact_folder)
    for folder in (one for one in kept if one is not None and one.exists()):
        free = shutil.disk_usage(folder).free
        if free < _LEAST_BYTES:
            return Part(
                ok=False,
                message=f"Only {free / 2**20:.0f} MiB are free at {folder}, where Toile wants "
                f"{_LEAST_BYTES >> 20}. Make room: on a full disk nothing can be written, not even "
                "that a job failed.",
            )
    return _WELL
