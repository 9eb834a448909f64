"""Sites: the tenants."""

import datetime as dt

from pydantic import Field

from shared.schemas.base import Schema


class Site(Schema):
    """A tenant: an e-commerce site that holds API keys."""

    id: str
    name: str
    weight: float = Field(1.0, gt=0, description="Its part of a worker that many sites wait for.")
    trend_schedule_seconds: float | None = Field(
        None,
        ge=0,
        description="How often its trend report is made anew; unset, the server's own schedule; "
        "0, never on schedule.",
    )
    design_retention_days: float | None = Field(
        None,
        ge=0,
        description="Days after which a finished job's designs go; unset, as the server has it; 0, "
        "never.",
    )
    job_retention_days: float | None = Field(
        None,
        ge=0,
        description="Days after which a job goes that left nothing behind; unset, as the server "
        "has it; 0, never.",
    )
    created_at: dt.datetime
