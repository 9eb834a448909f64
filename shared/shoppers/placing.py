"""Finding what a shopper spoke of: garments in the index, designs by what its encoder saw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared import colour, ids
from shared.records import Transaction, designs
from shared.records.designs import SeenDesign
from shared.schemas.designs import COLOUR_KEYS
from shared.schemas.shoppers import NotCounted
from shared.taste import Gallery, Items, Signal, join
from shared.taste.items import described
from shared.taste.observations import BACKGROUND

_STORED: Final = np.dtype("<f2")
_COLOURS: Final = 2


@dataclass(frozen=True)
class Placed:
    """Items that evidence can be about, and those that it cannot.

    Attributes:
        gallery: what was spoken of, and garments that stand for what was passed by.
        not_counted: what was spoken of and is in no gallery, and why.
    """

    gallery: Gallery
    not_counted: tuple[NotCounted, ...]


def place(
    tx: Transaction,
    site_id: str,
    gallery: Gallery,
    signals: Sequence[Signal],
    *,
    encoder: str,
    rng: np.random.Generator,
) -> Placed:
    """Gather what a shopper's evidence is about, however large the catalog is.

    The garments passed by are drawn here and not by `shared.taste.observations`, which then finds
    only these: their order is drawn once for a catalog, so that one more like changes one of them
    at most and a taste does not jump.

    Args:
        tx: the open transaction.
        site_id: whose designs may be looked at.
        gallery: of the catalog.
        signals: those that stand.
        encoder: the index' encoder.
        rng: draws the background; the same state gives the same one.
    """
    named = {name for one in signals for name in (one.item, one.over) if name is not None}
    places = gallery.items.places
    spoken = np.array(sorted(places[name] for name in named & places.keys()), dtype=np.intp)
    order = rng.permutation(len(gallery.items))
    passed = order[~np.isin(order, spoken)][:BACKGROUND]
    chosen = np.concatenate([spoken, passed]).astype(np.intp)
    elsewhere = named - places.keys()
    found = {one.id: one for one in designs.seen(tx, site_id, elsewhere)} if elsewhere else {}
    known = [one for one in found.values() if _is_seen_by(one, encoder)]
    garments = Gallery(gallery.items.take(chosen), gallery.space, gallery.features[chosen])
    return Placed(
        gallery=_with_designs(garments, known) if known else garments,
        not_counted=tuple(_missing(elsewhere - {one.id for one in known}, found)),
    )


def items_of(seen: Sequence[SeenDesign]) -> Items:
    """Return designs as items: what they look like, their measured colours, and their labels.

    Args:
        seen: all by one encoder.
    """
    return described(
        [one.id for one in seen],
        np.stack([_embedding(one) for one in seen]),
        np.stack([_colours(one) for one in seen]),
        [_labels(one.condition) for one in seen],
    )


def _with_designs(garments: Gallery, seen: Sequence[SeenDesign]) -> Gallery:
    items = items_of(seen)
    features = np.concatenate([garments.features, garments.space.features(items)])
    return Gallery(join([garments.items, items]), garments.space, features)


def _is_seen_by(design: SeenDesign, encoder: str) -> bool:
    return design.embedding is not None and design.encoder == encoder


def _embedding(design: SeenDesign) -> NDArray[np.float32]:
    return np.frombuffer(design.embedding or b"", dtype=_STORED).astype(np.float32)


def _colours(design: SeenDesign) -> NDArray[np.float32]:
    result = np.full((_COLOURS, 3), np.nan, dtype=np.float32)
    for slot, code in enumerate((design.colours or ())[:_COLOURS]):
        result[slot] = colour.hex_to_lab(code)
    return result


def _labels(condition: Mapping[str, str]) -> dict[str, str]:
    """Return the condition's labels; colours that it was asked for are not labels of a garment."""
    return {
        name: value
        for name, value in condition.items()
        if not (name in COLOUR_KEYS and value.startswith("#"))
    }


def _missing(names: set[str], found: Mapping[str, SeenDesign]) -> Iterator[NotCounted]:
    for name in sorted(names):
        if not name.startswith(f"{ids.DESIGN}_"):
            why = "The garment is of another catalog, or was added after the index was made."
        elif name not in found:
            why = "The design is not there any more."
        elif found[name].embedding is None:
            why = "No encoder saw the design: its catalog had no garment index when it was made."
        else:
            why = "The design was seen by another encoder than this catalog's."
        yield NotCounted(what=name, why=why)
