"""Health: whether a process lives, and whether it can work."""

from typing import Literal

from pydantic import Field

from shared.schemas.base import Schema


class Health(Schema):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Part(Schema):
    """One thing that the front needs."""

    ok: bool
    message: str | None = Field(None, description="What is wrong with it, and how to mend it.")


class Readiness(Schema):
    """What the front can do just now."""

    status: Literal["ready", "degraded", "unready"] = Field(
        description="`unready`: requests cannot be served. `degraded`: they can, and jobs are "
        "taken and kept, but some are not started (Redis away, no worker for them) or the disk "
        "fills up."
    )
    parts: dict[str, Part] = Field(
        description="database, migrations and store, without which nothing can be served; redis, "
        "workers and disk."
    )
    workers: dict[str, int] = Field(
        default_factory=dict,
        description="How many workers take from each queue: train, generate, chores, upkeep. Empty "
        "while Redis is away.",
    )
