"""Explicit wishes: what a shopper asked for, as a shift of the prior or as a filter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from shared import colour
from shared.errors import InvalidInputError
from shared.taste import swatches
from shared.taste.arrays import Bools, Singles
from shared.taste.items import Items
from shared.taste.logistic import Gaussian
from shared.taste.space import COLOUR, FeatureSpace

STRENGTH: Final = 2.0
"""Logits that a wish says about garments that are as asked: from even odds to 88 in a hundred."""

_DOUBT: Final = 0.25
"""Variance of what is said; it keeps two wishes that contradict each other from tearing apart."""

SAME_COLOUR: Final = 10.0
"""CIEDE2000 within which a garment has the colour asked for: the same at arm's length, not the
same cloth."""

_SURELY_NOT: Final = 1e-3  # no colour of a family has less than this of soft membership in it


@dataclass(frozen=True)
class Wish:
    """What a shopper wants or avoids.

    Attributes:
        kind: which of the two.
        attribute: ``colour``, or a label's.
        value: one of the attribute's values; for ``colour`` also a family's name or ``#rrggbb``.
        hard: whether nothing else will do; otherwise it only weighs.
    """

    kind: Literal["want", "avoid"]
    attribute: str
    value: str
    hard: bool = False


MetBy = Callable[[Items, Wish], Bools]


def shifted(prior: Gaussian, wishes: Sequence[Wish], space: FeatureSpace) -> Gaussian:
    """Return the prior with its mean moved by wishes, as little as they ask for.

    The mean is that of a Gaussian which was told, with some doubt, that garments as asked for score
    `STRENGTH` logits more (avoided: less) than it thought. Where garments of one sort are liked
    together, a wish for one moves the others too. How sure the prior is does not change: a wish
    says where to look first, and likes have the last word.

    Raises:
        InvalidInputError: nothing is known of a value that a wish names.
    """
    if not wishes:
        return prior
    asked = np.stack([space.direction(wish.attribute, wish.value) for wish in wishes])
    told = np.array([STRENGTH if wish.kind == "want" else -STRENGTH for wish in wishes])
    carried = asked @ prior.root
    inner = carried @ carried.T + _DOUBT * np.eye(len(wishes))
    moved = prior.root @ (carried.T @ np.linalg.solve(inner, told))
    return Gaussian(prior.mean + moved, prior.root)


def allowed(items: Items, wishes: Sequence[Wish], *, met_by: MetBy | None = None) -> Bools:
    """Return bool ``[n]``: which items the hard wishes leave.

    Wanted values of one attribute are alternatives, those of different attributes all hold; an
    item of which a wanted attribute is not known is left out, one of which an avoided attribute is
    not known stays.

    Args:
        items: n of them.
        wishes: soft ones are passed over.
        met_by: in place of `meets`, for a caller that remembers what it found: to compare the
            colours of 100,000 garments takes half a second.

    Raises:
        InvalidInputError: a colour is neither a code, nor a family, nor a label of these items.
    """
    look = met_by or meets
    left = np.ones(len(items), dtype=np.bool_)
    wanted: dict[str, Bools] = {}
    for wish in wishes:
        if not wish.hard:
            continue
        met = look(items, wish)
        if wish.kind == "avoid":
            left &= ~met
        else:
            wanted[wish.attribute] = met | wanted.get(wish.attribute, np.zeros_like(met))
    for met in wanted.values():
        left &= met
    return left


def meets(items: Items, wish: Wish) -> Bools:
    """Return bool ``[n]``: which items are known to have what a wish names.

    Raises:
        InvalidInputError: a colour is neither a code, nor a family, nor a label of these items.
    """
    labelled = items.having(wish.attribute, wish.value)
    if wish.attribute != COLOUR:
        return labelled
    measured = swatches.known(items.colours)
    if colour.code_of(wish.value) is None:
        if wish.value in items.vocabulary.get(COLOUR, ()):
            return labelled
        raise InvalidInputError(
            f"{wish.value!r} is no colour; expected #rrggbb or one of "
            f"{', '.join(colour.FAMILY_NAMES)}.",
            colour=wish.value,
        )
    tinted = np.zeros(len(items), dtype=np.bool_)
    tinted[measured] = _tinted(items.colours[measured, 0], wish.value)
    return np.where(measured, tinted, labelled)


def _tinted(labs: Singles, value: str) -> Bools:
    """Return which colours ``[n, 3]`` are near a code, or of a family."""
    if value not in colour.FAMILY_NAMES:
        return np.asarray(colour.delta_e(labs, colour.hex_to_lab(value)) <= SAME_COLOUR)
    family = colour.FAMILY_NAMES.index(value)
    # CIEDE2000 to every anchor costs seconds for a large catalog; most colours need no such care.
    close = np.flatnonzero(swatches.memberships(labs)[:, family] > _SURELY_NOT)
    result = np.zeros(len(labs), dtype=np.bool_)
    result[close] = colour.families_of(labs[close]) == family
    return result
