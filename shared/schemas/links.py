"""Signed links: addresses that a browser can read without a key, for a while."""

import datetime as dt
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from shared.schemas.base import Schema
from shared.schemas.variants import PictureFormat, Variant

LEAST_SECONDS: Final = 60
MOST_SECONDS: Final = 7 * 86_400

Path = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class LinkRequest(Schema):
    """Which addresses to sign, in which variant and format, and for how long."""

    paths: tuple[Path, ...] = Field(
        min_length=1,
        max_length=200,
        examples=[["/v1/designs/dsn_4k2h8v0q6c1x9m3t7w5z2b0n/image"]],
        description="Addresses of designs' or garments' pictures, releases' grids and cards, and "
        "reports' files, as the API gives them. A picture may bring a query of its own, such as "
        "`?variant=thumbnail`, which comes before what is named below.",
    )
    variant: Variant | None = Field(None, description="For all pictures that name none.")
    format: PictureFormat | None = Field(
        None, description="For all pictures that name none; unset, the browser's Accept decides."
    )
    expires_in: int | None = Field(
        None,
        ge=LEAST_SECONDS,
        le=MOST_SECONDS,
        description="Seconds; unset, TOILE_LINK_SECONDS. The end is rounded up to the next whole "
        "minute, so that links of one minute are the same and caches know them.",
    )


class Link(Schema):
    """An address that holds for a while; whoever has it can read it."""

    path: str = Field(description="As it was asked.")
    url: str = Field(description="Relative to the server, as all addresses of the API.")
    expires_at: dt.datetime


class LinkBatch(Schema):
    """Signed links, in the order of their request."""

    links: tuple[Link, ...]
