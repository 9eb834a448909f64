"""Variants: the sizes and formats in which a picture can be had."""

from enum import StrEnum

from pydantic import Field

from shared.schemas.base import Schema


class Variant(StrEnum):
    """A size for a place in a shop page."""

    THUMBNAIL = "thumbnail"
    CARD = "card"
    DETAIL = "detail"

    @property
    def side(self) -> int:
        """The side that it has at most, pixels."""
        return {"thumbnail": 96, "card": 512, "detail": 1024}[self.value]


class PictureFormat(StrEnum):
    """How a variant is encoded."""

    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"

    @property
    def media_type(self) -> str:
        """The format's registered media type."""
        return f"image/{self.value}"


class SignedQuery(Schema):
    """What a signed link brings instead of a key."""

    site: str | None = Field(None, description="Of a signed link: whose it is.")
    expires: int | None = Field(None, description="Of a signed link: its end, Unix time.")
    signature: str | None = Field(
        None, description="Of a signed link, in place of a key: what POST /v1/links gave."
    )


class PictureQuery(SignedQuery):
    """How a picture is wanted."""

    variant: Variant | None = Field(
        None,
        description="`thumbnail` (96 px at most), `card` (512) or `detail` (1024), at most eight "
        "times the picture's own side. Of an animation, its first frame. Unset, as it is kept.",
    )
    format: PictureFormat | None = Field(
        None,
        description="Unset, as it is kept; of a variant, the best that `Accept` names: AVIF, WebP, "
        "else PNG.",
    )
