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
    message: str | None = Field(None, description="What is wrong with it.")


class Readiness(Schema):
    """What the front can do just now."""

    status: Literal["ready", "degraded", "unready"] = Field(
        description="`degraded`: Redis is away, so jobs are taken and kept but not started yet."
    )
    parts: dict[str, Part] = Field(description="database, migrations, redis and store.")
