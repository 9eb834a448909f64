"""Shoppers: what they said, what it adds up to, and that they were erased."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from shared.schemas.base import Schema
from shared.schemas.designs import Reason
from shared.schemas.taste import TasteInWords

MOST_AT_ONCE: Final = 500
# Before it, converting a time's zone can leave what Python's calendar holds.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


ItemId = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,6}_[0-9a-z]{24}$")]
Word = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=120)
]


class PreferenceKind(StrEnum):
    """What a shopper said: of an item, or of a value that garments should have or not."""

    LIKE = "like"
    DISLIKE = "dislike"
    CHOICE = "choice"
    WANT = "want"
    AVOID = "avoid"

    @property
    def is_wish(self) -> bool:
        """Whether it speaks of a value, and of no item."""
        return self in {PreferenceKind.WANT, PreferenceKind.AVOID}


_NAMED: Final = {
    PreferenceKind.LIKE: {"item"},
    PreferenceKind.DISLIKE: {"item"},
    PreferenceKind.CHOICE: {"item", "over"},
    PreferenceKind.WANT: {"attribute", "value"},
    PreferenceKind.AVOID: {"attribute", "value"},
}


class PreferenceRequest(Schema):
    """One thing that a shopper said: of an item, or of a value that garments should have or not."""

    kind: PreferenceKind = Field(
        description="`like` and `dislike` name an `item`; `choice` an `item` and what it was "
        "chosen `over`; `want` and `avoid` an `attribute` and its `value`."
    )
    item: ItemId | None = Field(None, description="Id of a garment or design.")
    over: ItemId | None = Field(None, description="Id of the garment or design not chosen.")
    attribute: Word | None = Field(None, examples=["colour", "material"])
    value: Word | None = Field(
        None,
        description="One of the attribute's values; of `colour` also #rrggbb or one of the sixteen "
        "families.",
        examples=["navy", "#1f3a5f", "wool"],
    )
    hard: bool = Field(
        False,
        description="Of `want` and `avoid`: a filter, where a soft wish only weighs.",
    )
    at: AwareDatetime | None = Field(
        None,
        description="When it was said, since 1970, with a time zone; unset, now. Old signals fade.",
    )

    @field_validator("at")
    @classmethod
    def _is_kept_by_databases(cls, at: datetime | None) -> datetime | None:
        if at is not None and at < _EPOCH:
            message = "expected a time since 1970"
            raise ValueError(message)
        return at

    @model_validator(mode="after")
    def _names_what_its_kind_does(self) -> Self:
        fields = ("item", "over", "attribute", "value")
        given = {name for name in fields if getattr(self, name) is not None}
        if given != _NAMED[self.kind] or self.item == self.over is not None:
            expected = " and ".join(sorted(_NAMED[self.kind]))
            different = ", two different ones" if self.kind is PreferenceKind.CHOICE else ""
            found = ", ".join(sorted(given)) or "none of them"
            message = f"a {self.kind} names {expected}{different}; got {found}"
            raise ValueError(message)
        if self.hard and not self.kind.is_wish:
            message = f"only a want or avoid can be hard, not a {self.kind}"
            raise ValueError(message)
        return self


class PreferenceBatch(Schema):
    """Up to 500 preferences at once, in the order in which they were said; all or none."""

    preferences: tuple[PreferenceRequest, ...] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Preference(Schema):
    """One recorded signal of a shopper."""

    id: str
    kind: PreferenceKind
    item: str | None = None
    over: str | None = None
    attribute: str | None = None
    value: str | None = None
    hard: bool = False
    at: datetime
    created_at: datetime


class Recorded(Schema):
    """Preferences that were recorded together, in the order in which they were sent."""

    preferences: tuple[Preference, ...]


class Shopper(Schema):
    """A site's end customer, known only by the site's own reference."""

    id: str
    ref: str
    created_at: datetime
    updated_at: datetime = Field(description="When the last preference was recorded.")
    url: str


class Erasure(Schema):
    """That a shopper was erased, and what went with them; it does not say who it was."""

    id: str
    created_at: datetime
    removed: dict[str, int] = Field(
        description="How many rows of each kind, and `artifacts`: files of the store.",
        examples=[{"preferences": 12, "designs": 4, "jobs": 1, "artifacts": 1}],
    )
    proof: str = Field(
        description="SHA-256, in hex, of what was removed: JSON of kind to sorted ids and keys, "
        "kinds sorted, without spaces."
    )
    url: str


class NotCounted(Schema):
    """Something that a shopper said and that this taste leaves out, and why."""

    what: str = Field(description="The garment or design, or `attribute value` of a wish.")
    why: str


class TasteView(TasteInWords):
    """What is believed of a shopper, about one catalog."""

    catalog_id: str
    index_id: str = Field(description="The garment index that it was learned in.")
    prior_shoppers: int = Field(
        ge=0, description="Of how many shoppers the first guess was learned; 0: of none."
    )
    not_counted: tuple[NotCounted, ...]


class Recommendation(Schema):
    """A garment for a shopper, and why."""

    model_config = ConfigDict(allow_inf_nan=False)

    garment_id: str
    score: float = Field(description="Logits, before variety was looked to.")
    probability: float = Field(ge=0, le=1, description="That it is liked, doubt included.")
    reasons: tuple[Reason, ...] = Field(description="The signals that moved it most.")
    url: str
    image_url: str


class Recommendations(Schema):
    """Garments for a shopper, the best first, no two of them alike."""

    catalog_id: str
    index_id: str
    signals: float = Field(
        ge=0,
        description="Fresh signals that it rests on. 0: nothing is known of this shopper, and the "
        "garments are those that shoppers like on the whole.",
    )
    prior_shoppers: int
    allowed: int = Field(description="How many garments of the catalog the hard wishes leave.")
    items: tuple[Recommendation, ...]
    not_counted: tuple[NotCounted, ...]


class Similar(Schema):
    """A garment that looks like what was asked about."""

    garment_id: str
    distance: float = Field(
        ge=0, description="Under 0.1, one garment shown twice; two unrelated ones are about 1."
    )
    url: str
    image_url: str


class SimilarGarments(Schema):
    """The garments of a catalog that look most like a design or garment, the nearest first."""

    catalog_id: str
    index_id: str
    items: tuple[Similar, ...]
