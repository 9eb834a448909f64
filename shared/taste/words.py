"""A taste in words: what is believed, how strongly, and from how much evidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared import colour
from shared.schemas.taste import Belief, Direction, Strength, TasteInWords
from shared.taste import swatches
from shared.taste.arrays import Floats, Places
from shared.taste.gallery import Gallery
from shared.taste.logistic import Gaussian
from shared.taste.observations import Evidence
from shared.taste.space import COLOUR, one_hot
from shared.taste.wishes import Wish

CERTAIN: Final = 0.8
LEAST_SIGNALS: Final = 0.5
"""Of a shopper's own: what is only believed because others like it is not said of this one."""

_STRONG, _CLEAR = 1.5, 0.75  # logits: from even odds to four in five, and to two in three
_SLIGHT: Final = 0.2  # under this, one in twenty garments changes sides; not worth a word


@dataclass(frozen=True)
class _Effects:
    """Of each label column and colour family: what it does to the score, and what speaks for it."""

    names: list[tuple[str, str]]
    means: Floats
    certainties: Floats
    signals: Floats


def in_words(
    belief: Gaussian,
    evidence: Evidence,
    gallery: Gallery,
    *,
    wishes: Sequence[Wish] = (),
    most: int = 8,
) -> TasteInWords:
    """Say what is believed of a shopper.

    Args:
        belief: the posterior.
        evidence: that it came from.
        gallery: that the evidence is about.
        wishes: what the shopper asked for; always said, as asked.
        most: how many beliefs to say besides.
    """
    effects = _effects(belief, evidence, gallery)
    asked = [_asked(wish, effects, belief, gallery) for wish in wishes]
    spoken_of = {(wish.attribute, wish.value) for wish in wishes}
    firm = [
        place
        for place in np.argsort(-np.abs(effects.means), kind="stable").tolist()
        if _is_firm(effects, place) and effects.names[place] not in spoken_of
    ]
    learned = [_learned(effects, place) for place in firm[:most]]
    return TasteInWords(signals=evidence.effective, beliefs=(*asked, *learned))


def strength_of(effect: float) -> Strength:
    """Return the word for an effect in logits, of either sign."""
    if abs(effect) >= _STRONG:
        return "strong"
    return "clear" if abs(effect) >= _CLEAR else "slight"


def certainty_of(mean: float, spread: float) -> float:
    """Return how likely a Gaussian variable has the sign of its mean, 0.5 to 1."""
    if spread <= 0:
        return 1.0 if mean else 0.5
    return 0.5 * (1 + math.erf(abs(mean) / spread / math.sqrt(2)))


def _effects(belief: Gaussian, evidence: Evidence, gallery: Gallery) -> _Effects:
    contrasts = gallery.space.contrasts.astype(np.float64)
    means, spreads = belief.means(contrasts), belief.spreads(contrasts)
    pairs = zip(means.tolist(), spreads.tolist(), strict=True)
    return _Effects(
        names=[*gallery.space.values, *((COLOUR, family) for family in swatches.FAMILIES)],
        means=means,
        certainties=np.array([certainty_of(mean, spread) for mean, spread in pairs]),
        signals=_signals(means, evidence, gallery),
    )


def _signals(means: Floats, evidence: Evidence, gallery: Gallery) -> Floats:
    """Return the faded signals ``[v]`` that speak for the sign of each effect ``[v]``."""
    seen, said = evidence.seen, evidence.said
    items, over = evidence.items[:said], evidence.over[:said]
    held = _having(gallery, items)
    held[over >= 0] -= _having(gallery, over[over >= 0])
    agreeing = np.maximum(np.sign(means) * seen.signs[:said, None] * held, 0)
    return np.asarray(seen.weights[:said] @ agreeing)


def _having(gallery: Gallery, places: Places) -> Floats:
    """Return 1 where items have a label value or, in their main colour, a family: ``[m, v]``."""
    items = gallery.items.take(places)
    nothing = np.zeros(len(gallery.space.values), dtype=np.float32)
    labels = one_hot(items, gallery.space.values, nothing)
    soft = np.nan_to_num(swatches.memberships(items.colours[:, 0]))
    tints = (soft == soft.max(1, keepdims=True)) & (soft > 0)  # people count whole garments
    return np.concatenate([labels, tints], axis=1).astype(np.float64)


def _is_firm(effects: _Effects, place: int) -> bool:
    return bool(
        effects.certainties[place] >= CERTAIN
        and effects.signals[place] >= LEAST_SIGNALS
        and abs(effects.means[place]) >= _SLIGHT
    )


def _learned(effects: _Effects, place: int) -> Belief:
    attribute, value = effects.names[place]
    effect, signals = float(effects.means[place]), float(effects.signals[place])
    direction: Direction = "likes" if effect > 0 else "avoids"
    strength, count = strength_of(effect), max(1, round(signals))
    plural = "" if count == 1 else "s"
    return Belief(
        attribute=attribute,
        value=value,
        swatch=_swatch(attribute, value),
        direction=direction,
        strength=strength,
        effect=effect,
        certainty=float(effects.certainties[place]),
        signals=signals,
        asked=False,
        text=f"{direction} {value} ({strength}, {count} signal{plural})",
    )


def _asked(wish: Wish, effects: _Effects, belief: Gaussian, gallery: Gallery) -> Belief:
    along = gallery.space.direction(wish.attribute, wish.value)[None]
    effect, spread = float(belief.means(along)[0]), float(belief.spreads(along)[0])
    pair = (wish.attribute, wish.value)
    known = effects.names.index(pair) if pair in effects.names else None
    direction: Direction = "likes" if wish.kind == "want" else "avoids"
    return Belief(
        attribute=wish.attribute,
        value=wish.value,
        swatch=_swatch(wish.attribute, wish.value),
        direction=direction,
        strength=strength_of(effect),
        effect=effect,
        certainty=certainty_of(effect, spread),
        signals=0.0 if known is None else float(effects.signals[known]),
        asked=True,
        text=f"{direction} {wish.value} (asked for)",
    )


def _swatch(attribute: str, value: str) -> str | None:
    return colour.code_of(value) if attribute == COLOUR else None
