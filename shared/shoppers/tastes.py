"""A shopper's taste from rows: the one way by which the front and the workers come to it."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import numpy as np

from shared.errors import InvalidInputError
from shared.records import Transaction, preferences, priors
from shared.records.priors import TastePrior
from shared.schemas.shoppers import NotCounted, Preference, PreferenceKind
from shared.shoppers import placing
from shared.taste import FeatureSpace, Gallery, Prior, Signal, Taste, Wish, taste_of
from shared.taste.observations import standing
from shared.taste.prior import broad
from shared.taste.wishes import meets

MOST_SIGNALS: Final = 1_000
"""The newest of a shopper's signals that are looked at: what came before has long faded, and a fit
is waited for."""

_SETTLES: Final = frozenset({"like", "dislike"})


@dataclass(frozen=True)
class ShopperTaste:
    """A shopper's taste about one catalog, and what is needed to use and to explain it.

    Attributes:
        taste: as it was learned.
        about: what `taste.evidence` is about: the items that the shopper spoke of, designs among
            them, and the background. Explain with it; rank in the catalog's own gallery.
        filters: the hard wishes, for `shared.taste.wishes.allowed`.
        settled: ids of what is liked or disliked as things stand.
        prior_shoppers: of how many shoppers the prior was learned; 0 for the broad one.
        not_counted: what the shopper said that had no part in it.
    """

    taste: Taste
    about: Gallery
    filters: tuple[Wish, ...]
    settled: frozenset[str]
    prior_shoppers: int
    not_counted: tuple[NotCounted, ...]


def of(
    tx: Transaction,
    site_id: str,
    gallery: Gallery,
    *,
    encoder: str,
    shopper_id: str | None,
    prior: Prior,
    half_life: timedelta,
) -> ShopperTaste:
    """Learn a shopper's taste about a catalog from all that they said.

    The same rows at the same time give the same taste, whichever process asks.

    Args:
        tx: the open transaction; its time is what signals are aged by.
        site_id: whose shopper it is.
        gallery: of the catalog's garment index.
        encoder: the index' encoder; a design that another one saw cannot be placed.
        shopper_id: who; None for one of whom nothing is known.
        prior: of the gallery's space (`prior_for`).
        half_life: after which a signal counts half.
    """
    said = [] if shopper_id is None else preferences.signals(tx, shopper_id, most=MOST_SIGNALS + 1)
    asked = [] if shopper_id is None else preferences.wishes(tx, shopper_id)
    held = standing([_signal(one) for one in said[-MOST_SIGNALS:]])
    rng = np.random.default_rng(seed_of(shopper_id))
    placed = placing.place(tx, site_id, gallery, held, encoder=encoder, rng=rng)
    wishes = _sort([_wish(one) for one in asked], gallery)
    taste = taste_of(
        held,
        placed.gallery,
        prior,
        wishes=wishes.weighing,
        now=tx.now,
        rng=rng,
        half_life=half_life,
    )
    return ShopperTaste(
        taste=taste,
        about=placed.gallery,
        filters=wishes.filters,
        settled=frozenset(one.item for one in held if one.kind in _SETTLES),
        prior_shoppers=prior.shoppers,
        not_counted=(*_older(said), *placed.not_counted, *wishes.not_counted),
    )


def prior_for(
    tx: Transaction,
    site_id: str,
    *,
    encoder: str,
    space: FeatureSpace,
    read: Callable[[TastePrior], Prior],
) -> Prior:
    """Return what is believed of a shopper before the first word.

    It is the site's own prior where one was learned in this space, else the broad one, in which
    `shoppers` is 0; one that was learned in the space of an older index says nothing in this.

    Args:
        tx: the open transaction.
        site_id: whose shoppers they are.
        encoder: the index' encoder.
        space: the index' feature space.
        read: gets the prior from its file, such as `files.read_prior`.
    """
    found = priors.find(tx, site_id, encoder)
    if found is not None:
        learned = read(found)
        if learned.space == space.fingerprint:
            return learned
    return broad(space)


def seed_of(shopper_id: str | None) -> int:
    """Return what starts a shopper's chance, the same on every machine and in every process."""
    return int.from_bytes(hashlib.sha256((shopper_id or "").encode()).digest()[:8])


@dataclass(frozen=True)
class _Wishes:
    weighing: tuple[Wish, ...]
    filters: tuple[Wish, ...]
    not_counted: tuple[NotCounted, ...]


def _sort(wishes: Sequence[Wish], gallery: Gallery) -> _Wishes:
    """Tell the wishes that this catalog knows how to weigh, those that filter, and the others."""
    nothing = gallery.items.take(np.empty(0, dtype=np.intp))
    dumb = {wish: why for wish in wishes if (why := _why_not(wish, gallery.space.direction))}
    blind = {
        wish: why
        for wish in wishes
        if wish.hard and (why := _why_not(wish, lambda *_, wish=wish: meets(nothing, wish)))
    }
    return _Wishes(
        weighing=tuple(wish for wish in wishes if wish not in dumb),
        filters=tuple(wish for wish in wishes if wish.hard and wish not in blind),
        not_counted=tuple(
            NotCounted(
                what=f"{wish.attribute} {wish.value}",
                why=f"It only filters. {why}" if wish.hard and wish not in blind else why,
            )
            for wish, why in dumb.items()
        ),
    )


def _why_not(wish: Wish, tried: Callable[[str, str], object]) -> str | None:
    try:
        tried(wish.attribute, wish.value)
    except InvalidInputError as error:
        return error.message
    return None


def _signal(said: Preference) -> Signal:
    kinds: dict[PreferenceKind, Literal["like", "dislike", "choice"]] = {
        PreferenceKind.LIKE: "like",
        PreferenceKind.DISLIKE: "dislike",
        PreferenceKind.CHOICE: "choice",
    }
    return Signal(kinds[said.kind], str(said.item), said.at, said.over)


def _wish(said: Preference) -> Wish:
    kind: Literal["want", "avoid"] = "want" if said.kind is PreferenceKind.WANT else "avoid"
    return Wish(kind, str(said.attribute), str(said.value), said.hard)


def _older(said: Sequence[Preference]) -> Iterable[NotCounted]:
    if len(said) > MOST_SIGNALS:
        yield NotCounted(
            what=f"signals before {said[1].at.isoformat()}",
            why=f"Only the newest {MOST_SIGNALS:,} likes, dislikes and choices are looked at.",
        )
