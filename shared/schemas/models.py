"""Models and releases: a named line of generators, and one immutable published generator."""

import datetime as dt
from typing import Any, Final

from pydantic import ConfigDict, Field

from shared.schemas.base import Schema
from shared.schemas.catalogs import Label, Name
from shared.schemas.jobs import USUAL_HELDOUT, Budget, Precision, Preset, Width

# With fewer a model can only learn single pictures by heart, however they are changed.
MINIMUM_GARMENTS: Final = 24
# A value that hardly any garment has cannot be learned; it is left unknown rather than promised.
MINIMUM_OF_VALUE: Final = 8
# Where nobody names a size: on a CPU a step at 160 px takes ten times as long as at 64 px, and ten
# minutes of it show nothing.
USUAL_SIZE: Final = 64


_EXAMPLES: Final[list[Any]] = [
    {"catalog": "summer", "model": "summer", "budget": {"minutes": 10}},
    {
        "catalog": "summer", "model": "summer", "size": 96, "preset": "residual", "width": "m",
        "balance": 0.5, "budget": {"images": 2_000_000}, "early_stop": 8,
    },
    {
        "catalog": "summer", "model": "summer", "budget": {"minutes": 3},
        "from_release": "rel_4t9x0c5m7k2h8d1n6q3w9z5r",
    },
]  # fmt: skip


class TrainingRequest(Schema):
    """Train a model on a catalog."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES})

    catalog: str = Field(description="Catalog id or name.")
    model: Name = Field("default", description="Name of the line that the release joins.")
    catalog_version: int | None = Field(None, ge=1, description="Unset, the newest.")
    size: int | None = Field(
        None,
        ge=16,
        le=256,
        examples=[64],
        description="Side in pixels; unset, the catalog's, but at most 64. With `from_release` it "
        "is that release's.",
    )
    preset: Preset = Field(
        "auto",
        description="The family of networks. `auto` chooses and says why on the card; `mlp` and "
        "`dcgan` are the classic baselines, `vae` is no GAN at all.",
    )
    width: Width = Field(
        "auto",
        description="How wide the networks are: wider ones learn more in long runs and less in "
        "short ones.",
    )
    precision: Precision = Field(
        "auto",
        description="What the networks compute in. `auto` takes bfloat16 where the device "
        "multiplies it natively, and says so on the card.",
    )
    balance: float | None = Field(
        None,
        ge=0,
        le=1,
        examples=[0.5],
        description="How far rare values of the first label are drawn more often: 0 takes garments "
        "as they come, 1 shows every value equally often. Unset, chosen from the counts.",
    )
    budget: Budget = Field(default_factory=lambda: Budget(minutes=10))
    early_stop: int | None = Field(
        None,
        ge=2,
        le=1000,
        examples=[8],
        description="Stop before the budget is used up once the metric has not improved in so many "
        "readings. Unset, never.",
    )
    heldout: float = Field(
        USUAL_HELDOUT,
        ge=0.02,
        le=0.3,
        description="Share of the garments that is kept back and measured against; never trained "
        "on. Of a large catalog less is kept.",
    )
    seed: int = Field(0, ge=0, lt=2**31)
    attributes: tuple[Label, ...] | None = Field(
        None,
        examples=[["category", "pattern"]],
        description="Labels to condition on. Unset, category where it is known, and colour: as it "
        "was measured, so that designs take any #rrggbb, or as a label in a grey catalog. Naming "
        "`colour` here makes it a label. With `from_release`, unset takes that release's.",
    )
    from_release: str | None = Field(
        None,
        max_length=120,
        description="Id of a release to go on from: its weights are tuned on the catalog as it is "
        "now, and values that are new are learned. Same channels and size.",
    )
    preview_seconds: float = Field(10, ge=1, le=3600)
    checkpoint_seconds: float = Field(30, ge=1, le=3600)


class Needs(Schema):
    """What a release asks of a worker that makes designs with it; its card says so."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # later ones may need more than we know

    format: int = Field(description="Of its files.")
    memory: int = Field(description="For its weights, bytes.")


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
    colours: bool = Field(
        False,
        description="Takes `colour` and `second_colour` as #rrggbb or as a family's name.",
    )
    card: dict[str, Any]
    sha256: str
    created_at: dt.datetime
    url: str
    grid_url: str
    card_url: str


class Model(Schema):
    """A named line of generators."""

    id: str
    name: str
    releases: int
    newest_release_id: str | None
    created_at: dt.datetime
    url: str
