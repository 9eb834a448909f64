"""Health: whether this process lives, and what it can do."""

from typing import Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from shared.artifacts import keys
from shared.errors import DatabaseUnavailableError, StoreUnavailableError
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


@api.get("/healthz", responses={200: Health})
def healthz() -> Response:
    """Say that the process lives; it looks at nothing else."""
    return answers.document(Health())


@api.get("/readyz", responses={200: Readiness, 503: Readiness})
def readyz() -> Response:
    """Say what works: 503 when requests cannot be served, naming the part.

    Without Redis the answer is still 200, `degraded`: reads work, and jobs are taken and kept.
    """
    here = runtime()
    parts = {**_database(here), "redis": _redis(here), "store": _store(here)}
    broken = {name for name, part in parts.items() if not part.ok}
    if not broken:
        return answers.document(Readiness(status="ready", parts=parts))
    if broken == {"redis"}:
        return answers.document(Readiness(status="degraded", parts=parts))
    response = answers.document(Readiness(status="unready", parts=parts))
    response.status_code = 503
    response.headers["Retry-After"] = "5"
    return response


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
