"""Evidence: a shopper's signals as weighted rows, later ones before earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np

from shared.errors import InvalidInputError
from shared.taste.arrays import Floats, Places
from shared.taste.gallery import Gallery
from shared.taste.logistic import Observations

Kind = Literal["like", "dislike", "choice"]
HALF_LIFE: Final = timedelta(days=180)
"""Two fashion seasons: after a year a signal counts a quarter."""

BACKGROUND: Final = 192
"""Garments that stand for what was passed by: with 64, the luck of the draw cost a tenth of NDCG@10
after 40 simulated likes; with 256 little more was gained, and fits take longer."""

BACKGROUND_MOST: Final = 20.0
"""Likes beyond this many ask for no more background: by then they speak for themselves."""

NOBODY: Final = -1


@dataclass(frozen=True)
class Signal:
    """One recorded preference.

    Attributes:
        kind: an item liked, disliked, or chosen over another.
        item: id of the garment or design.
        at: when, with a time zone.
        over: id of the item that it was chosen over; only for a choice.
    """

    kind: Kind
    item: str
    at: datetime
    over: str | None = None

    def __post_init__(self) -> None:
        if (self.kind == "choice") != (self.over is not None) or self.over == self.item:
            raise InvalidInputError(
                f"a {self.kind} of {self.item} over {self.over} makes no sense; a choice names "
                "two different items, likes and dislikes name one"
            )
        if self.at.tzinfo is None:
            raise InvalidInputError(f"the {self.kind} of {self.item} has no time zone; say which")


@dataclass(frozen=True)
class Evidence:
    """Signals as observations, with what each was about.

    Attributes:
        seen: n weighted rows; those of the background last.
        items: ``[n]``, rows in the gallery; of a choice, the chosen item's.
        over: ``[n]``, rows in the gallery of the items not chosen; -1 where there is none.
        background: how many of the rows are background, and nothing that a shopper said.
        unknown: ids that the gallery does not hold; signals about them are left out.
    """

    seen: Observations
    items: Places
    over: Places
    background: int
    unknown: tuple[str, ...]

    @property
    def said(self) -> int:
        """How many rows the shopper's own signals make."""
        return len(self.seen) - self.background

    @property
    def effective(self) -> float:
        """How many fresh signals the faded ones are worth."""
        return float(self.seen.weights[: self.said].sum())


def fade(age: timedelta, half_life: timedelta = HALF_LIFE) -> float:
    """Return how much a signal of that age counts: 1 when fresh, half at each half-life.

    One from the future counts as fresh: clocks of two hosts differ by seconds.
    """
    return float(0.5 ** (max(age, timedelta(0)) / half_life))


def standing(signals: Sequence[Signal]) -> list[Signal]:
    """Return the signals that still hold, in order of time.

    A like or dislike stands until the next one of the same item, a choice until the next between
    the same two. Where times are equal, the later in the sequence is the later.
    """
    latest: dict[frozenset[str], Signal] = {}
    for signal in sorted(signals, key=lambda one: one.at):
        about = frozenset({signal.item, signal.over or signal.item})
        latest.pop(about, None)  # so that the order is that of the signal that stands
        latest[about] = signal
    return list(latest.values())


def observe(
    signals: Sequence[Signal],
    gallery: Gallery,
    *,
    now: datetime,
    rng: np.random.Generator,
    half_life: timedelta = HALF_LIFE,
) -> Evidence:
    """Turn signals into observations, with background garments where likes are unanswered.

    Likes alone say nothing of what a shopper would pass by. So garments drawn from the gallery
    count as dislikes, weakly: all together as much as the likes that no dislike answers, at most
    `BACKGROUND_MOST`.

    Args:
        signals: of one shopper, in any order.
        gallery: garments and designs that they are about.
        now: what ages are counted from, with a time zone.
        rng: draws the background; the same state gives the same evidence.
        half_life: after which a signal counts half.
    """
    places = gallery.items.places
    held = standing(signals)
    about = [{one.item, one.over or one.item} for one in held]
    known = [one for one, names in zip(held, about, strict=True) if names <= places.keys()]
    items = np.array([places[one.item] for one in known], dtype=np.intp)
    over = np.array([places[one.over] if one.over else NOBODY for one in known], dtype=np.intp)
    signs = np.array([-1.0 if one.kind == "dislike" else 1.0 for one in known])
    weights = np.array([fade(now - one.at, half_life) for one in known])
    unanswered = float((weights * np.where(over >= 0, 0, signs)).sum())
    passed = _background(gallery, np.concatenate([items, over]), unanswered, rng)
    share = min(unanswered, BACKGROUND_MOST) / max(len(passed), 1)
    return Evidence(
        seen=Observations(
            rows=_rows(gallery, np.concatenate([items, passed]), over),
            signs=np.concatenate([signs, -np.ones(len(passed))]),
            weights=np.concatenate([weights, np.full(len(passed), share)]),
        ),
        items=np.concatenate([items, passed]),
        over=np.concatenate([over, np.full(len(passed), NOBODY)]),
        background=len(passed),
        unknown=tuple(sorted(set().union(*about) - places.keys())),
    )


def _rows(gallery: Gallery, items: Places, over: Places) -> Floats:
    rows = gallery.features[items].astype(np.float64)
    pairs = np.flatnonzero(over >= 0)
    rows[pairs] -= gallery.features[over[pairs]]
    return rows


def _background(
    gallery: Gallery, spoken_of: Places, unanswered: float, rng: np.random.Generator
) -> Places:
    """Return rows of garments that the shopper said nothing about; none where likes are few."""
    if unanswered <= 0:
        return np.empty(0, dtype=np.intp)
    free = np.setdiff1d(np.arange(len(gallery.items)), spoken_of)
    drawn = rng.choice(free, size=min(BACKGROUND, len(free)), replace=False)
    return np.sort(drawn).astype(np.intp)
