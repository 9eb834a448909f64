"""Models and releases: a named line of generators, and one immutable published generator."""

import datetime as dt
from typing import Any, Final, Literal

from pydantic import Field

from shared.schemas.base import Schema
from shared.schemas.catalogs import Label, Name
from shared.schemas.jobs import Budget

# With fewer a model can only learn single pictures by heart, however they are changed.
MINIMUM_GARMENTS: Final = 24
# A value that hardly any garment has cannot be learned; it is left unknown rather than promised.
MINIMUM_OF_VALUE: Final = 8
# Where nobody names a size: on a CPU a step at 160 px takes ten times as long as at 64 px, and ten
# minutes of it show nothing.
USUAL_SIZE: Final = 64


class TrainingRequest(Schema):
    """Train a model on a catalog."""

    catalog: str = Field(description="Catalog id or name.")
    model: Name = Field("default", description="Name of the line that the release joins.")
    catalog_version: int | None = Field(None, ge=1, description="Unset, the newest.")
    size: int | None = Field(
        None,
        ge=16,
        le=256,
        multiple_of=4,
        description="Side in pixels; unset, the catalog's, but at most 64.",
    )
    preset: Literal["auto", "residual"] = "auto"
    budget: Budget = Field(default_factory=lambda: Budget(minutes=10))
    seed: int = Field(0, ge=0, lt=2**31)
    attributes: tuple[Label, ...] | None = Field(
        None, description="Labels to condition on; unset, category and colour where they are known."
    )
    preview_seconds: float = Field(10, ge=1, le=3600)
    checkpoint_seconds: float = Field(30, ge=1, le=3600)


class Release(Schema):
    """An immutable published generator."""

    id: str
    model_id: str
    model: str
    number: int = Field(ge=1)
    job_id: str
    catalog_id: str
    catalog_version: int
    size: int
    channels: int
    vocabulary: dict[str, tuple[str, ...]]
    card: dict[str, Any]
    sha256: str
    created_at: dt.datetime
    url: str
    grid_url: str


class Model(Schema):
    """A named line of generators."""

    id: str
    name: str
    releases: int
    newest_release_id: str | None
    created_at: dt.datetime
    url: str
