"""How near designs come to the colours that are asked for, by the request or by the shopper."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import click
import numpy as np

from shared.colour import delta_e, hex_to_lab, lab_to_hex
from shared.errors import ConflictError
from shared.taste import Prior, Wish
from tests.bench.studio import KEPT, Studio, designed, taught
from tests.bench.taste_worlds import draw_taste
from worker.designs.batch import Drawn, paint
from worker.designs.looking import colours_of
from worker.designs.orders import Order, own
from worker.gan import grid

CLOSE: Final = (10.0, 15.0)
EACH: Final = 8
_LIKES: Final = 10
_STRANGE: Final = 10.0
"""CIEDE2000 to the nearest garment's main colour from which no garment has a colour."""
_BLOCK: Final = 256


@dataclass(frozen=True)
class Asked:
    """A colour that is asked for.

    Attributes:
        code: ``#rrggbb``.
        category: of the garment that has it; None where it has none or the colour is nobody's.
    """

    code: str
    category: str | None = None


def asked_for(studio: Studio, before: Prior, *, count: int) -> tuple[dict[str, Any], bytes]:
    """Ask for colours in each way.

    Args:
        studio: a release that takes colours.
        before: what is believed of a shopper before the first like.
        count: of colours that garments have; a quarter as many that none has.

    Returns:
        Way -> how near the measured main colour is, CIEDE2000; and a sheet as PNG, a row a colour.
    """
    rng = np.random.default_rng(0)
    known, strange = of_garments(studio, count, rng), of_nobody(studio, max(1, count // 4), rng)
    alone = [_orders([Asked(one.code) for one in known], 0), _orders(strange, 1)]
    labelled = _orders([one for one in known if one.category], 2)
    told = {}
    drawn: list[list[Drawn]] = [_painted(studio, orders) for orders in (*alone, labelled)]
    names = ("of a garment", "of no garment", "of a garment, with its category")
    for name, made in zip(names, drawn, strict=True):
        told[name] = _nearness([(one, one.order.condition["colour"]) for one in made])
    for hard in (False, True):
        name = f"wanted by a shopper{', hard' if hard else ''}"
        wanted = known[: max(1, count // 4)]
        told[name] = _nearness(_wanted(studio, before, wanted, hard=hard), of=KEPT * len(wanted))
    return told, _sheet(drawn[0])


def of_garments(studio: Studio, count: int, rng: np.random.Generator) -> list[Asked]:
    """Draw main colours of garments, with the garments' categories."""
    items = studio.gallery.items
    known = np.flatnonzero(np.isfinite(items.colours[:, 0]).all(1))
    return [
        Asked(lab_to_hex(items.colours[place, 0]), items.labels_of(place).get("category"))
        for place in rng.permutation(known)[:count].tolist()
    ]


def of_nobody(studio: Studio, count: int, rng: np.random.Generator) -> list[Asked]:
    """Draw colours of the sRGB cube that no garment has."""
    colours = studio.gallery.items.colours[:, 0]
    colours = colours[np.isfinite(colours).all(1)]
    found: list[Asked] = []
    while len(found) < count:
        code = "#" + rng.integers(0, 256, 3, np.uint8).tobytes().hex()
        if delta_e(colours, hex_to_lab(code)).min() > _STRANGE:
            found.append(Asked(code))
    return found


def _orders(asked: Sequence[Asked], part: int) -> list[Order]:
    """Return some orders a colour, with seeds of their own in each part."""
    orders = []
    for place, one in enumerate(asked):
        condition = {"colour": one.code}
        if one.category is not None:
            condition["category"] = one.category
        for number in range(EACH):
            seed = 5_000_000 + 1_000_000 * part + EACH * place + number
            orders.append(Order(seed, own(seed), condition, 0.8))
    return orders


def _painted(studio: Studio, orders: Sequence[Order]) -> list[Drawn]:
    parts = [orders[at : at + _BLOCK] for at in range(0, len(orders), _BLOCK)]
    return [one for part in parts for one in paint(studio.generator, part)]


def _wanted(
    studio: Studio, before: Prior, asked: Sequence[Asked], *, hard: bool
) -> list[tuple[Drawn, str]]:
    """Return designs for shoppers who like ten garments and want a colour.

    A hard wish may leave fewer designs than were asked for, or none.
    """
    found = []
    for number, one in enumerate(asked):
        rng = np.random.default_rng([number, _LIKES])
        wishes = [Wish("want", "colour", one.code, hard)]
        liking = draw_taste(studio.hidden, rng)
        shopper = taught(studio, liking, _LIKES, rng, before=before, wishes=wishes)
        try:
            found += [(made, one.code) for made in designed(studio, shopper, seed=number)]
        except ConflictError as error:
            click.echo(f"{one.code}: {error.message}")
    return found


def _nearness(made: Sequence[tuple[Drawn, str]], *, of: int | None = None) -> dict[str, Any]:
    """Return how near the measured main colours are, among so many designs that were asked for.

    What cannot be measured or was not made is no hit.
    """
    asked_for = len(made) if of is None else of
    away = np.full(asked_for, np.inf)
    if made:
        colours = colours_of(np.stack([one.pixels for one, _ in made]))[:, 0]
        asked = np.stack([hex_to_lab(code) for _, code in made])
        away[: len(made)] = np.nan_to_num(delta_e(colours, asked), nan=np.inf)
    hits = {f"within {limit:g}": float((away <= limit).mean()) for limit in CLOSE}
    return {"asked": asked_for, "made": len(made), "median": float(np.median(away)), **hits}


def _sheet(drawn: Sequence[Drawn]) -> bytes:
    """Return the designs as rows of one colour, each behind a square of the colour itself."""
    rows = []
    for at in range(0, len(drawn), EACH):
        code = drawn[at].order.condition["colour"]
        swatch = np.empty_like(drawn[at].pixels)
        swatch[:] = [int(code[place : place + 2], 16) for place in (1, 3, 5)]
        rows.append(np.concatenate([swatch, *(one.pixels for one in drawn[at : at + EACH])], 1))
    return grid.png(np.concatenate(rows))
